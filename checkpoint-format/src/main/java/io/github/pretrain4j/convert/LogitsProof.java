package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** The comparison of logits that was asked for, once it is known to be possible. */
record LogitsProof(LogitsProver prover, TransformerConfig config, List<Integer> tokenIds) {

  /** Prepares it; null, with entries in {@code problems}, if it is not possible. */
  static @Nullable LogitsProof of(
      LogitsPrompt prompt,
      Origin.@Nullable Model model,
      List<Path> tokenizers,
      List<String> problems)
      throws IOException {
    LogitsProver prover = ServiceLoader.load(LogitsProver.class).findFirst().orElse(null);
    if (prover == null) {
      problems.add("logits cannot be compared: no module that computes is on the class path");
      return null;
    }
    if (model == null) {
      problems.add(
          "logits cannot be compared: the checkpoint does not record its family; give a reference"
              + " directory with config.json");
      return null;
    }
    List<String> obstacles = prover.problems(model.config());
    if (!obstacles.isEmpty()) {
      obstacles.forEach(obstacle -> problems.add("logits cannot be compared: " + obstacle));
      return null;
    }
    List<Integer> ids = prompt.tokenIds();
    if (ids.isEmpty()) {
      Path tokenizer =
          tokenizers.stream().filter(LogitsProof::holdsTokenizer).findFirst().orElse(null);
      if (tokenizer == null) {
        problems.add(
            "the prompt is a text, and there is no tokenizer to divide it: give one, or token ids");
        return null;
      }
      ids = prover.encode(tokenizer, prompt.text());
    }
    for (int id : ids) {
      if (id < 0 || id >= model.config().vocabSize()) {
        problems.add(
            "token " + id + " of the prompt is not in 0.." + (model.config().vocabSize() - 1));
      }
    }
    if (ids.isEmpty() || ids.size() > model.config().maxPositionEmbeddings()) {
      problems.add(
          "the prompt has "
              + ids.size()
              + " tokens, expected 1 to "
              + model.config().maxPositionEmbeddings());
    }
    return new LogitsProof(prover, model.config(), ids);
  }

  private static boolean holdsTokenizer(Path path) {
    return Files.isRegularFile(path)
        || Files.exists(path.resolve("tokenizer.model"))
        || Files.exists(path.resolve("tokenizer.json"));
  }

  /**
   * Computes and compares.
   *
   * @param source the origin's weights under Megatron's names, as they were
   * @param target what was written under Megatron's names, padding cut off
   * @param targetConfig as {@link #config}, with the target's vocabulary
   */
  LogitsComparison compare(TensorSource source, TensorSource target, TransformerConfig targetConfig)
      throws IOException {
    return LogitsComparison.of(
        tokenIds,
        prover.logits(config, source, tokenIds),
        prover.logits(targetConfig, target, tokenIds));
  }
}
