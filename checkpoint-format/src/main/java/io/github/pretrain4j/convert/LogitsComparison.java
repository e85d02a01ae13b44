package io.github.pretrain4j.convert;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How the logits of two models compare on one sequence, over the rows of vocabulary that both have.
 *
 * @param tokenIds the sequence
 * @param maxAbsDifference the largest difference of any two logits
 * @param top1Agreements after how many of the tokens both predict the same next one
 */
public record LogitsComparison(
    List<Integer> tokenIds, double maxAbsDifference, int top1Agreements) {
  public LogitsComparison {
    tokenIds = List.copyOf(tokenIds);
  }

  /**
   * Compares [T, V] with [T, W]; a NaN on one side only makes the difference infinite.
   *
   * @param source T x V logits
   * @param target T x W logits
   */
  static LogitsComparison of(List<Integer> tokenIds, float[] source, float[] target) {
    int tokens = tokenIds.size();
    int sourceWidth = source.length / tokens;
    int targetWidth = target.length / tokens;
    int width = Math.min(sourceWidth, targetWidth);
    double largest = 0;
    int agreements = 0;
    for (int t = 0; t < tokens; t++) {
      int sourceBest = 0;
      int targetBest = 0;
      for (int v = 0; v < width; v++) {
        float a = source[t * sourceWidth + v];
        float b = target[t * targetWidth + v];
        if (Float.isNaN(a) != Float.isNaN(b)) {
          largest = Double.POSITIVE_INFINITY;
        } else if (a != b && !Float.isNaN(a)) {
          largest = Math.max(largest, Math.abs((double) a - b));
        }
        sourceBest = a > source[t * sourceWidth + sourceBest] ? v : sourceBest;
        targetBest = b > target[t * targetWidth + targetBest] ? v : targetBest;
      }
      agreements += sourceBest == targetBest ? 1 : 0;
    }
    return new LogitsComparison(tokenIds, largest, agreements);
  }

  Map<String, Object> toMap() {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("token_ids", tokenIds);
    fields.put("max_abs_difference", maxAbsDifference);
    fields.put("top1_agreements", top1Agreements);
    return fields;
  }

  String toText() {
    return String.format(
        Locale.ROOT,
        "largest difference %.3g, the same next token after %d of %d",
        maxAbsDifference,
        top1Agreements,
        tokenIds.size());
  }
}
