package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import java.util.List;
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
 *                       parameters are in a group follows from these, see OptimizerGroup
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

  /** Copies the list. */
  public OptimizerSettings {
    groups = List.copyOf(groups);
  }

  /** The entry of the common state. */
  public PyDict toPickle() {
    throw new UnsupportedOperationException();
  }

  /**
   * From the entry of the common state.
   *
   * @throws IllegalArgumentException if it is not what {@link #toPickle} makes
   */
  public static OptimizerSettings of(PickleObject entry) {
    throw new UnsupportedOperationException();
  }
}
