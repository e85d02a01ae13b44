package io.github.pretrain4j.cli;

import io.github.pretrain4j.tokenizer.megatron.BosMode;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerConfig;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/** The tokenizer options of {@code preprocess_data.py}: those carried out and those refused. */
final class PreprocessTokenizer {
  /** Options of Megatron that would choose other ids than ours; refused with their own words. */
  private static final Map<String, String> REFUSED =
      new TreeMap<>(
          Map.of(
              "--tokenizer-metadata", "--tokenizer-type says what the model is",
              "--vocab-file", "a tokenizer.json takes its place",
              "--merge-file", "a tokenizer.json takes its place",
              "--tiktoken-pattern", "there is no TikTokenizer; a tokenizer.json takes its place",
              "--tiktoken-num-special-tokens", "there is no TikTokenizer",
              "--no-tokenizer-sentencepiece-ignore-extra-whitespaces",
                  "the model's own rule for white space counts",
              "--tokenizer-hf-no-use-fast", "a tokenizer.json is a fast tokenizer",
              "--trust-remote-code", "no code of a model is run",
              "--chat-template", "texts are encoded as they are"));

  /** Options of Megatron that change nothing in the files: accepted for its scripts. */
  private static final Map<String, Integer> NO_EFFECT =
      new TreeMap<>(
          Map.of(
              "--padded-vocab-size", 1,
              "--vocab-extra-ids", 1,
              "--no-pad-vocab-size", 0,
              "--use-gigatoken", 0));

  private PreprocessTokenizer() {}

  static void declare(CommandSpec spec) {
    spec.addOption(
        CommandLineTool.option(
                "--tokenizer-model",
                Path.class,
                "FILE",
                "a tokenizer.model or tokenizer.json, or the folder that holds one")
            .build());
    spec.addOption(
        CommandLineTool.option(
                "--tokenizer-type",
                String.class,
                "TYPE",
                MegatronTokenizerType.options() + " (default: SentencePieceTokenizer)")
            .build());
    spec.addOption(
        CommandLineTool.option(
                "--vocab-size", int.class, "N", "the number of ids of a NullTokenizer")
            .build());
    for (String name : List.of("--null-tokenizer-eod-id", "--null-tokenizer-pad-id")) {
      spec.addOption(
          CommandLineTool.option(name, int.class, "ID", "an id of a NullTokenizer").build());
    }
    flag(
        spec,
        "--tokenizer-hf-no-include-special-tokens",
        "without what a tokenizer.json's template puts around each text");
    flag(
        spec,
        "--tokenizer-sentencepiece-legacy",
        "add --tokenizer-special-tokens behind a SentencePiece model's own ids");
    spec.addOption(
        CommandLineTool.option(
                "--tokenizer-special-tokens", List.class, "TEXT", "special tokens to add")
            .auxiliaryTypes(String.class)
            .arity("1..*")
            .build());
    flag(
        spec,
        "--prepend-bos",
        "begin each text with bos, as Megatron's Llama2Tokenizer did up to core_r0.14");
    REFUSED.forEach(
        (name, reason) ->
            spec.addOption(
                CommandLineTool.option(name, String.class, "VALUE", "refused: " + reason)
                    .arity("0..1")
                    .hidden(true)
                    .build()));
    NO_EFFECT.forEach(
        (name, values) ->
            spec.addOption(
                CommandLineTool.option(
                        name, values == 0 ? boolean.class : String.class, "VALUE", "no effect")
                    .arity(String.valueOf(values))
                    .hidden(true)
                    .build()));
  }

  private static void flag(CommandSpec spec, String name, String text) {
    spec.addOption(CommandLineTool.option(name, boolean.class, "", text).arity("0").build());
  }

  static MegatronTokenizerConfig config(ParseResult options) {
    REFUSED.forEach(
        (name, reason) -> {
          if (options.hasMatchedOption(name)) {
            throw new IllegalArgumentException(name + " is not supported: " + reason);
          }
        });
    MegatronTokenizerType type =
        MegatronTokenizerType.of(
            options.matchedOptionValue(
                "--tokenizer-type", MegatronTokenizerType.SENTENCE_PIECE.option()));
    return type == MegatronTokenizerType.NULL ? ofNull(type, options) : ofModel(type, options);
  }

  private static MegatronTokenizerConfig ofNull(MegatronTokenizerType type, ParseResult options) {
    Integer vocabSize = options.matchedOptionValue("--vocab-size", null);
    if (vocabSize == null) {
      throw new IllegalArgumentException(type.option() + " takes --vocab-size");
    }
    refuse(
        options,
        List.of(
            "--tokenizer-model",
            "--tokenizer-hf-no-include-special-tokens",
            "--tokenizer-sentencepiece-legacy",
            "--tokenizer-special-tokens",
            "--prepend-bos"),
        type.option());
    return MegatronTokenizerConfig.ofNull(vocabSize)
        .withNullIds(
            id(options, "--null-tokenizer-eod-id"), id(options, "--null-tokenizer-pad-id"));
  }

  private static void refuse(ParseResult options, List<String> names, String type) {
    for (String name : names) {
      if (options.hasMatchedOption(name)) {
        throw new IllegalArgumentException(name + " is no option of a " + type);
      }
    }
  }

  private static OptionalInt id(ParseResult options, String name) {
    Integer value = options.matchedOptionValue(name, null);
    return value == null ? OptionalInt.empty() : OptionalInt.of(value);
  }

  private static MegatronTokenizerConfig ofModel(MegatronTokenizerType type, ParseResult options) {
    Path model = options.matchedOptionValue("--tokenizer-model", null);
    if (model == null) {
      throw new IllegalArgumentException(type.option() + " takes --tokenizer-model");
    }
    refuse(
        options,
        List.of("--vocab-size", "--null-tokenizer-eod-id", "--null-tokenizer-pad-id"),
        type.option());
    MegatronTokenizerConfig config = MegatronTokenizerConfig.of(type, model);
    if (options.hasMatchedOption("--tokenizer-hf-no-include-special-tokens")) {
      config = config.withoutSpecialTokens();
    }
    List<String> tokens = options.matchedOptionValue("--tokenizer-special-tokens", List.of());
    if (options.hasMatchedOption("--tokenizer-sentencepiece-legacy")) {
      config = config.withLegacySpecialTokens(tokens);
    } else if (!tokens.isEmpty()) {
      throw new IllegalArgumentException(
          "--tokenizer-special-tokens needs --tokenizer-sentencepiece-legacy");
    }
    return options.hasMatchedOption("--prepend-bos")
        ? config.withBosMode(BosMode.PER_TEXT)
        : config;
  }

  /** The id that ends a document. */
  static int eodId(MegatronTokenizer tokenizer) {
    try {
      return tokenizer.eodId();
    } catch (IllegalStateException e) {
      throw new IllegalArgumentException(
          "--append-eod: this tokenizer has no end-of-document token: " + e.getMessage(), e);
    }
  }
}
