package io.github.pretrain4j.generate;

import java.util.Arrays;

/**
 * Draws one token from logits. The arithmetic is in double and in token order or rank order, never
 * in the order of threads; {@link StrictMath} makes it the same on every machine. Not thread-safe:
 * keeps its work arrays.
 *
 * <p>Random numbers come from a counter, not from a stream: the number for token {@code i} is a mix
 * of the seed and {@code i}, so a run that starts again in the middle draws what the first one
 * drew.
 */
final class Sampler {

  /** Weyl increment of SplitMix64: 2^64 divided by the golden ratio, odd. */
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private final SamplingConfig config;

  Sampler(SamplingConfig config) {
    this.config = config;
  }

  /**
   * @param logits one per token id
   * @param index how many tokens were generated before this one
   * @throws DamagedWeightsException if a logit is not finite
   */
  int next(float[] logits, long index) throws DamagedWeightsException {
    checkFinite(logits, index);
    int best = greatest(logits);
    if (config.temperature() == 0 || config.topK() == 1) {
      return best;
    }
    double[] weights = new double[logits.length];
    for (int id = 0; id < logits.length; id++) {
      // Relative to the greatest, so that exp neither overflows nor makes all of them zero.
      weights[id] = StrictMath.exp(((double) logits[id] - logits[best]) / config.temperature());
    }
    boolean all = config.topK() == 0 && config.topP() == 1;
    int[] ranked = all ? inOrder(logits.length) : ranked(logits);
    int kept = config.topK() == 0 ? ranked.length : Math.min(config.topK(), ranked.length);
    kept = nucleus(weights, ranked, kept);
    return draw(weights, ranked, kept, uniform(config.seed(), index));
  }

  private static void checkFinite(float[] logits, long index) throws DamagedWeightsException {
    int count = 0;
    int first = 0;
    for (int id = logits.length - 1; id >= 0; id--) {
      if (!Float.isFinite(logits[id])) {
        first = id;
        count++;
      }
    }
    if (count > 0) {
      throw new DamagedWeightsException(index, count, logits.length, first, logits[first]);
    }
  }

  /** The id of the greatest logit, the smallest id among equals. */
  private static int greatest(float[] logits) {
    int best = 0;
    for (int id = 0; id < logits.length; id++) {
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }

  private static int[] inOrder(int count) {
    int[] ids = new int[count];
    Arrays.setAll(ids, i -> i);
    return ids;
  }

  /** Ids by falling logit, equal ones by rising id. */
  private static int[] ranked(float[] logits) {
    // One long per token: the logit as an order-preserving integer, inverted, above the id.
    long[] keys = new long[logits.length];
    for (int id = 0; id < keys.length; id++) {
      int bits =
          Float.floatToIntBits(logits[id] + 0f); // -0 becomes 0: equal values must have equal keys
      int ordered = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
      keys[id] = ((long) ~ordered << 32) | id;
    }
    Arrays.sort(keys);
    int[] ids = new int[keys.length];
    Arrays.setAll(ids, i -> (int) keys[i]);
    return ids;
  }

  /**
   * How many of the first {@code kept} ranks it takes to reach {@code topP} of their weight; at
   * least one.
   */
  private int nucleus(double[] weights, int[] ranked, int kept) {
    if (config.topP() == 1) {
      return kept;
    }
    double wanted = config.topP() * sum(weights, ranked, kept);
    double reached = 0;
    for (int rank = 0; rank < kept; rank++) {
      reached += weights[ranked[rank]];
      if (reached >= wanted) {
        return rank + 1;
      }
    }
    return kept;
  }

  private static double sum(double[] weights, int[] ranked, int kept) {
    double sum = 0;
    for (int rank = 0; rank < kept; rank++) {
      sum += weights[ranked[rank]];
    }
    return sum;
  }

  private static int draw(double[] weights, int[] ranked, int kept, double uniform) {
    double left = uniform * sum(weights, ranked, kept);
    int last = ranked[0];
    for (int rank = 0; rank < kept; rank++) {
      double weight = weights[ranked[rank]];
      if (weight > 0) {
        last =
            ranked[rank]; // rounding may leave a crumb past the end: it goes to the last possible
        // token
        if (left < weight) {
          return last;
        }
        left -= weight;
      }
    }
    return last;
  }

  /** In [0, 1), 53 bits: SplitMix64's output function over two rounds of the counter. */
  static double uniform(long seed, long index) {
    long mixed = mix(mix(seed + GOLDEN_GAMMA) + (index + 1) * GOLDEN_GAMMA);
    return (mixed >>> 11) * 0x1.0p-53;
  }

  private static long mix(long z) {
    long y = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    y = (y ^ (y >>> 27)) * 0x94D049BB133111EBL;
    return y ^ (y >>> 31);
  }
}
