package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;

/** Writes safetensors files, byte for byte as the reference implementation does. */
public final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /**
   * Writes a file: beside its place, flushed, then renamed.
   *
   * @param tensors in any order; the file has its own
   * @param metadata free-form strings; {@code {"format": "pt"}} for Hugging Face models
   */
  public static void write(
      Path file,
      Collection<TensorInfo> tensors,
      Map<String, String> metadata,
      TensorContent content)
      throws IOException {
    Pending.value("");
  }
}
