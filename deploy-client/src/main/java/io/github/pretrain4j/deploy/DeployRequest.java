package io.github.pretrain4j.deploy;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What to deploy and how to try it.
 *
 * @param model a Hugging Face folder
 * @param mode null: chat if the tokenizer brings a chat template, else completion
 * @param prompt what the first request says
 * @param maxTokens how much the first request may answer
 * @param readyTimeout how long the service may take to become ready
 * @param requestTimeout how long the first request may take
 * @param transformersVersion the release that will load the folder, if one will; preflight then
 *     warns of what it cannot read
 */
public record DeployRequest(
    ServiceReference service,
    Path model,
    @Nullable GenerationMode mode,
    String prompt,
    int maxTokens,
    Duration readyTimeout,
    Duration requestTimeout,
    @Nullable String transformersVersion) {

  public DeployRequest {
    model = model.toAbsolutePath().normalize();
    if (prompt.isEmpty()) {
      throw new IllegalArgumentException("the first prompt must not be empty");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException("maxTokens must be positive: " + maxTokens);
    }
    if (readyTimeout.isNegative() || readyTimeout.isZero()) {
      throw new IllegalArgumentException("readyTimeout must be positive: " + readyTimeout);
    }
    if (requestTimeout.isNegative() || requestTimeout.isZero()) {
      throw new IllegalArgumentException("requestTimeout must be positive: " + requestTimeout);
    }
    if (transformersVersion != null && TransformersVersion.parse(transformersVersion) == null) {
      throw new IllegalArgumentException(
          "not a transformers version such as 4.39.3: " + transformersVersion);
    }
  }

  /** A request with the usual limits: 16 tokens, five minutes to get ready, two for the answer. */
  public static DeployRequest of(ServiceReference service, Path model, String prompt) {
    return new DeployRequest(
        service, model, null, prompt, 16, Duration.ofMinutes(5), Duration.ofMinutes(2), null);
  }
}
