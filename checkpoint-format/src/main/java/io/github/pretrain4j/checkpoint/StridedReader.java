package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads views of storages as packed row-major little-endian data. Thread-safe.
 *
 * <p>The packed suffix of a view's dimensions forms runs that are read as they lie. Short runs (a
 * transposed matrix has runs of one element) are gathered from a copy of the part of the storage
 * that the view touches; the last copy is kept, since a caller usually reads a tensor in pieces. A
 * part too big to copy is mapped, and one too big to map is read run by run.
 */
final class StridedReader {
  private static final int LONG_RUN_BYTES = 4096;
  private static final long MAX_COPY_BYTES = 16 << 20;
  private static final long MAX_WINDOW_BYTES = Integer.MAX_VALUE;

  private final FileBytes bytes;
  private final boolean bigEndian;
  private volatile @Nullable Window last;

  /** Bytes {@code offset…} of the file. */
  private record Window(long offset, ByteBuffer data) {
    boolean covers(long start, long end) {
      return start >= offset && end <= offset + data.limit();
    }
  }

  StridedReader(FileBytes bytes, boolean bigEndian) {
    this.bytes = bytes;
    this.bigEndian = bigEndian;
  }

  /** Reads packed bytes {@code byteOffset…}; the range has been checked. */
  void read(TensorReference tensor, long storageOffset, long byteOffset, ByteBuffer target)
      throws IOException {
    if (bigEndian && tensor.type().bytes() > 1) {
      readSwapped(tensor, storageOffset, byteOffset, target);
    } else {
      readRuns(tensor, storageOffset, byteOffset, target);
    }
  }

  private void readRuns(
      TensorReference tensor, long storageOffset, long byteOffset, ByteBuffer target)
      throws IOException {
    int width = tensor.type().bytes();
    long start = storageOffset + tensor.storageOffset() * width;
    if (tensor.isContiguous()) {
      bytes.read(start + byteOffset, target);
      return;
    }
    long runBytes = packedRun(tensor) * width;
    Window window = runBytes >= LONG_RUN_BYTES ? null : window(tensor, start);
    int end = target.limit();
    while (target.position() < end) {
      long run = byteOffset / runBytes;
      long inRun = byteOffset % runBytes;
      int count = (int) Math.min(runBytes - inRun, end - target.position());
      long at = start + runOffset(tensor, run * (runBytes / width)) * width + inRun;
      if (window == null) {
        target.limit(target.position() + count);
        bytes.read(at, target);
        target.limit(end);
      } else {
        copy(window, at, count, target);
      }
      byteOffset += count;
    }
  }

  /** A mapped page that the file has lost since, or that the disk cannot read, is an Error. */
  private void copy(Window window, long at, int count, ByteBuffer target) throws IOException {
    try {
      target.put(window.data().slice((int) (at - window.offset()), count));
    } catch (InternalError e) {
      throw (CorruptCheckpointException)
          bytes.corrupt(at, "data", count + " bytes", "none any more").initCause(e);
    }
  }

  /** Elements of the longest suffix of dimensions that lies packed. */
  private static long packedRun(TensorReference tensor) {
    long run = 1;
    for (int i = tensor.shape().size() - 1; i >= 0; i--) {
      long size = tensor.shape().get(i);
      if (size != 1) {
        if (tensor.strides().get(i) != run) {
          break;
        }
        run *= size;
      }
    }
    return run;
  }

  /**
   * Storage elements between the view's first element and its {@code element}th in row-major order.
   */
  private static long runOffset(TensorReference tensor, long element) {
    List<Long> shape = tensor.shape();
    long offset = 0;
    for (int i = shape.size() - 1; i >= 0 && element > 0; i--) {
      offset += element % shape.get(i) * tensor.strides().get(i);
      element /= shape.get(i);
    }
    return offset;
  }

  private @Nullable Window window(TensorReference tensor, long start) throws IOException {
    long end = start + (runOffset(tensor, tensor.elementCount() - 1) + 1) * tensor.type().bytes();
    Window kept = last;
    if (kept != null && kept.covers(start, end)) {
      return kept;
    }
    if (end - start > MAX_WINDOW_BYTES) {
      return null;
    }
    int length = (int) (end - start);
    ByteBuffer data =
        length <= MAX_COPY_BYTES ? bytes.read(start, length) : bytes.map(start, length);
    Window window = new Window(start, data);
    last = window;
    return window;
  }

  /** Reads whole elements, turns them round, and hands out the part that was asked for. */
  private void readSwapped(
      TensorReference tensor, long storageOffset, long byteOffset, ByteBuffer target)
      throws IOException {
    int width = tensor.type().bytes();
    int component = tensor.type().isComplex() ? width / 2 : width;
    byte[] piece = new byte[1 << 16];
    while (target.hasRemaining()) {
      int skip = (int) (byteOffset % width);
      int wanted = Math.min(target.remaining(), piece.length - width - skip);
      int length = (skip + wanted + width - 1) / width * width;
      readRuns(tensor, storageOffset, byteOffset - skip, ByteBuffer.wrap(piece, 0, length));
      for (int at = 0; at < length; at += component) {
        for (int i = at, j = at + component - 1; i < j; i++, j--) {
          byte swap = piece[i];
          piece[i] = piece[j];
          piece[j] = swap;
        }
      }
      target.put(piece, skip, wanted);
      byteOffset += wanted;
    }
  }
}
