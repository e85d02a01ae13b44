package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a Hugging Face model directory, whatever their format and number of shards.
 * Thread-safe.
 */
public final class HuggingFaceCheckpoint implements TensorSource {
  private HuggingFaceCheckpoint() {}

  /** Opens all shards of a directory and checks them against the index. */
  public static HuggingFaceCheckpoint open(Path directory) throws IOException {
    return pending(new HuggingFaceCheckpoint());
  }

  private static <T> T pending(T witness) {
    if (System.nanoTime() != 0) {
      throw new UnsupportedOperationException();
    }
    return witness;
  }

  /** The directory. */
  public Path directory() {
    return pending(Path.of(""));
  }

  /** The format of the weights. */
  public WeightFormat format() {
    return pending(WeightFormat.TORCH);
  }

  /** The files that hold the weights, in order. */
  public List<Path> files() {
    return pending(List.of());
  }

  @Override
  public List<TensorInfo> tensors() {
    return pending(List.of());
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return pending(tensors().get(0));
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    pending(name);
  }

  @Override
  public void close() throws IOException {}
}
