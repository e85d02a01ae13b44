package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What preflight found in a Hugging Face folder: facts, the files to deploy, and all findings,
 * errors first. A fact that could not be read is null, and a finding says why.
 *
 * @param directory the folder, absolute
 * @param modelType {@code model_type} of {@code config.json}
 * @param dataType type of the weights: of the tensors where they are safetensors, else the
 *     configuration's
 * @param weightFormat {@code safetensors} or {@code bin}
 * @param parameterCount elements in all tensors; only known for safetensors
 * @param vocabularySize {@code vocab_size} of {@code config.json}
 * @param tokenizerSize one more than the largest token id of the tokenizer
 * @param transformersVersion the one that wrote {@code config.json}
 * @param chatTemplate whether the tokenizer brings a chat template
 * @param files what is to be deployed: paths relative to the folder, with {@code /}, sorted
 * @param totalBytes sum of their sizes
 */
public record PreflightReport(
    String directory,
    @Nullable String modelType,
    @Nullable String dataType,
    @Nullable String weightFormat,
    @Nullable Long parameterCount,
    @Nullable Long vocabularySize,
    @Nullable Long tokenizerSize,
    @Nullable String transformersVersion,
    boolean chatTemplate,
    List<String> files,
    long totalBytes,
    List<Finding> findings) {

  public PreflightReport {
    files = List.copyOf(files);
    findings = List.copyOf(findings);
  }

  @JsonIgnore
  public boolean hasErrors() {
    return findings.stream().anyMatch(f -> f.severity() == Finding.Severity.ERROR);
  }

  /** This report with the findings of a target's own rules among the others. */
  PreflightReport with(List<Finding> more) {
    List<Finding> all =
        Stream.concat(findings.stream(), more.stream())
            .sorted(java.util.Comparator.comparing(Finding::severity))
            .toList();
    return new PreflightReport(
        directory,
        modelType,
        dataType,
        weightFormat,
        parameterCount,
        vocabularySize,
        tokenizerSize,
        transformersVersion,
        chatTemplate,
        files,
        totalBytes,
        all);
  }
}
