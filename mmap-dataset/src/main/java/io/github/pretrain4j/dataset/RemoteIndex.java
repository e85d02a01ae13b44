package io.github.pretrain4j.dataset;

import com.google.common.hash.Hashing;
import io.github.pretrain4j.dataset.storage.ByteRangeSource;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Local copies of indexes in object stores, one for each address and version. */
final class RemoteIndex {
  private static final int FETCH_BYTES = 1 << 23;

  private RemoteIndex() {}

  /** The local copy of this index; fetched, if it is not there in full length. */
  static Path fetch(ByteRangeSource source, Path directory) throws IOException {
    Files.createDirectories(directory);
    String key =
        Hashing.sha256()
            .hashString(source.location() + "\n" + source.version(), StandardCharsets.UTF_8)
            .toString();
    String name = source.location().substring(source.location().lastIndexOf('/') + 1);
    Path file = directory.resolve(key.substring(0, 32) + "-" + name);
    if (Files.exists(file) && Files.size(file) == source.size()) {
      return file;
    }
    try (PendingFile copy = PendingFile.create(file)) {
      ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(FETCH_BYTES, source.size()));
      for (long at = 0; at < source.size(); at += chunk.limit()) {
        chunk.clear().limit((int) Math.min(chunk.capacity(), source.size() - at));
        source.read(at, chunk);
        copy.put(chunk.flip());
      }
      copy.sealUnhashed();
      FileCommit.replace(List.of(copy));
    }
    return file;
  }
}
