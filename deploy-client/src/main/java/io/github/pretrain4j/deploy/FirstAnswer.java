package io.github.pretrain4j.deploy;

/** The first request to a new service and what came back. */
public record FirstAnswer(
    GenerationMode mode,
    String prompt,
    String answer,
    String finishReason,
    int promptTokens,
    int completionTokens,
    double seconds) {}
