package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Runs a model's forward pass, so that a conversion can compare source and target by what they
 * compute.
 *
 * <p>Found by {@link java.util.ServiceLoader}: this module computes nothing itself. Implementations
 * have a public empty constructor, hold no state and touch nothing native before {@link #logits}.
 */
public interface LogitsProver {

  /** Why it cannot run such a model; empty if it can. Asked before anything is converted. */
  List<String> problems(TransformerConfig config);

  /**
   * The ids of {@code prompt}.
   *
   * @param tokenizer a tokenizer's file or directory
   */
  List<Integer> encode(Path tokenizer, String prompt) throws IOException;

  /**
   * The logits after every token of a sequence, in fp32: [T, V], row by row.
   *
   * @param weights whole tensors under Megatron's names, V rows of vocabulary; read once, not
   *     closed
   * @param tokenIds T ids below V
   */
  float[] logits(TransformerConfig config, TensorSource weights, List<Integer> tokenIds)
      throws IOException;
}
