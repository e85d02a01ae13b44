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

  /** Places drawn ahead: enough reads to wait for memory together, few enough to stay in cache. */
  private static final int BATCH = 512;

  private final int[] state = new int[WORDS];

  /** Keeps the compiler from leaving out reads that only warm the cache. */
  @SuppressWarnings("UnusedVariable")
  private int sink;

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
    return temper(state[position++]);
  }

  private static int temper(int word) {
    int y = word ^ (word >>> 11);
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

  /** 64 random bits; the first 32 drawn are the high ones. */
  long nextLong() {
    long high = nextInt();
    return (high << Integer.SIZE) | (nextInt() & 0xffff_ffffL);
  }

  /**
   * Shuffles {@code length} entries from {@code offset} on, from the back to the front: the entry
   * at i is exchanged with the one at a random place from 0 to i inclusive.
   *
   * <p>A random number is masked to the bits that i has, and drawn again while it is above i. As
   * places depend on i only, they are drawn in batches: no branch depends on whether one fits, and
   * the entries there, which lie all over memory, are read together before they are exchanged one
   * after the other.
   */
  void shuffle(int[] array, int offset, int length) {
    int[] places = new int[BATCH];
    int last = length - 1;
    int touched = 0;
    while (last > 0) {
      int mask = -1 >>> Integer.numberOfLeadingZeros(last);
      // Down to the last one with this mask.
      int count = Math.min(BATCH, last - (mask >>> 1));
      draw(places, count, last, mask);
      for (int k = 0; k < count; k++) {
        touched += array[offset + places[k]];
      }
      for (int k = 0; k < count; k++) {
        int place = offset + places[k];
        int at = offset + last - k;
        int exchanged = array[place];
        array[place] = array[at];
        array[at] = exchanged;
      }
      last -= count;
    }
    this.sink = touched;
  }

  /** Fills in the places for {@code last}, {@code last - 1} and so on. */
  private void draw(int[] places, int count, int last, int mask) {
    int found = 0;
    while (found < count) {
      if (position == WORDS) {
        twist();
      }
      int end = Math.min(WORDS, position + count - found);
      int at = position;
      for (; at < end; at++) {
        int place = temper(state[at]) & mask;
        places[found] = place;
        // One more if it is not above: the sign bit says which.
        found += ~((last - found) - place) >>> (Integer.SIZE - 1);
      }
      position = at;
    }
  }
}
