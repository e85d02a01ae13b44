package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AttentionShape;
import java.lang.foreign.MemorySegment;

/**
 * Where the key and value heads are: at {@code keyOffset} (or {@code valueOffset}) {@code +
 * sequence * batchStride + position * rowStride + group * groupStride}, all in elements.
 */
record KeyValues(
    MemorySegment segment,
    long keyOffset,
    long valueOffset,
    long batchStride,
    long rowStride,
    long groupStride) {

  /** Inside a fused QKV, behind each group's query heads. */
  static KeyValues inFused(AttentionShape shape, MemorySegment qkvNW) {
    long width = shape.headWidth();
    long row = shape.fusedWidth();
    long keys = shape.headsPerGroup() * width;
    return new KeyValues(
        qkvNW,
        keys,
        keys + width,
        shape.keyLength() * row,
        row,
        (shape.headsPerGroup() + 2) * width);
  }

  /** In a cache of [B, C, G, 2, K]. */
  static KeyValues inCache(AttentionShape shape, MemorySegment cacheBCG2K, int capacity) {
    long width = shape.headWidth();
    long row = 2 * width * shape.queryGroups();
    return new KeyValues(cacheBCG2K, 0, width, capacity * row, row, 2 * width);
  }

  long key(int sequence, int position, int group) {
    return keyOffset + sequence * batchStride + position * rowStride + group * groupStride;
  }

  long value(int sequence, int position, int group) {
    return valueOffset + sequence * batchStride + position * rowStride + group * groupStride;
  }

  /** Where query head {@code head} of a fused QKV's row starts. */
  static long query(AttentionShape shape, int sequence, int row, int head) {
    long group = head / shape.headsPerGroup();
    long inGroup = head % shape.headsPerGroup();
    long fusedRow = ((long) sequence * shape.queryLength() + row) * shape.fusedWidth();
    return fusedRow + (group * (shape.headsPerGroup() + 2) + inGroup) * shape.headWidth();
  }

  /** Where query head {@code head} of an output row starts. */
  static long output(AttentionShape shape, int sequence, int row, int head) {
    return ((long) sequence * shape.queryLength() + row) * shape.outputWidth()
        + (long) head * shape.headWidth();
  }

  /** Where the log-sum-exp of a query is, in [B, H, T]. */
  static long logSumExp(AttentionShape shape, int sequence, int row, int head) {
    return ((long) sequence * shape.heads() + head) * shape.queryLength() + row;
  }
}
