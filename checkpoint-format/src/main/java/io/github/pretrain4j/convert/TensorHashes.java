package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/** SHA-256 of tensors' packed little-endian data. */
final class TensorHashes {
  private static final int BUFFER_BYTES = 1 << 20;

  private TensorHashes() {}

  static long byteCount(TensorSource source, Collection<String> names) {
    long bytes = 0;
    for (String name : names) {
      bytes += source.get(name).byteCount();
    }
    return bytes;
  }

  /** The hashes by name, in the order of {@code names}. */
  static Map<String, String> of(
      TensorSource source,
      Collection<String> names,
      ConversionListener listener,
      ConversionListener.Phase phase)
      throws IOException {
    Map<String, String> hashes = new LinkedHashMap<>();
    long total = byteCount(source, names);
    long done = 0;
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
    for (String name : names) {
      TensorInfo info = source.get(name);
      MessageDigest digest = sha256();
      for (long offset = 0; offset < info.byteCount(); offset += buffer.limit()) {
        buffer.clear().limit((int) Math.min(BUFFER_BYTES, info.byteCount() - offset));
        source.read(name, offset, buffer);
        digest.update(buffer.flip());
        listener.progress(phase, Math.min(done + offset + buffer.limit(), total - 1), total);
      }
      done += info.byteCount();
      hashes.put(name, HexFormat.of().formatHex(digest.digest()));
    }
    listener.progress(phase, total, total);
    return hashes;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
