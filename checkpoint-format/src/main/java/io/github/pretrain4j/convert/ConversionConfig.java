package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What to convert, into what. Make one with {@link #of}, refine it with the {@code with} methods.
 *
 * @param input a Hugging Face model directory, or a Megatron checkpoint's directory or one of its
 *     iterations'; the files say which
 * @param output a directory that does not exist or is empty
 * @param reference a Hugging Face model directory that says what a Megatron checkpoint does not:
 *     its {@code config.json}, and for a Hugging Face output the tokenizer and other companion
 *     files; null if the checkpoint says enough
 * @param tokenizerModel a tokenizer's file or directory that must fit the vocabulary and comes
 *     along into a Hugging Face output, or null
 * @param dataType what to round the weights to, or null to keep them
 * @param vocabSize rows of the embedding that mean something, in a Megatron checkpoint that does
 *     not record it and has no reference; else null
 * @param growth a larger vocabulary, or null to keep it
 * @param optimizer whether optimizer state is carried from Megatron to Megatron if there is any
 * @param workers threads that write and compare
 * @param prompt on what to compare the logits of source and target, or null
 */
public record ConversionConfig(
    Path input,
    Path output,
    ConversionTarget target,
    @Nullable Path reference,
    @Nullable Path tokenizerModel,
    @Nullable DataType dataType,
    @Nullable Integer vocabSize,
    @Nullable VocabularyGrowth growth,
    boolean optimizer,
    int workers,
    @Nullable LogitsPrompt prompt) {

  private static final int MAX_WORKERS = 256;

  /** Validates the numbers. */
  public ConversionConfig {
    if (workers < 1 || workers > MAX_WORKERS) {
      throw new IllegalArgumentException("workers " + workers + " is not in 1.." + MAX_WORKERS);
    }
    if (vocabSize != null && vocabSize < 1) {
      throw new IllegalArgumentException("vocabSize must be positive: " + vocabSize);
    }
  }

  /** Types, vocabulary and optimizer state kept; one worker. */
  public static ConversionConfig of(Path input, Path output, ConversionTarget target) {
    return new ConversionConfig(input, output, target, null, null, null, null, null, true, 1, null);
  }

  public ConversionConfig withReference(@Nullable Path value) {
    return new ConversionConfig(
        input,
        output,
        target,
        value,
        tokenizerModel,
        dataType,
        vocabSize,
        growth,
        optimizer,
        workers,
        prompt);
  }

  public ConversionConfig withTokenizerModel(@Nullable Path value) {
    return new ConversionConfig(
        input, output, target, reference, value, dataType, vocabSize, growth, optimizer, workers,
        prompt);
  }

  public ConversionConfig withDataType(@Nullable DataType value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        value,
        vocabSize,
        growth,
        optimizer,
        workers,
        prompt);
  }

  public ConversionConfig withVocabSize(@Nullable Integer value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        dataType,
        value,
        growth,
        optimizer,
        workers,
        prompt);
  }

  public ConversionConfig withGrowth(@Nullable VocabularyGrowth value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        dataType,
        vocabSize,
        value,
        optimizer,
        workers,
        prompt);
  }

  public ConversionConfig withOptimizer(boolean value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        dataType,
        vocabSize,
        growth,
        value,
        workers,
        prompt);
  }

  public ConversionConfig withWorkers(int value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        dataType,
        vocabSize,
        growth,
        optimizer,
        value,
        prompt);
  }

  public ConversionConfig withPrompt(@Nullable LogitsPrompt value) {
    return new ConversionConfig(
        input,
        output,
        target,
        reference,
        tokenizerModel,
        dataType,
        vocabSize,
        growth,
        optimizer,
        workers,
        value);
  }
}
