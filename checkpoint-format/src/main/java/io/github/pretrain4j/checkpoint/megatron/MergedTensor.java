package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A whole tensor read from its shards, the same number of bytes in each.
 *
 * @param shards the packed bytes of each rank's part
 * @param places the names of their ranks' directories
 * @param replicas further copies of shards
 */
record MergedTensor(
    TensorInfo info,
    ShardRule rule,
    List<TransposedRange.Bytes> shards,
    List<String> places,
    List<Replica> replicas) {
  /** Rows are gathered in pieces of about this many bytes. */
  private static final int WINDOW_BYTES = 1 << 18;

  private static final int COMPARE_BYTES = 1 << 20;

  /** A shard that lies in two files. */
  record Replica(
      String name,
      long byteCount,
      String firstPlace,
      TransposedRange.Bytes first,
      String place,
      TransposedRange.Bytes copy) {

    /** What to say if the copies are not the same; null if they are. */
    @Nullable String difference() throws IOException {
      ByteBuffer one = ByteBuffer.allocate((int) Math.min(COMPARE_BYTES, byteCount));
      ByteBuffer two = ByteBuffer.allocate(one.capacity());
      for (long offset = 0; offset < byteCount; offset += one.limit()) {
        int length = (int) Math.min(one.capacity(), byteCount - offset);
        first.read(offset, one.clear().limit(length));
        copy.read(offset, two.clear().limit(length));
        int at = one.flip().mismatch(two.flip());
        if (at >= 0) {
          return name
              + " differs between "
              + firstPlace
              + " and "
              + place
              + ", from byte "
              + (offset + at)
              + " of the shard on";
        }
      }
      return null;
    }
  }

  /** Copies the lists. */
  MergedTensor {
    shards = List.copyOf(shards);
    places = List.copyOf(places);
    replicas = List.copyOf(replicas);
  }

  /** Collects the shards of one tensor. */
  static final class Builder {
    private final String name;
    private final DataType type;
    private final RankParameter.Piece first;
    private final int chunk;
    private final List<TransposedRange.@Nullable Bytes> shards = new ArrayList<>();
    private final List<String> places = new ArrayList<>();
    private final List<Replica> replicas = new ArrayList<>();

    /** For a tensor of which {@code first} is the first piece found, in that chunk of layers. */
    Builder(String name, DataType type, RankParameter.Piece first, int chunk) {
      this.name = name;
      this.type = type;
      this.first = first;
      this.chunk = chunk;
      for (int i = 0; i < first.ranks(); i++) {
        shards.add(null);
        places.add("");
      }
    }

    int chunk() {
      return chunk;
    }

    /** Adds a shard; says what is wrong with it, or null. */
    @Nullable String add(
        RankParameter.Piece piece, DataType foundType, String place, TransposedRange.Bytes bytes) {
      if (foundType != type
          || piece.rule() != first.rule()
          || !piece.shape().equals(first.shape())) {
        return "tensor "
            + name
            + " is "
            + type
            + " "
            + first.shape()
            + " in "
            + places.stream().filter(text -> !text.isEmpty()).findFirst().orElse("")
            + ", "
            + foundType
            + " "
            + piece.shape()
            + " in "
            + place;
      }
      TransposedRange.Bytes there = shards.get(piece.rank());
      if (there == null) {
        shards.set(piece.rank(), bytes);
        places.set(piece.rank(), place);
      } else {
        long size = piece.elementCount() * type.bytes();
        replicas.add(new Replica(name, size, places.get(piece.rank()), there, place, bytes));
      }
      return null;
    }

    List<Integer> missing() {
      List<Integer> missing = new ArrayList<>();
      for (int i = 0; i < shards.size(); i++) {
        if (shards.get(i) == null) {
          missing.add(i);
        }
      }
      return missing;
    }

    MergedTensor build() {
      List<TransposedRange.Bytes> all = new ArrayList<>();
      for (TransposedRange.@Nullable Bytes shard : shards) {
        if (shard == null) {
          throw new IllegalStateException(name + " lacks the shards " + missing());
        }
        all.add(shard);
      }
      List<Long> shape = first.rule().whole(first.shape(), first.ranks());
      return new MergedTensor(
          new TensorInfo(name, type, shape), first.rule(), all, places, replicas);
    }
  }

  MergedTensor withName(String name) {
    return new MergedTensor(info.withName(name), rule, shards, places, replicas);
  }

  /** Places that hold any of these rows, copies included. */
  Set<String> placesOf(long firstRow, long rowCount) {
    Set<String> found = new LinkedHashSet<>();
    long runs = rule == ShardRule.GATED_ROWS ? 2L * shards.size() : shards.size();
    if (shards.size() == 1 || rule == ShardRule.REPLICATED || rule == ShardRule.COLUMNS) {
      found.addAll(places);
    } else {
      long runRows = info.shape().get(0) / runs;
      for (long run = firstRow / runRows; run * runRows < firstRow + rowCount; run++) {
        found.add(places.get((int) (run % shards.size())));
      }
    }
    for (Replica replica : replicas) {
      if (found.contains(replica.firstPlace())) {
        found.add(replica.place());
      }
    }
    return found;
  }

  void read(long byteOffset, ByteBuffer target) throws IOException {
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    if (shards.size() == 1) {
      shards.get(0).read(byteOffset, target);
      return;
    }
    switch (rule) {
      case REPLICATED -> shards.get(0).read(byteOffset, target);
      case ROWS -> readRuns(1, byteOffset, target);
      case GATED_ROWS -> readRuns(2, byteOffset, target);
      case COLUMNS -> readColumns(byteOffset, target);
    }
  }

  /** The whole is {@code parts} blocks, each of which has a run from every shard. */
  private void readRuns(int parts, long byteOffset, ByteBuffer target) throws IOException {
    int limit = target.limit();
    int ranks = shards.size();
    long runBytes = info.byteCount() / ranks / parts;
    long position = byteOffset;
    while (target.position() < limit) {
      int run = Math.toIntExact(position / runBytes);
      long into = position % runBytes;
      int length = (int) Math.min(limit - target.position(), runBytes - into);
      target.limit(target.position() + length);
      shards.get(run % ranks).read(run / ranks * runBytes + into, target);
      target.limit(limit);
      position += length;
    }
  }

  private void readColumns(long byteOffset, ByteBuffer target) throws IOException {
    if (!target.hasRemaining()) {
      return;
    }
    long rowBytes = info.byteCount() / info.shape().get(0);
    int pieceBytes = Math.toIntExact(rowBytes / shards.size());
    long end = byteOffset + target.remaining();
    int start = target.position();
    long windowRows = Math.max(1, WINDOW_BYTES / pieceBytes);
    long lastRow = (end - 1) / rowBytes;
    for (long first = byteOffset / rowBytes; first <= lastRow; first += windowRows) {
      int rows = (int) Math.min(windowRows, lastRow - first + 1);
      ByteBuffer window = ByteBuffer.allocate(Math.multiplyExact(rows, pieceBytes));
      for (int rank = 0; rank < shards.size(); rank++) {
        shards.get(rank).read(first * pieceBytes, window.clear());
        for (int row = 0; row < rows; row++) {
          long pieceStart = (first + row) * rowBytes + (long) rank * pieceBytes;
          long from = Math.max(pieceStart, byteOffset);
          long to = Math.min(pieceStart + pieceBytes, end);
          if (from < to) {
            target.put(
                (int) (start + from - byteOffset),
                window,
                (int) ((long) row * pieceBytes + from - pieceStart),
                (int) (to - from));
          }
        }
      }
    }
    target.position(target.limit());
  }
}
