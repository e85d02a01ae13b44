package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a Hugging Face model directory, whatever their format and number of shards.
 * Thread-safe.
 *
 * <p>All shards are open, and their structure checked, from the start. With an index, exactly the
 * tensors it lists are here; a shard that lacks one is damage.
 */
public final class HuggingFaceCheckpoint implements TensorSource {
  private final Path directory;
  private final WeightFormat format;
  private final List<Path> files;
  private final List<AutoCloseable> open;
  private final List<String> warnings;
  private final Map<String, TensorSource> shardOfTensor;
  private final Map<String, Path> fileOfTensor;
  private final List<TensorInfo> tensors;

  private HuggingFaceCheckpoint(Opening opened, List<Path> files) {
    this.directory = opened.directory;
    this.format = opened.format;
    this.files = List.copyOf(files);
    this.open = opened.open;
    this.warnings = List.copyOf(opened.warnings);
    this.shardOfTensor = opened.shardOfTensor;
    this.fileOfTensor = opened.fileOfTensor;
    List<TensorInfo> infos = new ArrayList<>();
    shardOfTensor.forEach((name, shard) -> infos.add(shard.get(name)));
    this.tensors = List.copyOf(infos);
  }

  /**
   * Opens all shards of a directory and checks them against the index. Which files these are is
   * what transformers would take; if it would find none, the only index, variant or complete set of
   * numbered files there is, with a warning.
   *
   * @throws NoSuchFileException if there are no weights, or a shard is missing
   * @throws CorruptCheckpointException if the index or a shard is damaged, they contradict each
   *     other, or several sets of files could be meant
   */
  public static HuggingFaceCheckpoint open(Path directory) throws IOException {
    WeightFiles weights = WeightFiles.find(directory);
    Opening opening = new Opening(directory, weights.format());
    opening.warnings.addAll(weights.warnings());
    return opening.open(weights.files(), weights.index());
  }

  /** Opens shards one by one and closes them again if one will not do. */
  private static final class Opening {
    private final Path directory;
    private final WeightFormat format;
    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();
    private final Map<String, TensorSource> shardOfTensor = new LinkedHashMap<>();
    private final Map<String, Path> fileOfTensor = new HashMap<>();

    /** Names that share the storage of an earlier one; totals count a storage once. */
    private final Set<String> aliases = new HashSet<>();

    Opening(Path directory, WeightFormat format) {
      this.directory = directory;
      this.format = format;
    }

    HuggingFaceCheckpoint open(List<Path> files, @Nullable ShardIndex index) throws IOException {
      try {
        for (Path file : files) {
          add(file, index, shard(file));
        }
        if (index != null) {
          checkTotal(index);
        }
        return new HuggingFaceCheckpoint(this, files);
      } catch (IOException | RuntimeException e) {
        closeAll(open, e);
        throw e;
      }
    }

    private TensorSource shard(Path file) throws IOException {
      if (format == WeightFormat.SAFETENSORS) {
        SafetensorsReader reader = SafetensorsReader.open(file);
        open.add(reader);
        return reader;
      }
      TorchFileReader reader = TorchFileReader.open(file);
      open.add(reader);
      if (reader.root() instanceof PickleObject.PyDict stateDict) {
        findAliases(stateDict);
        return reader.tensors(stateDict);
      }
      throw new CorruptCheckpointException(
          file, 0, "object tree", "a dict of tensors", reader.root().getClass().getSimpleName());
    }

    private void findAliases(PickleObject.PyDict stateDict) {
      Set<String> storages = new HashSet<>();
      stateDict
          .stringEntries()
          .forEach(
              (name, value) -> {
                if (value instanceof TensorReference tensor
                    && !storages.add(tensor.storage().key())) {
                  aliases.add(name);
                }
              });
    }

    private void add(Path file, @Nullable ShardIndex index, TensorSource shard) throws IOException {
      List<String> names =
          index == null
              ? shard.tensors().stream().map(TensorInfo::name).toList()
              : index.tensorsOf(file.getFileName().toString());
      for (String name : names) {
        if (shard.find(name) == null) {
          throw new CorruptCheckpointException(
              file, 0, "tensors", name + ", as the index says", "it is not there");
        }
        if (shardOfTensor.put(name, shard) != null) {
          throw new CorruptCheckpointException(
              file, 0, "tensors", name + " in one file", "it is in two");
        }
        fileOfTensor.put(name, file);
      }
      int extra = shard.tensors().size() - names.size();
      if (extra > 0) {
        warnings.add(
            file.getFileName() + " holds " + extra + " tensors that the index does not list");
      }
    }

    /** Some converters write a wrong total, and loaders ignore it: worth a word, not a refusal. */
    private void checkTotal(ShardIndex index) {
      long total = 0;
      for (Map.Entry<String, TensorSource> entry : shardOfTensor.entrySet()) {
        if (!aliases.contains(entry.getKey())) {
          total += entry.getValue().get(entry.getKey()).byteCount();
        }
      }
      if (index.totalSize() != null && index.totalSize() != total) {
        warnings.add(
            "the index says total_size "
                + index.totalSize()
                + ", the tensors have "
                + total
                + " bytes");
      }
    }
  }

  private static void closeAll(List<AutoCloseable> open, @Nullable Exception failure)
      throws IOException {
    IOException first = null;
    for (AutoCloseable closeable : open) {
      try {
        closeable.close();
      } catch (Exception e) {
        if (failure != null) {
          failure.addSuppressed(e);
        } else if (first == null) {
          first = new IOException("closing a shard failed", e);
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** The directory. */
  public Path directory() {
    return directory;
  }

  /** The format of the weights. */
  public WeightFormat format() {
    return format;
  }

  /** The files that hold the weights, in order. */
  public List<Path> files() {
    return files;
  }

  /**
   * The file that holds a tensor.
   *
   * @throws IllegalArgumentException if there is no such tensor
   */
  public Path fileOf(String name) {
    Path file = fileOfTensor.get(name);
    if (file == null) {
      throw new IllegalArgumentException("no tensor named " + name + " in " + directory);
    }
    return file;
  }

  /**
   * Reads every file that has checksums (safetensors has none) and checks them.
   *
   * @throws CorruptCheckpointException if one does not match
   */
  public void verify() throws IOException {
    for (AutoCloseable shard : open) {
      if (shard instanceof TorchFileReader torch) {
        torch.verify();
      }
    }
  }

  /** What is odd but does no harm, in words. */
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public List<TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorSource shard = shardOfTensor.get(name);
    return shard == null ? null : shard.find(name);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorSource shard = shardOfTensor.get(name);
    if (shard == null) {
      throw new IllegalArgumentException("no tensor named " + name + " in " + directory);
    }
    shard.read(name, byteOffset, target);
  }

  @Override
  public void close() throws IOException {
    closeAll(open, null);
  }
}
