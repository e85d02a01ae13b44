package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyBool;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The part of an optimizer's state that belongs to no parameter, without any tensor.
 *
 * <p>In {@link MegatronCheckpoint#commonState} it is the entry {@code optimizer}:
 *
 * <pre>
 *   step                number of updates so far
 *   step_of_parameters  true: kept with every parameter, as PyTorch does; false: with every group
 *   param_groups        list of {wd_mult, lr_mult, is_expert_parallel, lr, betas, …}; which
 *                       parameters are in a group follows from these
 *   grad_scaler         {scale, growth_tracker, hysteresis_tracker}, only where fp16 needs one
 * </pre>
 *
 * @param step number of updates so far
 * @param stepOfParameters whether the step is kept with every parameter or with every group
 * @param groups settings of the parameter groups, without their parameters
 * @param gradScaler state of the loss scaling, or null
 */
public record OptimizerSettings(
    long step, boolean stepOfParameters, List<PyDict> groups, @Nullable PyDict gradScaler) {
  /** The entry of the common state. */
  public static final String KEY = "optimizer";

  private static final String STEP = "step";
  private static final String STEP_OF_PARAMETERS = "step_of_parameters";
  private static final String GROUPS = "param_groups";
  private static final String SCALER = "grad_scaler";

  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if the step is negative
   */
  public OptimizerSettings {
    groups = List.copyOf(groups);
    if (step < 0) {
      throw new IllegalArgumentException("optimizer step " + step + " is negative");
    }
  }

  /** The entry of the common state. */
  public PyDict toPickle() {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    entries.put(STEP, PickleObject.of(step));
    entries.put(STEP_OF_PARAMETERS, PickleObject.of(stepOfParameters));
    entries.put(GROUPS, new PyList(List.copyOf(groups)));
    if (gradScaler != null) {
      entries.put(SCALER, gradScaler);
    }
    return PyDict.of(entries);
  }

  /**
   * From the entry of the common state.
   *
   * @throws IllegalArgumentException if it is not what {@link #toPickle} makes
   */
  public static OptimizerSettings of(PickleObject entry) {
    if (!(entry instanceof PyDict dict)
        || !(dict.get(STEP) instanceof PyInt step)
        || step.value().bitLength() >= Long.SIZE
        || !(dict.get(STEP_OF_PARAMETERS) instanceof PyBool stepOfParameters)
        || !(dict.get(GROUPS) instanceof PyList list)) {
      throw new IllegalArgumentException("not the settings of an optimizer: " + entry);
    }
    List<PyDict> groups = new ArrayList<>();
    for (PickleObject item : list.items()) {
      if (!(item instanceof PyDict group)) {
        throw new IllegalArgumentException("not a parameter group: " + item);
      }
      groups.add(group);
    }
    return new OptimizerSettings(
        step.longValueExact(),
        stepOfParameters.value(),
        groups,
        dict.get(SCALER) instanceof PyDict scaler ? scaler : null);
  }
}
