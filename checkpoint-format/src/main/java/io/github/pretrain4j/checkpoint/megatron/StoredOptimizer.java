package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The optimizer's state in the files of all ranks, as whole tensors. Owns the files of the
 * distributed optimizer, and closes them; not those of the model.
 */
final class StoredOptimizer implements AutoCloseable {
  private final List<TorchFileReader> owned = new ArrayList<>();
  private final Map<String, MergedTensor> tensors = new LinkedHashMap<>();
  private final @Nullable OptimizerSettings settings;

  private StoredOptimizer(
      Path iterationDirectory,
      ParallelLayout layout,
      Map<Rank, TorchFileReader> files,
      Map<Rank, PickleObject.PyDict> roots,
      Map<String, @Nullable Object> arguments)
      throws IOException {
    try {
      this.settings = read(iterationDirectory, layout, files, roots, arguments);
    } catch (IOException | RuntimeException e) {
      try {
        close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /**
   * Reads what is there.
   *
   * @throws CorruptCheckpointException if some ranks have a state and others have none, or one
   *     cannot be understood
   */
  static StoredOptimizer read(
      CheckpointDirectory directory,
      ParallelLayout layout,
      Map<Rank, TorchFileReader> files,
      Map<Rank, PickleObject.PyDict> roots,
      Map<String, @Nullable Object> arguments)
      throws IOException {
    return new StoredOptimizer(directory.iterationDirectory(), layout, files, roots, arguments);
  }

  private @Nullable OptimizerSettings read(
      Path iterationDirectory,
      ParallelLayout layout,
      Map<Rank, TorchFileReader> files,
      Map<Rank, PickleObject.PyDict> roots,
      Map<String, @Nullable Object> arguments)
      throws IOException {
    Map<Rank, OptimizerShard> shards = new TreeMap<>();
    Map<Rank, ReferenceReader> sources = new TreeMap<>();
    List<String> without = new ArrayList<>();
    for (Map.Entry<Rank, TorchFileReader> entry : files.entrySet()) {
      Rank rank = entry.getKey();
      Path file = layout.file(iterationDirectory, rank);
      Path distributedFile = file.resolveSibling(OptimizerShard.DISTRIBUTED_FILE);
      TorchFileReader distributed = null;
      if (Files.exists(distributedFile)) {
        distributed = TorchFileReader.open(distributedFile);
        owned.add(distributed);
      }
      List<PickleObject.PyDict> chunks =
          StoredModel.chunks(roots.getOrDefault(rank, PickleObject.PyDict.of(Map.of())));
      OptimizerShard shard = OptimizerShard.read(file, entry.getValue(), chunks, distributed);
      if (shard == null) {
        without.add(layout.rankName(rank));
        continue;
      }
      shards.put(rank, shard);
      sources.put(
          rank,
          distributed != null && shard.inDistributedFile()
              ? distributed::read
              : entry.getValue()::read);
    }
    if (shards.isEmpty()) {
      return null;
    }
    List<String> problems = new ArrayList<>();
    without.forEach(name -> problems.add(name + " has no optimizer, others do"));
    if (problems.isEmpty()) {
      for (OptimizerTensor kind : OptimizerTensor.values()) {
        merge(kind, layout, sources, shards, arguments, problems);
      }
    }
    if (!problems.isEmpty()) {
      throw new CorruptCheckpointException(
          iterationDirectory,
          0,
          "optimizer",
          "tensors like the model's",
          String.join("; ", new LinkedHashSet<>(problems)));
    }
    return shards.values().iterator().next().settings();
  }

  private void merge(
      OptimizerTensor kind,
      ParallelLayout layout,
      Map<Rank, ReferenceReader> sources,
      Map<Rank, OptimizerShard> shards,
      Map<String, @Nullable Object> arguments,
      List<String> problems) {
    if (shards.values().stream().noneMatch(shard -> shard.tensors().containsKey(kind))) {
      return;
    }
    int chunks = layout.virtualPipelineModelParallelSize();
    List<PickleObject.PyDict> nothing = new ArrayList<>();
    for (int i = 0; i < chunks; i++) {
      nothing.add(PickleObject.PyDict.of(Map.of()));
    }
    Map<Rank, List<PickleObject.PyDict>> dictionaries = new TreeMap<>();
    shards.forEach(
        (rank, shard) -> dictionaries.put(rank, shard.tensors().getOrDefault(kind, nothing)));
    Map<Rank, ReferenceReader> readers = completed(dictionaries, sources);
    List<String> found = new ArrayList<>();
    StoredModel model = new StoredModel(layout, readers, dictionaries, arguments, found);
    Map<String, MergedTensor> merged = model.tensors();
    TiedCopy.setAside(merged, arguments);
    merged.forEach(
        (name, tensor) -> {
          String stateName = kind.nameOf(name);
          tensors.put(stateName, tensor.withName(stateName));
        });
    found.forEach(problem -> problems.add(kind.key() + ": " + problem));
  }

  /**
   * Adds what only the first of the expert ranks saved. The distributed optimizer deals the state
   * of all but the experts out to the expert ranks, and gathers it on the first.
   *
   * @param dictionaries receives the tensors
   * @return what reads them
   */
  private static Map<Rank, ReferenceReader> completed(
      Map<Rank, List<PickleObject.PyDict>> dictionaries, Map<Rank, ReferenceReader> sources) {
    Map<Rank, ReferenceReader> readers = new TreeMap<>(sources);
    for (Map.Entry<Rank, List<PickleObject.PyDict>> entry : dictionaries.entrySet()) {
      Rank rank = entry.getKey();
      Rank first =
          dictionaries.keySet().stream()
              .filter(r -> r.tensor() == rank.tensor() && r.pipeline() == rank.pipeline())
              .findFirst()
              .orElse(rank);
      List<PickleObject.PyDict> whole = dictionaries.get(first);
      ReferenceReader own = sources.get(rank);
      ReferenceReader other = sources.get(first);
      if (first.equals(rank) || whole == null || own == null || other == null) {
        continue;
      }
      IdentityHashMap<PickleObject, Boolean> borrowed = new IdentityHashMap<>();
      List<PickleObject.PyDict> chunks = new ArrayList<>();
      for (int chunk = 0; chunk < Math.min(whole.size(), entry.getValue().size()); chunk++) {
        Map<String, PickleObject> entries = new LinkedHashMap<>();
        whole
            .get(chunk)
            .stringEntries()
            .forEach(
                (key, tensor) -> {
                  if (!OptimizerParameter.isExpert(key)) {
                    entries.put(key, tensor);
                    borrowed.put(tensor, true);
                  }
                });
        entry
            .getValue()
            .get(chunk)
            .stringEntries()
            .forEach(
                (key, tensor) -> {
                  PickleObject replaced = entries.put(key, tensor);
                  if (replaced != null) {
                    borrowed.remove(replaced);
                  }
                });
        chunks.add(PickleObject.PyDict.of(entries));
      }
      entry.setValue(chunks);
      readers.put(
          rank,
          (tensor, byteOffset, target) ->
              (borrowed.containsKey(tensor) ? other : own).read(tensor, byteOffset, target));
    }
    return readers;
  }

  /** Under the names that {@link OptimizerTensor#nameOf} gives. */
  Map<String, MergedTensor> tensors() {
    return tensors;
  }

  /** Null if there is no optimizer. */
  @Nullable OptimizerSettings settings() {
    return settings;
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (TorchFileReader reader : owned) {
      try {
        reader.close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
