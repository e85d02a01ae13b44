package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** What a file that is not what was expected may be instead, for messages. */
final class FileStarts {
  private static final int TAR_MAGIC_OFFSET = 257;
  private static final int MAX_START = 263;

  private FileStarts() {}

  /** The likely kind of file, or its first bytes. */
  static String describe(FileBytes bytes) throws IOException {
    String kind = kind(bytes);
    if (kind != null) {
      return kind;
    }
    StringBuilder hex = new StringBuilder("bytes");
    ByteBuffer start = bytes.read(0, (int) Math.min(8, bytes.size()));
    while (start.hasRemaining()) {
      hex.append(String.format(" %02X", start.get()));
    }
    return hex.toString();
  }

  /** The likely kind of file; null if nothing is recognised. */
  static @Nullable String kind(FileBytes bytes) throws IOException {
    byte[] start = new byte[(int) Math.min(MAX_START, bytes.size())];
    bytes.read(0, ByteBuffer.wrap(start));
    String text = new String(start, StandardCharsets.ISO_8859_1);
    if (text.isEmpty()) {
      return "an empty file";
    }
    if (text.startsWith("version https://git-lfs")) {
      return "a pointer of Git LFS: the file itself was not downloaded";
    }
    if (text.startsWith("ustar", TAR_MAGIC_OFFSET)) {
      return "a tar archive, as PyTorch before 0.1.10 wrote: load and save it with a later one";
    }
    if (text.startsWith("PYTORCH1")) {
      return "a preview of PyTorch's archives, which PyTorch itself refuses";
    }
    if (text.startsWith("<!") || text.startsWith("<html")) {
      return "a page of the web: the file itself was not downloaded";
    }
    return text.startsWith("PK\3\4") ? "a zip archive" : null;
  }
}
