package io.github.pretrain4j.dataset.gpt;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which share of a dataset's sequences is for train, valid and test, from a string such as {@code
 * "969,30,1"}; the same numbers to the last bit as Megatron.
 */
final class SplitMatrix {
  private static final Pattern NUMBER = Pattern.compile("[.0-9]+");
  private static final int SPLITS = 3;

  /**
   * One split's share of the sequences.
   *
   * @param begin where it begins, 0 to 1
   * @param end where it ends
   * @param beginsAsInteger whether Python's {@code begin} is the integer 0, which prints without a
   *     point
   */
  record Share(double begin, double end, boolean beginsAsInteger) {
    /** Its first sequence of {@code count}. */
    long first(long count) {
      return (long) Math.rint(begin * (double) count);
    }

    /** The sequence after its last one. */
    long last(long count) {
      return (long) Math.rint(end * (double) count);
    }
  }

  /** A whole dataset. */
  static final Share ALL = new Share(0, 1, false);

  private final List<@Nullable Share> shares;

  private SplitMatrix(List<@Nullable Share> shares) {
    this.shares = shares;
  }

  /** Reads the numbers in a string, whatever separates them. */
  static SplitMatrix parse(String split) {
    List<Double> weights = new ArrayList<>();
    Matcher matcher = NUMBER.matcher(split);
    while (matcher.find()) {
      try {
        weights.add(Double.valueOf(matcher.group()));
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            "no number in split \"" + split + "\": " + e.getMessage(), e);
      }
    }
    if (weights.size() > SPLITS) {
      throw new IllegalArgumentException("more than three numbers in split \"" + split + "\"");
    }
    while (weights.size() < SPLITS) {
      weights.add(0.0);
    }
    double sum = weights.get(0) + weights.get(1) + weights.get(2);
    if (!(sum > 0) || Double.isInfinite(sum)) {
      throw new IllegalArgumentException("no positive share in split \"" + split + "\"");
    }
    List<@Nullable Share> shares = new ArrayList<>();
    double begin = 0;
    boolean integer = true;
    for (double weight : weights) {
      double end = begin + weight / sum;
      shares.add(end <= begin ? null : new Share(begin, end, integer));
      begin = end;
      integer = false;
    }
    return new SplitMatrix(shares);
  }

  /** The share of split 0, 1 or 2; null if it has none. */
  @Nullable Share share(int split) {
    return shares.get(split);
  }

  /** Appends the value of {@code split_matrix} in a description. */
  void describe(PythonJson out) {
    out.beginArray();
    for (Share share : shares) {
      if (share == null) {
        out.nullValue();
      } else {
        out.beginArray();
        if (share.beginsAsInteger()) {
          out.integer(0);
        } else {
          out.floating(share.begin());
        }
        out.floating(share.end()).endArray();
      }
    }
    out.endArray();
  }
}
