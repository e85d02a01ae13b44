package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The optimizer's tensors in one rank's files, arranged as the rank's model is.
 *
 * <p>For each kind of tensor there is a dictionary like the model's, with the same keys (nested
 * where the model's is) and the optimizer's tensors in the place of the parameters: they are of the
 * same shape, so that what merges models merges them too. Parameters that have no such tensor are
 * left out.
 *
 * @param settings what belongs to no parameter
 * @param tensors for each kind the dictionaries of the rank's model chunks, in their order
 * @param inDistributedFile whether these tensors are to be read from {@code distrib_optim.pt}; else
 *     they are in the model's file
 */
record OptimizerShard(
    OptimizerSettings settings,
    Map<OptimizerTensor, List<PyDict>> tensors,
    boolean inDistributedFile) {

  /**
   * Reads the state of one rank; null if it has none.
   *
   * @param path of {@code reader}
   * @param reader the rank's {@code model_optim_rng.pt}
   * @param chunks the model dictionaries in it: {@code model}, or {@code model0}, {@code model1}, …
   * @param distributed the rank's {@code distrib_optim.pt}, or null if there is no such file
   * @throws io.github.pretrain4j.checkpoint.CorruptCheckpointException if the state does not fit
   *     the model, or it cannot be told which part of it belongs to which parameter
   */
  static @Nullable OptimizerShard read(
      Path path, TorchFileReader reader, List<PyDict> chunks, @Nullable TorchFileReader distributed)
      throws IOException {
    throw new UnsupportedOperationException();
  }
}
