package io.github.pretrain4j.checkpoint;

import java.util.Collection;
import java.util.Map;

/** Plans safetensors files, byte for byte as the reference implementation makes them. */
public final class SafetensorsFile {
  private SafetensorsFile() {}

  /**
   * Plans a file with one slot for each tensor.
   *
   * @param tensors in any order; the file has its own
   * @param metadata free-form strings; {@code {"format": "pt"}} for Hugging Face models
   * @throws IllegalArgumentException if two tensors have one name or the format cannot express them
   */
  public static PlannedFile plan(
      String path,
      Collection<TensorInfo> tensors,
      Map<String, String> metadata,
      TensorContent content) {
    throw new UnsupportedOperationException();
  }
}
