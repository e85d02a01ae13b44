package io.github.pretrain4j.dataset.gpt;

/** The order that {@code torch.randperm} gives on a processor, for a generator with some seed. */
final class TorchRandom {
  /**
   * From here on torch draws 64 bits a place; before the releases of 2025 it never did. Sampler
   * orders this long differ between torch releases, and here follow the newer.
   */
  static final int LARGE = 214_748_364;

  private TorchRandom() {}

  /**
   * {@code torch.randperm(count, generator)} after {@code generator.manual_seed(seed)}, of which
   * the low 32 bits count.
   */
  static int[] permutation(int count, long seed) {
    return permutation(count, seed, LARGE);
  }

  /** With the switch somewhere else, for tests. */
  static int[] permutation(int count, long seed, int large) {
    NumpyRandom random = new NumpyRandom(seed & 0xffff_ffffL);
    int[] order = new int[count];
    if (count < large) {
      for (int i = 0; i < count; i++) {
        order[i] = i;
      }
      for (int i = 0; i < count - 1; i++) {
        int place = i + Integer.remainderUnsigned(random.nextInt(), count - i);
        int exchanged = order[i];
        order[i] = order[place];
        order[place] = exchanged;
      }
    } else {
      for (int i = 0; i < count; i++) {
        int place = (int) Long.remainderUnsigned(random.nextLong(), i + 1L);
        order[i] = order[place];
        order[place] = i;
      }
    }
    return order;
  }
}
