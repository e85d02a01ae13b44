package io.github.pretrain4j.checkpoint.huggingface;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How tensors are dealt out to shards. */
public sealed interface ShardRule {

  /**
   * Exactly this many shards: runs of neighbouring tensors, as even in bytes as their order allows,
   * none empty.
   *
   * @param shards at least 1, at most the number of tensors
   */
  record Count(int shards) implements ShardRule {
    /** Validates the count. */
    public Count {
      if (shards < 1 || shards > 99_999) {
        throw new IllegalArgumentException("shard count must be in 1..99999: " + shards);
      }
    }
  }

  /**
   * As transformers does it: a new shard whenever the next tensor would make the current one larger
   * than this.
   */
  record MaxSize(long bytes) implements ShardRule {
    /** Validates the size. */
    public MaxSize {
      if (bytes < 1) {
        throw new IllegalArgumentException("maximum shard size must be positive: " + bytes);
      }
    }

    private static final Pattern SIZE = Pattern.compile("([0-9]+(?:\\.[0-9]+)?) *([KMGT]?B)?");

    /** Parses "5GB", "200MB", "1000": powers of 1000. */
    public static MaxSize parse(String text) {
      Matcher matcher = SIZE.matcher(text.trim().toUpperCase(Locale.ROOT));
      if (!matcher.matches()) {
        throw new IllegalArgumentException("not a size such as 5GB: " + text);
      }
      String unit = matcher.group(2) == null ? "B" : matcher.group(2);
      int power = "BKMGT".indexOf(unit.charAt(0));
      try {
        return new MaxSize(
            new BigDecimal(matcher.group(1))
                .scaleByPowerOfTen(3 * power)
                .toBigInteger()
                .longValueExact());
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException("size too large: " + text, e);
      }
    }
  }
}
