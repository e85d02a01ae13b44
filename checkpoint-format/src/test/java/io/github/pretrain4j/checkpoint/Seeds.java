package io.github.pretrain4j.checkpoint;

import java.util.stream.LongStream;

/** Seeds of repeated tests; {@code -Dtest.seed=N} replays one. */
final class Seeds {
  private Seeds() {}

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 50) : LongStream.of(replay);
  }
}
