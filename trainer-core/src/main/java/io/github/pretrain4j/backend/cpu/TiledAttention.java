package io.github.pretrain4j.backend.cpu;

import static io.github.pretrain4j.backend.cpu.ScalarRows.get;
import static io.github.pretrain4j.backend.cpu.ScalarRows.set;

import io.github.pretrain4j.backend.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Attention in blocks of query rows of one head. A block's scores over all keys it sees are one
 * tile; nothing larger than two tiles per thread is kept, whatever the number of tokens.
 *
 * <pre>
 * forward, per block   S = Q K'    P = softmax(S / sqrt(K)), keeping log-sum-exp    Y = P V
 * backward, per block  S = Q K'    P = exp(S / sqrt(K) - lse)                       dV += P' dY
 *                      dP = dY V'  dS = P (dP - rowsum(dY Y)) / sqrt(K)             dQ = dS K    dK += dS' Q
 * </pre>
 *
 * <p>The backward pass runs a head's blocks in order in one thread, into keys and values of that
 * head's own; a second pass adds up the heads of a group in order.
 *
 * @see <a href="https://arxiv.org/abs/2205.14135">Dao et al., 2022</a>
 */
final class TiledAttention implements AutoCloseable {
  private static final int BLOCK_ROWS = 128;

  /** Fewer queries than this (a token being generated) are not worth a matrix product. */
  private static final int FEW_ROWS = 8;

  /**
   * First keys of a window's blocks are cut to multiples of this, for fewer distinct tile sizes.
   */
  private static final int KEY_ALIGNMENT = 64;

  private final RowKernels rows;
  private final TileGemm gemm;
  private final WorkerPool pool;
  private final List<ScratchMemory> tiles; // one per thread
  private final ScratchMemory headGradients = new ScratchMemory();

  TiledAttention(RowKernels rows, TileGemm gemm, WorkerPool pool) {
    this.rows = rows;
    this.gemm = gemm;
    this.pool = pool;
    this.tiles = Stream.generate(ScratchMemory::new).limit(pool.threads()).toList();
  }

  long scratchBytes() {
    return headGradients.byteCount() + tiles.stream().mapToLong(ScratchMemory::byteCount).sum();
  }

  /** The query rows of a block and the keys any of them sees. */
  private record Tile(int firstRow, int rowCount, int firstKey, int keyCount) {
    static Tile of(AttentionShape shape, int block) {
      int firstRow = block * BLOCK_ROWS;
      int rowCount = Math.min(BLOCK_ROWS, shape.queryLength() - firstRow);
      int firstPosition = shape.queryOffset() + firstRow;
      int firstKey = shape.firstKey(firstPosition) / KEY_ALIGNMENT * KEY_ALIGNMENT;
      return new Tile(firstRow, rowCount, firstKey, firstPosition + rowCount - firstKey);
    }

    static int count(AttentionShape shape) {
      return Math.ceilDiv(shape.queryLength(), BLOCK_ROWS);
    }

    long elements() {
      return (long) rowCount * keyCount;
    }

    /** Index in the tile's row {@code r} of the first key that the row sees. */
    int visibleFrom(AttentionShape shape, int r) {
      return shape.firstKey(shape.queryOffset() + firstRow + r) - firstKey;
    }

    int visibleTo(AttentionShape shape, int r) {
      return shape.queryOffset() + firstRow + r - firstKey + 1;
    }
  }

  void forward(
      AttentionShape shape,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse) {
    int heads = shape.batch() * shape.heads();
    if (shape.queryLength() < FEW_ROWS) {
      pool.run(
          heads,
          (participant, block) ->
              fewRows(
                  participant,
                  shape,
                  block / shape.heads(),
                  block % shape.heads(),
                  qkv,
                  keyValues,
                  y,
                  lse));
      return;
    }
    int blocks = Tile.count(shape);
    pool.run(
        heads * blocks,
        (participant, task) -> {
          int head = task % heads;
          Tile tile = Tile.of(shape, blocks - 1 - task / heads); // the long ones first
          forwardTile(
              participant,
              shape,
              head / shape.heads(),
              head % shape.heads(),
              tile,
              qkv,
              keyValues,
              y,
              lse);
        });
  }

  private void fewRows(
      int participant,
      AttentionShape shape,
      int sequence,
      int head,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse) {
    int width = shape.headWidth();
    int group = head / shape.headsPerGroup();
    float scale = scale(shape);
    MemorySegment scores = tiles.get(participant).floats(shape.keyLength());
    for (int row = 0; row < shape.queryLength(); row++) {
      int position = shape.queryOffset() + row;
      int first = shape.firstKey(position);
      long query = KeyValues.query(shape, sequence, row, head);
      for (int j = first; j <= position; j++) {
        long key = keyValues.key(sequence, j, group);
        set(scores, j - first, rows.dot(qkv, query, keyValues.segment(), key, width));
      }
      float logSumExp = rows.softmax(scores, 0, position - first + 1, scale);
      long output = KeyValues.output(shape, sequence, row, head);
      rows.fill(y, output, output + width, 0);
      for (int j = first; j <= position; j++) {
        long value = keyValues.value(sequence, j, group);
        rows.addScaled(keyValues.segment(), value, get(scores, j - first), y, output, width);
      }
      if (lse != null) {
        set(lse, KeyValues.logSumExp(shape, sequence, row, head), logSumExp);
      }
    }
  }

  private void forwardTile(
      int participant,
      AttentionShape shape,
      int sequence,
      int head,
      Tile tile,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse) {
    MemorySegment p = tiles.get(participant).floats(tile.elements());
    scores(participant, shape, sequence, head, tile, qkv, keyValues, p);
    for (int r = 0; r < tile.rowCount(); r++) {
      long start = (long) r * tile.keyCount();
      int from = tile.visibleFrom(shape, r);
      int to = tile.visibleTo(shape, r);
      float logSumExp = rows.softmax(p, start + from, to - from, scale(shape));
      rows.fill(p, start, start + from, 0);
      rows.fill(p, start + to, start + tile.keyCount(), 0);
      if (lse != null) {
        set(lse, KeyValues.logSumExp(shape, sequence, tile.firstRow() + r, head), logSumExp);
      }
    }
    int width = shape.headWidth();
    gemm.multiply(
        participant,
        false,
        false,
        tile.rowCount(),
        width,
        tile.keyCount(),
        p,
        0,
        tile.keyCount(),
        keyValues.segment(),
        keyValues.value(sequence, tile.firstKey(), head / shape.headsPerGroup()),
        Math.toIntExact(keyValues.rowStride()),
        false,
        y,
        KeyValues.output(shape, sequence, tile.firstRow(), head),
        shape.outputWidth());
  }

  /** S = Q K' of a tile. */
  private void scores(
      int participant,
      AttentionShape shape,
      int sequence,
      int head,
      Tile tile,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment scores) {
    gemm.multiply(
        participant,
        false,
        true,
        tile.rowCount(),
        tile.keyCount(),
        shape.headWidth(),
        qkv,
        KeyValues.query(shape, sequence, tile.firstRow(), head),
        shape.fusedWidth(),
        keyValues.segment(),
        keyValues.key(sequence, tile.firstKey(), head / shape.headsPerGroup()),
        Math.toIntExact(keyValues.rowStride()),
        false,
        scores,
        0,
        tile.keyCount());
  }

  void backward(
      AttentionShape shape,
      MemorySegment dy,
      MemorySegment qkv,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment dQkv) {
    long perHead = 2L * shape.headWidth() * shape.keyLength(); // [T, 2, K]
    int heads = shape.batch() * shape.heads();
    MemorySegment dKeyValues = headGradients.floats(heads * perHead);
    pool.run(
        heads,
        (participant, block) -> {
          int sequence = block / shape.heads();
          int head = block % shape.heads();
          long offset = block * perHead;
          rows.fill(dKeyValues, offset, offset + perHead, 0);
          for (int i = 0; i < Tile.count(shape); i++) {
            backwardTile(
                participant,
                shape,
                sequence,
                head,
                Tile.of(shape, i),
                dy,
                qkv,
                y,
                lse,
                dQkv,
                dKeyValues,
                offset);
          }
        });
    addUpGroups(shape, dKeyValues, perHead, dQkv);
  }

  private void backwardTile(
      int participant,
      AttentionShape shape,
      int sequence,
      int head,
      Tile tile,
      MemorySegment dy,
      MemorySegment qkv,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment dQkv,
      MemorySegment dKeyValues,
      long dKeyValuesOffset) {
    KeyValues keyValues = KeyValues.inFused(shape, qkv);
    int group = head / shape.headsPerGroup();
    int width = shape.headWidth();
    int fused = shape.fusedWidth();
    int output = shape.outputWidth();
    int n = tile.rowCount();
    int keys = tile.keyCount();
    MemorySegment scratch = tiles.get(participant).floats(2 * tile.elements());
    MemorySegment p = scratch.asSlice(0, tile.elements() * Float.BYTES);
    MemorySegment ds =
        scratch.asSlice(tile.elements() * Float.BYTES, tile.elements() * Float.BYTES);
    long query = KeyValues.query(shape, sequence, tile.firstRow(), head);
    long out = KeyValues.output(shape, sequence, tile.firstRow(), head);
    long key = keyValues.key(sequence, tile.firstKey(), group);
    long value = keyValues.value(sequence, tile.firstKey(), group);
    long dKey = dKeyValuesOffset + 2L * width * tile.firstKey();
    long dValue = dKey + width;

    scores(participant, shape, sequence, head, tile, qkv, keyValues, p);
    probabilities(shape, sequence, head, tile, p, lse);
    gemm.multiply(
        participant,
        true,
        false,
        keys,
        width,
        n,
        p,
        0,
        keys,
        dy,
        out,
        output,
        true,
        dKeyValues,
        dValue,
        2 * width);
    gemm.multiply(
        participant,
        false,
        true,
        n,
        keys,
        width,
        dy,
        out,
        output,
        qkv,
        value,
        fused,
        false,
        ds,
        0,
        keys);
    for (int r = 0; r < n; r++) {
      long start = out + (long) r * output;
      float delta = rows.dot(dy, start, y, start, width);
      rows.softmaxBackward(p, ds, (long) r * keys, keys, scale(shape), delta);
    }
    gemm.multiply(
        participant,
        false,
        false,
        n,
        width,
        keys,
        ds,
        0,
        keys,
        qkv,
        key,
        fused,
        false,
        dQkv,
        query,
        fused);
    gemm.multiply(
        participant,
        true,
        false,
        keys,
        width,
        n,
        ds,
        0,
        keys,
        qkv,
        query,
        fused,
        true,
        dKeyValues,
        dKey,
        2 * width);
  }

  private void probabilities(
      AttentionShape shape, int sequence, int head, Tile tile, MemorySegment p, MemorySegment lse) {
    for (int r = 0; r < tile.rowCount(); r++) {
      long start = (long) r * tile.keyCount();
      int from = tile.visibleFrom(shape, r);
      int to = tile.visibleTo(shape, r);
      float logSumExp = get(lse, KeyValues.logSumExp(shape, sequence, tile.firstRow() + r, head));
      rows.probabilities(p, start + from, to - from, scale(shape), logSumExp);
      rows.fill(p, start, start + from, 0);
      rows.fill(p, start + to, start + tile.keyCount(), 0);
    }
  }

  /** Adds the key and value gradients of a group's heads, in order, into the fused QKV's. */
  private void addUpGroups(
      AttentionShape shape, MemorySegment dKeyValues, long perHead, MemorySegment dQkv) {
    int pair = 2 * shape.headWidth();
    KeyValues target = KeyValues.inFused(shape, dQkv);
    pool.run(
        shape.batch() * shape.queryGroups(),
        (participant, block) -> {
          int sequence = block / shape.queryGroups();
          int group = block % shape.queryGroups();
          long firstHead = (long) sequence * shape.heads() + (long) group * shape.headsPerGroup();
          for (int j = 0; j < shape.keyLength(); j++) {
            long to = target.key(sequence, j, group); // the value head follows the key head
            rows.fill(dQkv, to, to + pair, 0);
            for (int r = 0; r < shape.headsPerGroup(); r++) {
              long from = (firstHead + r) * perHead + (long) j * pair;
              rows.addScaled(dKeyValues, from, 1, dQkv, to, pair);
            }
          }
        });
  }

  private static float scale(AttentionShape shape) {
    return (float) (1 / Math.sqrt(shape.headWidth()));
  }

  @Override
  public void close() {
    headGradients.close();
    tiles.forEach(ScratchMemory::close);
  }
}
