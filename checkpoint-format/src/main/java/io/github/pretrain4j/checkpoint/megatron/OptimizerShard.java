package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
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
 * @param tensors for each kind the dictionaries of the rank's model chunks, in their order; a kind
 *     that no parameter has is missing
 * @param inDistributedFile whether these tensors are to be read from {@code distrib_optim.pt}; else
 *     they are in the model's file
 */
record OptimizerShard(
    OptimizerSettings settings,
    Map<OptimizerTensor, List<PyDict>> tensors,
    boolean inDistributedFile) {
  /** The file of the distributed optimizer, beside the model's. */
  static final String DISTRIBUTED_FILE = "distrib_optim.pt";

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
    PickleObject entry = reader.root() instanceof PyDict root ? root.get("optimizer") : null;
    if (entry == null || entry instanceof PickleObject.PyNone) {
      return null;
    }
    OptimizerEntry optimizer = OptimizerEntry.of(path, entry, reader::read);
    RankModel model = RankModel.of(chunks, arguments(reader.root()));
    OptimizerSettings settings = optimizer.settings();
    Assignment assignment;
    boolean inDistributedFile = false;
    if (distributed != null) {
      Path file = path.resolveSibling(DISTRIBUTED_FILE);
      assignment = new DistributedOptimizerFile(file, distributed, reader, model).assign();
      inDistributedFile = true;
    } else if (optimizer.isDistributed()) {
      throw optimizer.corrupt(
          "optimizer of a distributed run",
          "a file " + DISTRIBUTED_FILE + " beside (or drop the optimizer)",
          "none");
    } else {
      assignment = new OptimizerStates(optimizer, model, reader).assign();
    }
    Map<OptimizerTensor, List<PyDict>> tensors = new EnumMap<>(OptimizerTensor.class);
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      List<Map<String, TensorReference>> byChunk = assignment.of(kind);
      if (byChunk.stream().anyMatch(chunk -> !chunk.isEmpty())) {
        List<PyDict> dictionaries = new ArrayList<>();
        for (int chunk = 0; chunk < chunks.size(); chunk++) {
          dictionaries.add(replace("", chunks.get(chunk), byChunk.get(chunk)));
        }
        tensors.put(kind, dictionaries);
      }
    }
    return new OptimizerShard(settings, tensors, inDistributedFile);
  }

  private static Map<String, PickleObject> arguments(PickleObject root) {
    return root instanceof PyDict dict && dict.get("args") instanceof PickleObject.ObjectState args
        ? args.attributes()
        : Map.of();
  }

  /** The dictionary with other tensors under its keys, and without what has none. */
  private static PyDict replace(
      String prefix, PyDict dictionary, Map<String, TensorReference> tensors) {
    Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
    dictionary
        .entries()
        .forEach(
            (key, value) -> {
              if (!(key instanceof PyString name)) {
                return;
              }
              String path = prefix + name.value();
              TensorReference tensor = tensors.get(path);
              if (value instanceof PyDict nested) {
                entries.put(key, replace(path + ".", nested, tensors));
              } else if (tensor != null) {
                entries.put(key, tensor);
              }
            });
    return new PyDict(dictionary.ordered(), entries);
  }

  /** Tensors of parameters, by chunk and key. */
  static final class Assignment {
    private final Map<OptimizerTensor, List<Map<String, TensorReference>>> tensors =
        new EnumMap<>(OptimizerTensor.class);

    Assignment(int chunks) {
      for (OptimizerTensor kind : OptimizerTensor.values()) {
        List<Map<String, TensorReference>> byChunk = new ArrayList<>();
        for (int chunk = 0; chunk < chunks; chunk++) {
          byChunk.add(new LinkedHashMap<>());
        }
        tensors.put(kind, byChunk);
      }
    }

    void put(OptimizerTensor kind, OptimizerParameter parameter, TensorReference tensor) {
      of(kind).get(parameter.chunk()).put(parameter.key(), tensor);
    }

    List<Map<String, TensorReference>> of(OptimizerTensor kind) {
      return tensors.getOrDefault(kind, List.of());
    }
  }
}
