package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A whole file mapped read-only, of any size: little-endian values at any byte offset.
 *
 * <p>One mapping is limited to 2 GiB, so the file is mapped in chunks of 1 GiB. Each chunk's
 * mapping also covers the first {@value #OVERLAP} bytes of the next one, so that no value of up to
 * 8 bytes, however unaligned, is cut in two. A file of a few pages is read instead, which is
 * cheaper than a mapping. The channel is closed at once; Java 17 has no way to unmap, so the
 * collector does that when the object is unreachable. Thread-safe.
 */
public final class MappedFile implements RandomAccessBytes {
  private static final int CHUNK_SHIFT = 30;
  private static final int OVERLAP = 8;
  private static final int SMALL_BYTES = 1 << 14;

  private final Path path;
  private final long size;
  private final int chunkShift;
  private final ByteBuffer[] chunks;

  private MappedFile(Path path, long size, int chunkShift, ByteBuffer[] chunks) {
    this.path = path;
    this.size = size;
    this.chunkShift = chunkShift;
    this.chunks = chunks;
  }

  /** Maps a file. */
  public static MappedFile open(Path path) throws IOException {
    return open(path, CHUNK_SHIFT);
  }

  /** For tests: with chunks of {@code 1 << chunkShift} bytes. */
  public static MappedFile open(Path path, int chunkShift) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      long chunkBytes = 1L << chunkShift;
      if (size <= SMALL_BYTES && size <= chunkBytes) {
        ByteBuffer small = ByteBuffer.allocate((int) size).order(ByteOrder.LITTLE_ENDIAN);
        while (small.hasRemaining() && channel.read(small) >= 0) {
          // one call is enough, unless the file is being written
        }
        small.flip();
        return new MappedFile(path, small.limit(), chunkShift, new ByteBuffer[] {small});
      }
      ByteBuffer[] chunks = new ByteBuffer[Math.toIntExact((size + chunkBytes - 1) >> chunkShift)];
      for (int i = 0; i < chunks.length; i++) {
        long start = (long) i << chunkShift;
        long length = Math.min(chunkBytes + OVERLAP, size - start);
        chunks[i] =
            channel
                .map(FileChannel.MapMode.READ_ONLY, start, length)
                .order(ByteOrder.LITTLE_ENDIAN);
      }
      return new MappedFile(path, size, chunkShift, chunks);
    } catch (NoSuchFileException e) {
      NoSuchFileException missing = new NoSuchFileException(path.toString(), null, "no such file");
      missing.initCause(e);
      throw missing;
    }
  }

  /** The file. */
  public Path path() {
    return path;
  }

  @Override
  public String location() {
    return path.toString();
  }

  @Override
  public long size() {
    return size;
  }

  /** The byte at this byte offset. */
  public byte getByte(long offset) {
    return chunk(offset).get(inChunk(offset));
  }

  /** The int at this byte offset. */
  public int getInt(long offset) {
    return chunk(offset).getInt(inChunk(offset));
  }

  /** The long at this byte offset. */
  public long getLong(long offset) {
    return chunk(offset).getLong(inChunk(offset));
  }

  /** The ints from this byte offset on, which the caller knows to lie inside the file. */
  public void getInts(long offset, int[] target, int targetOffset, int count) {
    long position = offset;
    int done = 0;
    while (done < count) {
      // The last one of a chunk may reach into the overlap.
      long whole = (chunkEnd(position) - position + Integer.BYTES - 1) / Integer.BYTES;
      int some = (int) Math.min(count - done, whole);
      chunk(position)
          .slice(inChunk(position), Integer.BYTES * some)
          .order(ByteOrder.LITTLE_ENDIAN)
          .asIntBuffer()
          .get(target, targetOffset + done, some);
      done += some;
      position += (long) Integer.BYTES * some;
    }
  }

  /** The bytes from this offset on, which the caller knows to lie inside the first chunk. */
  public void copy(int offset, byte[] target) {
    chunks[0].get(offset, target);
  }

  /**
   * The little-endian chunk that holds this offset, at index {@link #inChunk}. Values that begin
   * before {@link #chunkEnd} can be read from it whole.
   */
  @Override
  public ByteBuffer chunk(long offset) {
    return chunks[Math.toIntExact(offset >> chunkShift)];
  }

  @Override
  public int inChunk(long offset) {
    return (int) (offset & ((1L << chunkShift) - 1));
  }

  @Override
  public long chunkEnd(long offset) {
    return Math.min(((offset >> chunkShift) + 1) << chunkShift, size);
  }
}
