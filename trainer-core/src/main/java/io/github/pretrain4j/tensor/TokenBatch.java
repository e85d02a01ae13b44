package io.github.pretrain4j.tensor;

import java.util.Objects;

/**
 * Token ids of {@code batch} sequences of {@code length} tokens, and the position of each: both [B,
 * T], row-major. The arrays are not copied and must not change until the tape they were used on is
 * reset.
 */
public final class TokenBatch {
  private final int batch;
  private final int length;
  private final int[] tokensBT;
  private final int[] positionsBT;

  /** A batch with positions of its own, such as those that restart after an eod. */
  public TokenBatch(int batch, int length, int[] tokensBT, int[] positionsBT) {
    long elements = (long) batch * length;
    if (batch < 1 || length < 1 || tokensBT.length != elements || positionsBT.length != elements) {
      throw new IllegalArgumentException(
          "token batch of "
              + batch
              + " x "
              + length
              + " with "
              + tokensBT.length
              + " tokens and "
              + positionsBT.length
              + " positions");
    }
    this.batch = batch;
    this.length = length;
    this.tokensBT = tokensBT;
    this.positionsBT = positionsBT;
  }

  /** Positions counted from 0 in every sequence. */
  public static TokenBatch of(int batch, int length, int[] tokensBT) {
    return continuing(batch, length, tokensBT, 0);
  }

  /**
   * Positions counted from {@code firstPosition}: the next tokens of sequences that a {@link
   * KvCache} remembers.
   */
  public static TokenBatch continuing(int batch, int length, int[] tokensBT, int firstPosition) {
    Objects.checkIndex(0, batch);
    int[] positions = new int[Math.multiplyExact(batch, length)];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = firstPosition + i % length;
    }
    return new TokenBatch(batch, length, tokensBT, positions);
  }

  /** B. */
  public int batch() {
    return batch;
  }

  /** T. */
  public int length() {
    return length;
  }

  int[] tokensBT() {
    return tokensBT;
  }

  int[] positionsBT() {
    return positionsBT;
  }
}
