package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * What an input turned out to be when its last byte was read.
 *
 * @param file the input, {@code -} for the standard input
 * @param bytes bytes of the file as it is, compressed or not
 * @param sha256 their SHA-256, in lower-case hex
 */
public record InputDigest(Path file, long bytes, String sha256) {
  private static final int READ_BYTES = 1 << 18;

  /** Reads a file to its end. */
  static InputDigest of(Path file) throws IOException {
    MessageDigest digest = LineBlockReader.sha256();
    byte[] chunk = new byte[READ_BYTES];
    long bytes = 0;
    try (InputStream in = Files.newInputStream(file)) {
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
        bytes += read;
      }
    }
    return new InputDigest(file, bytes, HexFormat.of().formatHex(digest.digest()));
  }
}
