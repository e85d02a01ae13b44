package io.github.pretrain4j.convert;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What source and target are given to compare their logits on: token ids, or a text that the
 * model's tokenizer divides into them.
 *
 * @param text empty if ids are given
 * @param tokenIds empty if a text is given
 */
public record LogitsPrompt(String text, List<Integer> tokenIds) {
  private static final Pattern IDS = Pattern.compile("\\s*\\d{1,9}(\\s*,\\s*\\d{1,9})*\\s*");

  /** Validates that there is one of the two. */
  public LogitsPrompt {
    tokenIds = List.copyOf(tokenIds);
    if (text.isEmpty() == tokenIds.isEmpty()) {
      throw new IllegalArgumentException("a prompt is either a text or token ids");
    }
  }

  /** Whole numbers between commas are ids, anything else a text. */
  public static LogitsPrompt parse(String argument) {
    if (!IDS.matcher(argument).matches()) {
      return new LogitsPrompt(argument, List.of());
    }
    List<Integer> ids = new ArrayList<>();
    for (String id : argument.split(",", -1)) {
      ids.add(Integer.valueOf(id.strip()));
    }
    return new LogitsPrompt("", ids);
  }
}
