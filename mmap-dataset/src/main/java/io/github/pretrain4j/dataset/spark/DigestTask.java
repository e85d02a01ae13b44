package io.github.pretrain4j.dataset.spark;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.apache.spark.api.java.function.Function;

/** Size and SHA-256 of one input, for the sidecars; found on an executor. */
final class DigestTask implements Function<String, DigestTask.Digest> {
  private static final long serialVersionUID = 1L;

  /** What the file is. */
  record Digest(String file, long bytes, String sha256) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  @Override
  public Digest call(String file) throws IOException, NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    byte[] buffer = new byte[1 << 18];
    long bytes = 0;
    try (InputStream in = Files.newInputStream(Path.of(file))) {
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        digest.update(buffer, 0, read);
        bytes += read;
      }
    }
    return new Digest(file, bytes, HexFormat.of().formatHex(digest.digest()));
  }
}
