package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Assembles packed row-major bytes of a whole tensor from its chunks.
 *
 * <p>Bytes of an element count as one more, innermost axis. In a chunk, the axes that it covers
 * wholly and the one before them form runs that lie alike in the chunk and in the tensor. A chunk
 * of one run is read as it lies. The runs of others that a request needs are neighbours in the
 * chunk: they are read in big pieces and put in place one by one.
 */
final class ChunkedTensor {
  private static final int WINDOW_BYTES = 1 << 18;
  private static final int LONG_RUN_BYTES = 1 << 16;

  /** The packed bytes of one chunk. */
  @FunctionalInterface
  interface ChunkReader {
    void read(long byteOffset, ByteBuffer target) throws IOException;
  }

  /** A chunk in bytes. */
  private static final class Box {
    final ChunkReader reader;
    final long runBytes;
    final long runCount;

    /** Sizes of the axes before the run, and the tensor's strides of all axes up to it. */
    final long[] sizes;

    final long[] strides;
    final long start;
    final long end;

    Box(TensorInfo whole, Chunk chunk, ChunkReader reader) {
      this.reader = reader;
      int rank = whole.shape().size();
      long[] all = new long[rank];
      long stride = whole.type().bytes();
      for (int axis = rank - 1; axis >= 0; axis--) {
        all[axis] = stride;
        stride *= whole.shape().get(axis);
      }
      long run = whole.type().bytes();
      int outer = rank;
      while (outer > 0) {
        outer--;
        run *= chunk.sizes().get(outer);
        if (!chunk.sizes().get(outer).equals(whole.shape().get(outer))) {
          break;
        }
      }
      long offset = 0;
      for (int axis = 0; axis < rank; axis++) {
        offset += chunk.offsets().get(axis) * all[axis];
      }
      this.runBytes = run;
      this.sizes = new long[outer];
      this.strides = new long[outer];
      long count = 1;
      for (int axis = 0; axis < outer; axis++) {
        sizes[axis] = chunk.sizes().get(axis);
        strides[axis] = all[axis];
        count *= sizes[axis];
      }
      this.runCount = count;
      this.start = offset;
      this.end = runStart(count - 1) + run;
    }

    /** Where a run begins in the tensor. */
    long runStart(long run) {
      long at = start;
      for (int axis = sizes.length - 1; axis >= 0; axis--) {
        at += run % sizes[axis] * strides[axis];
        run /= sizes[axis];
      }
      return at;
    }

    /** The first run that ends behind {@code byteOffset}. */
    long firstRunBehind(long byteOffset) {
      long low = 0;
      long high = runCount;
      while (low < high) {
        long middle = (low + high) >>> 1;
        if (runStart(middle) + runBytes > byteOffset) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      return low;
    }
  }

  private final TensorInfo info;

  /** By first byte. */
  private final List<Box> boxes = new ArrayList<>();

  /** The largest end among the boxes up to each. */
  private final long[] ends;

  /** Chunks must tile the tensor; {@code readers} go with them. */
  ChunkedTensor(TensorInfo info, List<Chunk> chunks, List<? extends ChunkReader> readers) {
    this.info = info;
    for (int i = 0; i < chunks.size(); i++) {
      if (!chunks.get(i).sizes().contains(0L)) {
        boxes.add(new Box(info, chunks.get(i), readers.get(i)));
      }
    }
    boxes.sort(Comparator.comparingLong(box -> box.start));
    this.ends = new long[boxes.size()];
    long end = 0;
    for (int i = 0; i < ends.length; i++) {
      end = Math.max(end, boxes.get(i).end);
      ends[i] = end;
    }
  }

  /** Fills {@code target}, which must lie inside the tensor. */
  void read(long byteOffset, ByteBuffer target) throws IOException {
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    if (!target.hasRemaining()) {
      return;
    }
    long end = byteOffset + target.remaining();
    for (int i = firstBehind(byteOffset); i < ends.length && boxes.get(i).start < end; i++) {
      if (boxes.get(i).end > byteOffset) {
        copy(boxes.get(i), byteOffset, end, target);
      }
    }
    target.position(target.limit());
  }

  private int firstBehind(long byteOffset) {
    int low = 0;
    int high = ends.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (ends[middle] > byteOffset) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /** Puts a box's share of the tensor's bytes {@code from…to} where they belong in the target. */
  private static void copy(Box box, long from, long to, ByteBuffer target) throws IOException {
    long run = box.firstRunBehind(from);
    long endRun = box.firstRunBehind(to);
    if (endRun < box.runCount && box.runStart(endRun) < to) {
      endRun++;
    }
    if (box.runBytes >= LONG_RUN_BYTES || endRun - run == 1) {
      for (; run < endRun; run++) {
        long start = box.runStart(run);
        long first = Math.max(from, start);
        long last = Math.min(to, start + box.runBytes);
        box.reader.read(
            run * box.runBytes + first - start,
            target.slice(target.position() + (int) (first - from), (int) (last - first)));
      }
      return;
    }
    int perWindow = (int) (WINDOW_BYTES / box.runBytes);
    ByteBuffer window =
        ByteBuffer.allocate((int) (Math.min(perWindow, endRun - run) * box.runBytes));
    while (run < endRun) {
      int count = (int) Math.min(perWindow, endRun - run);
      window.clear().limit((int) (count * box.runBytes));
      box.reader.read(run * box.runBytes, window);
      for (int i = 0; i < count; i++, run++) {
        long start = box.runStart(run);
        long first = Math.max(from, start);
        int length = (int) (Math.min(to, start + box.runBytes) - first);
        target.put(
            target.position() + (int) (first - from),
            window,
            (int) (i * box.runBytes + first - start),
            length);
      }
    }
  }
}
