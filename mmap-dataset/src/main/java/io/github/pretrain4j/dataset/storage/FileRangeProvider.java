package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;

/** Local files as byte ranges: {@code file://} and an absolute path, as it is, nothing escaped. */
public final class FileRangeProvider implements ByteRangeSourceProvider {
  private static final String PREFIX = "file://";

  /** For the service loader. */
  public FileRangeProvider() {}

  @Override
  public String scheme() {
    return "file";
  }

  @Override
  public ByteRangeSource open(String location) throws IOException {
    if (!location.startsWith(PREFIX + "/")) {
      throw new IllegalArgumentException(location + ": expected file:// and an absolute path");
    }
    Path path = Path.of(location.substring(PREFIX.length()));
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      return new Source(location, path, channel, channel.size(), stamp(path));
    } catch (NoSuchFileException e) {
      throw new ObjectStorageException(
          ObjectStorageException.Kind.NOT_FOUND, location, 0, "no such file", e);
    }
  }

  private static String stamp(Path path) throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
    return attributes.lastModifiedTime() + " " + attributes.size() + " " + attributes.fileKey();
  }

  private record Source(String location, Path path, FileChannel channel, long size, String version)
      implements ByteRangeSource {
    @Override
    public void read(long byteOffset, ByteBuffer target) throws IOException {
      Objects.checkFromIndexSize(byteOffset, target.remaining(), size);
      long at = byteOffset;
      try {
        while (target.hasRemaining()) {
          int count = channel.read(target, at);
          if (count < 0) {
            throw new ObjectStorageException(
                ObjectStorageException.Kind.CHANGED,
                location,
                byteOffset,
                "the file was cut to " + at + " bytes",
                null);
          }
          at += count;
        }
      } catch (ClosedChannelException e) {
        throw new IllegalStateException(location + " is closed", e);
      }
      if (!stamp(path).equals(version)) {
        throw new ObjectStorageException(
            ObjectStorageException.Kind.CHANGED,
            location,
            byteOffset,
            "the file is no longer the one that was opened",
            null);
      }
    }

    @Override
    public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
