package io.github.pretrain4j.generate;

import io.github.pretrain4j.backend.Availability;
import io.github.pretrain4j.backend.ComputeBackend;
import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.backend.UnavailableException;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.convert.LogitsProver;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.LanguageModels;
import io.github.pretrain4j.nn.WeightLoading;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.TokenBatch;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * Computes the logits by which a conversion compares source and target: one forward pass in fp32 on
 * the CPU. Holds the whole model while it does.
 */
public final class ForwardLogits implements LogitsProver {
  /** A graphics processor's memory is not for this. */
  private static final Set<String> BACKENDS = Set.of("cpu", "java");

  /** For {@link java.util.ServiceLoader}. */
  public ForwardLogits() {}

  @Override
  public List<String> problems(TransformerConfig config) {
    try {
      LanguageModels.requireSupported(config);
      return List.of();
    } catch (IllegalArgumentException e) {
      return List.of(String.valueOf(e.getMessage()));
    }
  }

  @Override
  public List<Integer> encode(Path tokenizer, String prompt) throws IOException {
    return Arrays.stream(Tokenizers.load(tokenizer).encode(prompt)).boxed().toList();
  }

  @Override
  public float[] logits(TransformerConfig config, TensorSource weights, List<Integer> tokenIds)
      throws IOException {
    int[] tokens = tokenIds.stream().mapToInt(Integer::intValue).toArray();
    try (ComputeDevice device = backend().open(DeviceConfig.ofAllProcessors());
        LanguageModel model =
            LanguageModels.build(config, config.vocabSize(), tokens.length, false, device)) {
      WeightLoading.load(model, weights, "the converted model");
      try (Tape tape = Tape.inference(device)) {
        return tape.logits(
                model.forward(tape, TokenBatch.of(1, tokens.length, tokens), null),
                model.outputWeight())
            .toArray();
      }
    }
  }

  private static ComputeBackend backend() {
    return ComputeBackends.installed().stream()
        .filter(backend -> BACKENDS.contains(backend.name()))
        .filter(backend -> backend.availability() instanceof Availability.Available)
        .findFirst()
        .orElseThrow(
            () ->
                new UnavailableException(
                    "no compute backend for the CPU works here", "see each backend's remedy"));
  }
}
