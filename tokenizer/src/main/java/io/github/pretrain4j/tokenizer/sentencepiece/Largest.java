package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/** Which numbers of a list are its largest; of equal ones, those that come first. */
final class Largest {
  private Largest() {}

  /** Marks the {@code count} largest values, or all if there are fewer. No value may be NaN. */
  static boolean[] of(double[] values, int count) {
    boolean[] marks = new boolean[values.length];
    if (count >= values.length) {
      Arrays.fill(marks, true);
      return marks;
    }
    if (count <= 0) {
      return marks;
    }
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double least = sorted[values.length - count];
    int spare = count;
    for (double value : values) {
      spare -= value > least ? 1 : 0;
    }
    for (int i = 0; i < values.length; i++) {
      marks[i] = values[i] > least || (values[i] == least && spare-- > 0);
    }
    return marks;
  }
}
