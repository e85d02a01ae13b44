package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;

/** Writes one safetensors file, as {@link SafetensorsFile} plans it. */
public final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /**
   * Writes a file: beside its place, flushed, then renamed.
   *
   * @param tensors in any order; the file has its own
   * @param metadata free-form strings; {@code {"format": "pt"}} for Hugging Face models
   * @param content is asked once per tensor, by this thread, in the order of the file
   * @throws IllegalArgumentException if two tensors have one name or the format cannot express them
   */
  public static void write(
      Path file,
      Collection<TensorInfo> tensors,
      Map<String, String> metadata,
      TensorContent content)
      throws IOException {
    PlannedFiles.write(
        file, SafetensorsFile.plan(PlannedFiles.name(file), tensors, metadata, content));
  }
}
