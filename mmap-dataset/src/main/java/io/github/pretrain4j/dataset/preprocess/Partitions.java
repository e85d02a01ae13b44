package io.github.pretrain4j.dataset.preprocess;

/**
 * How lines are dealt out to datasets of their own, which are kept and put together in order.
 *
 * <p>With one partition there is nothing to deal out and nothing to put together. With more, the
 * dataset of each key is {@code PREFIX_KEY_LEVEL} as ever, and each partition's is {@code
 * PREFIX_I_KEY_LEVEL}.
 *
 * <p>One thing of Megatron's is not done: there the last line of a file that does not end with a
 * newline becomes one line with the next that its partition is dealt from the next file, which it
 * cannot read. Here it is a line of its own.
 *
 * @param count how many
 * @param sequential false: line {@code j} of all inputs, from 0, belongs to partition {@code j mod
 *     count}, so the datasets put together are in another order than the input; true: the first
 *     {@code ceil(lines / count)} lines belong to partition 0, and so on, which keeps the order
 */
public record Partitions(int count, boolean sequential) {
  /** All lines together. */
  public static final Partitions NONE = new Partitions(1, false);

  /** Checks. */
  public Partitions {
    if (count < 1) {
      throw new IllegalArgumentException("partitions must be positive: " + count);
    }
  }

  /** Lines in turn, as Megatron's {@code --partitions} does. */
  public static Partitions roundRobin(int count) {
    return new Partitions(count, false);
  }

  /** Runs of lines, as with Megatron's {@code --keep-sequential-samples}. */
  public static Partitions sequential(int count) {
    return new Partitions(count, true);
  }
}
