package io.github.pretrain4j.dataset;

/**
 * How a dataset is opened.
 *
 * @param modes what the caller knows of sequence modes
 * @param lenient accept what {@link DatasetRepair} mends, a {@code .bin} with bytes that no
 *     sequence owns, wrong pointers, bytes after the index's arrays: pointers are then not read but
 *     added up from the lengths, in one pass when the dataset is opened, and what is too much is
 *     ignored
 */
public record OpenOptions(Modes modes, boolean lenient) {
  /**
   * Whether an {@code .idx} holds a mode for each sequence. The file does not say; only its size
   * tells, and not at all if there is no sequence.
   */
  public enum Modes {
    /** As the size tells. */
    DETECT,
    /** It must: what Megatron's {@code multimodal} flag says. */
    REQUIRE,
    /** It must not. Megatron reads on and loses them. */
    REFUSE
  }

  /** Modes as the size of the index tells; nothing is forgiven. */
  public static OpenOptions defaults() {
    return new OpenOptions(Modes.DETECT, false);
  }

  /** These, with another expectation of modes. */
  public OpenOptions withModes(Modes value) {
    return new OpenOptions(value, lenient);
  }

  /** These, forgiving or not. */
  public OpenOptions withLenient(boolean value) {
    return new OpenOptions(modes, value);
  }
}
