package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which parameters a group of Megatron's optimizer holds, told from the group's settings.
 *
 * <p>Megatron sorts parameters by three questions: whether they decay (vectors and biases do not),
 * whether they have a learning rate of their own (embedding and output layer, with {@code
 * --decoupled-lr}), and whether they belong to experts that are dealt out to ranks.
 *
 * @param decays {@code wd_mult} is not 0
 * @param ownLearningRate {@code is_decoupled_lr}
 * @param experts {@code is_expert_parallel}
 */
record OptimizerGroup(boolean decays, boolean ownLearningRate, boolean experts) {

  static OptimizerGroup of(PyDict settings) {
    PickleObject decay = settings.get("wd_mult");
    if (decay == null) {
      decay = settings.get("weight_decay");
    }
    return new OptimizerGroup(
        decay == null || number(decay) != 0,
        isTrue(settings.get("is_decoupled_lr"))
            || PickleObject.of(false).equals(settings.get("default_config")),
        isTrue(settings.get("is_expert_parallel")));
  }

  /**
   * The group of a parameter.
   *
   * @param ownLearningRate whether embedding and output layer have a learning rate of their own
   * @param expertsApart whether experts have an optimizer of their own
   * @param normsDecay whether the norms of queries and keys decay
   */
  static OptimizerGroup of(
      OptimizerParameter parameter,
      boolean ownLearningRate,
      boolean expertsApart,
      boolean normsDecay) {
    return new OptimizerGroup(
        !parameter.isVectorOrBias() || (normsDecay && parameter.isQueryOrKeyNorm()),
        ownLearningRate && parameter.isEmbeddingOrOutput(),
        expertsApart && parameter.isExpert());
  }

  /** The same settings for experts that are dealt out, or not. */
  static PyDict withExperts(PyDict settings, boolean experts) {
    Map<PickleObject, PickleObject> entries = new LinkedHashMap<>(settings.entries());
    entries.put(PickleObject.of("is_expert_parallel"), PickleObject.of(experts));
    return new PyDict(false, entries);
  }

  static boolean isTrue(@Nullable PickleObject value) {
    return value instanceof PickleObject.PyBool bool && bool.value();
  }

  private static double number(PickleObject value) {
    return value instanceof PickleObject.PyFloat decimal
        ? decimal.value()
        : value instanceof PickleObject.PyInt integer ? integer.value().doubleValue() : Double.NaN;
  }
}
