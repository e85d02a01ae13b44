package io.github.pretrain4j.checkpoint.megatron;

import java.util.Comparator;

/** A model parallel rank: what names its file. */
record Rank(int tensor, int pipeline, int expert) implements Comparable<Rank> {
  private static final Comparator<Rank> ORDER =
      Comparator.comparingInt(Rank::pipeline)
          .thenComparingInt(Rank::expert)
          .thenComparingInt(Rank::tensor);

  @Override
  public int compareTo(Rank other) {
    return ORDER.compare(this, other);
  }
}
