package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes a Hugging Face model directory: weights, index, and the files beside them. Not thread-safe.
 *
 * <p>Everything is written into a sibling directory first, so a failure leaves what was there
 * before.
 */
public final class HuggingFaceWriter {
  private final Path directory;
  private final WeightFormat format;
  private final ShardRule sharding;
  private final List<Path> references = new ArrayList<>();
  private final Map<String, byte[]> files = new LinkedHashMap<>();

  private HuggingFaceWriter(Path directory, WeightFormat format, ShardRule sharding) {
    this.directory = directory;
    this.format = format;
    this.sharding = sharding;
  }

  /** A writer for a directory that need not exist; nothing is touched before {@link #write}. */
  public static HuggingFaceWriter create(Path directory, WeightFormat format, ShardRule sharding) {
    return new HuggingFaceWriter(directory, format, sharding);
  }

  /**
   * Also copies configuration, tokenizer and code files from a reference directory; no weights, no
   * index.
   */
  public HuggingFaceWriter companionsFrom(Path referenceDirectory) {
    references.add(referenceDirectory);
    return this;
  }

  /**
   * Also writes this file, such as {@code config.json}; it wins over a companion of the same name.
   */
  public HuggingFaceWriter file(String name, byte[] content) {
    files.put(name, content.clone());
    return this;
  }

  /**
   * Writes everything.
   *
   * @param tensors all weights, in the order in which they are dealt out to shards
   * @return the files that hold the weights, in order
   */
  public List<Path> write(List<TensorInfo> tensors, TensorContent content) throws IOException {
    if (System.nanoTime() != 0) {
      throw new UnsupportedOperationException(
          "" + directory + format + sharding + references + files);
    }
    return List.of();
  }
}
