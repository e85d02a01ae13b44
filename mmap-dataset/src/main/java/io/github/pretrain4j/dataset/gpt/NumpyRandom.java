package io.github.pretrain4j.dataset.gpt;

/**
 * numpy's legacy generator {@code RandomState(seed)}: the Mersenne Twister MT19937, and the shuffle
 * made of it. The same draws in the same order as numpy, so that the same seed gives the same order
 * of samples. Not thread-safe.
 *
 * @see <a href="http://www.math.sci.hiroshima-u.ac.jp/m-mat/MT/ARTICLES/mt.pdf">Matsumoto and
 *     Nishimura, 1998</a>
 */
final class NumpyRandom {
  private static final int WORDS = 624;
  private static final int SHIFT = 397;
  private static final int MATRIX = 0x9908b0df;

  private final int[] state = new int[WORDS];
  private int position = WORDS;

  /** Seeds as {@code RandomState(seed)} does; {@code seed} is in 0..2^32-1. */
  NumpyRandom(long seed) {
    if (seed < 0 || seed > 0xffff_ffffL) {
      throw new IllegalArgumentException("seed must be in 0..4294967295: " + seed);
    }
    state[0] = (int) seed;
    for (int i = 1; i < WORDS; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
  }

  /** 32 random bits. */
  int nextInt() {
    if (position == WORDS) {
      twist();
    }
    int y = state[position++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  private void twist() {
    for (int i = 0; i < WORDS - SHIFT; i++) {
      state[i] = state[i + SHIFT] ^ mix(state[i], state[i + 1]);
    }
    for (int i = WORDS - SHIFT; i < WORDS - 1; i++) {
      state[i] = state[i + SHIFT - WORDS] ^ mix(state[i], state[i + 1]);
    }
    state[WORDS - 1] = state[SHIFT - 1] ^ mix(state[WORDS - 1], state[0]);
    position = 0;
  }

  private static int mix(int high, int low) {
    int y = (high & 0x80000000) | (low & 0x7fffffff);
    return (y >>> 1) ^ (-(y & 1) & MATRIX);
  }

  /** A number from 0 to {@code maximum} inclusive; masked draws are repeated until one fits. */
  int interval(int maximum) {
    if (maximum == 0) {
      return 0;
    }
    int mask = -1 >>> Integer.numberOfLeadingZeros(maximum);
    int value = nextInt() & mask;
    while (value > maximum) {
      value = nextInt() & mask;
    }
    return value;
  }

  /** Shuffles {@code length} entries from {@code offset} on, from the back to the front. */
  void shuffle(int[] array, int offset, int length) {
    for (int i = length - 1; i > 0; i--) {
      int j = offset + interval(i);
      int swapped = array[j];
      array[j] = array[offset + i];
      array[offset + i] = swapped;
    }
  }
}
