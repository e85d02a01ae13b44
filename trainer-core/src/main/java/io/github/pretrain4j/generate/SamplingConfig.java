package io.github.pretrain4j.generate;

import java.util.List;

/**
 * How the next token is chosen and when to stop.
 *
 * <p>The steps, in this order: divide the logits by the temperature; keep the {@code topK} largest;
 * keep the smallest set of the most probable whose probabilities sum to at least {@code topP}; draw
 * one from what is left. Equal logits rank by token id.
 *
 * @param temperature 0 takes the most probable token and ignores {@code topK}, {@code topP} and
 *     {@code seed}
 * @param topK how many tokens to keep; 0 keeps all
 * @param topP in (0, 1]; 1 keeps all
 * @param seed the random numbers: one per token, a function of the seed and the token's index
 * @param maxTokens the most tokens to generate
 * @param stop texts at which generation ends; the text given out ends just before the first of them
 */
public record SamplingConfig(
    double temperature, int topK, double topP, long seed, int maxTokens, List<String> stop) {

  public SamplingConfig {
    require(
        temperature >= 0 && temperature <= 100,
        "temperature must be between 0 and 100: " + temperature);
    require(topK >= 0, "top_k must not be negative: " + topK);
    require(topP > 0 && topP <= 1, "top_p must be above 0 and at most 1: " + topP);
    require(maxTokens >= 0, "max_tokens must not be negative: " + maxTokens);
    stop = List.copyOf(stop);
    require(stop.stream().noneMatch(String::isEmpty), "a stop text must not be empty");
  }

  /** The most probable token each time. */
  public static SamplingConfig greedy(int maxTokens) {
    return new SamplingConfig(0, 0, 1, 0, maxTokens, List.of());
  }

  public SamplingConfig withStop(List<String> stopTexts) {
    return new SamplingConfig(temperature, topK, topP, seed, maxTokens, stopTexts);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }
}
