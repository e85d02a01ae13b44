package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/** Second copies of tied weights. */
final class Copies {
  private static final int BUFFER_BYTES = 1 << 20;

  private Copies() {}

  /**
   * Says so where a second copy is not the same: the first is what counts.
   *
   * @param copies names of second copies, with the names of the first
   */
  static void note(Map<String, String> copies, TensorSource source, List<String> notes)
      throws IOException {
    for (Map.Entry<String, String> copy : copies.entrySet()) {
      TensorInfo second = source.find(copy.getKey());
      TensorInfo first = source.find(copy.getValue());
      if (second != null && first != null && !same(source, first, second)) {
        notes.add(
            copy.getKey()
                + " differs from "
                + copy.getValue()
                + " though the model ties them; only the latter is used");
      }
    }
  }

  private static boolean same(TensorSource source, TensorInfo first, TensorInfo second)
      throws IOException {
    if (first.type() != second.type() || !first.shape().equals(second.shape())) {
      return false;
    }
    ByteBuffer expected = ByteBuffer.allocate(BUFFER_BYTES);
    ByteBuffer found = ByteBuffer.allocate(BUFFER_BYTES);
    for (long offset = 0; offset < first.byteCount(); offset += expected.limit()) {
      int length = (int) Math.min(BUFFER_BYTES, first.byteCount() - offset);
      source.read(first.name(), offset, expected.clear().limit(length));
      source.read(second.name(), offset, found.clear().limit(length));
      if (!expected.flip().equals(found.flip())) {
        return false;
      }
    }
    return true;
  }
}
