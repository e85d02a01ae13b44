package io.github.pretrain4j.cli;

import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.tokenizer.megatron.BosMode;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerConfig;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/**
 * {@code p4j preprocess}: JSONL and a tokenizer to Megatron's {@code .bin} and {@code .idx}.
 * Options are those of Megatron's {@code preprocess_data.py}; the files are the same byte for byte.
 */
public final class PreprocessTool extends CommandLineTool {

  public PreprocessTool() {
    super(
        "p4j-preprocess",
        "Turn JSONL into Megatron's .bin and .idx with any tokenizer of Megatron's types");
  }

  @Override
  void declare(CommandSpec spec) {
    spec.addOption(
        option("--input", List.class, "FILE", "JSONL files, read in this order")
            .auxiliaryTypes(String.class)
            .arity("1..*")
            .required(true)
            .build());
    spec.addOption(
        option("--output-prefix", Path.class, "PREFIX", "writes PREFIX_<key>_document.bin and .idx")
            .required(true)
            .build());
    spec.addOption(
        option(
                "--tokenizer-model",
                Path.class,
                "FILE",
                "a tokenizer.model or tokenizer.json, or the folder that holds one")
            .build());
    spec.addOption(
        option(
                "--tokenizer-type",
                String.class,
                "TYPE",
                MegatronTokenizerType.options() + " (default: SentencePieceTokenizer)")
            .build());
    spec.addOption(
        option("--vocab-size", int.class, "N", "the number of ids of a NullTokenizer").build());
    spec.addOption(
        option(
                "--tokenizer-hf-no-include-special-tokens",
                boolean.class,
                "",
                "without what a tokenizer.json's template puts around each text")
            .arity("0")
            .build());
    spec.addOption(
        option(
                "--prepend-bos",
                boolean.class,
                "",
                "begin each text with bos, as Megatron's Llama2Tokenizer did up to core_r0.14")
            .arity("0")
            .build());
    spec.addOption(
        option(
                "--json-keys",
                List.class,
                "KEY",
                "the keys to take, each into its own dataset (default: text)")
            .auxiliaryTypes(String.class)
            .arity("1..*")
            .build());
    spec.addOption(
        option(
                "--append-eod",
                boolean.class,
                "",
                "end each document with the end-of-document token")
            .arity("0")
            .build());
    spec.addOption(
        option("--workers", int.class, "N", "threads (default: one per processor)").build());
    spec.addOption(
        option(
                "--log-interval",
                int.class,
                "N",
                "documents between progress lines, at least (default: 1000)")
            .build());
  }

  @Override
  int run(ParseResult options, PrintWriter out, PrintWriter err) throws IOException {
    MegatronTokenizer tokenizer = MegatronTokenizer.open(tokenizer(options));
    Path prefix = options.matchedOptionValue("--output-prefix", Path.of(""));
    Preprocessor.Config config =
        Preprocessor.Config.of(
                options.matchedOptionValue("--input", List.<String>of()),
                prefix,
                tokenizer.vocabularySize())
            .withJsonKeys(options.matchedOptionValue("--json-keys", List.of("text")))
            .withWorkers(
                options.matchedOptionValue(
                    "--workers", Runtime.getRuntime().availableProcessors()));
    if (options.hasMatchedOption("--append-eod")) {
      config = config.withEod(eodId(tokenizer));
    }
    Path folder = prefix.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    ProgressLine progress =
        new ProgressLine(
            "preprocess", "documents", options.matchedOptionValue("--log-interval", 1000), err);
    report(
        Preprocessor.run(
            config, () -> new TokenizerEncoder(tokenizer.newEncoder()), progress::update),
        progress,
        out);
    return ExitCode.OK;
  }

  private static MegatronTokenizerConfig tokenizer(ParseResult options) {
    MegatronTokenizerType type =
        MegatronTokenizerType.of(
            options.matchedOptionValue(
                "--tokenizer-type", MegatronTokenizerType.SENTENCE_PIECE.option()));
    Integer vocabSize = options.matchedOptionValue("--vocab-size", null);
    Path model = options.matchedOptionValue("--tokenizer-model", null);
    if (type == MegatronTokenizerType.NULL) {
      if (vocabSize == null || model != null) {
        throw new IllegalArgumentException(
            type.option() + " takes --vocab-size and no --tokenizer-model");
      }
      return MegatronTokenizerConfig.ofNull(vocabSize);
    }
    if (model == null || vocabSize != null) {
      throw new IllegalArgumentException(
          type.option() + " takes --tokenizer-model and no --vocab-size");
    }
    MegatronTokenizerConfig config = MegatronTokenizerConfig.of(type, model);
    if (options.hasMatchedOption("--tokenizer-hf-no-include-special-tokens")) {
      config = config.withoutSpecialTokens();
    }
    return options.hasMatchedOption("--prepend-bos")
        ? config.withBosMode(BosMode.PER_TEXT)
        : config;
  }

  private static int eodId(MegatronTokenizer tokenizer) {
    try {
      return tokenizer.eodId();
    } catch (IllegalStateException e) {
      throw new IllegalArgumentException(
          "--append-eod: this tokenizer has no end-of-document token: " + e.getMessage(), e);
    }
  }

  private static void report(Preprocessor.Report report, ProgressLine progress, PrintWriter out) {
    double seconds = progress.elapsedSeconds();
    out.printf(
        Locale.ROOT,
        "%,d documents, %,d bytes in %.1f s (%.1f MB/s)%n",
        report.documents(),
        report.inputBytes(),
        seconds,
        report.inputBytes() / 1e6 / seconds);
    for (Preprocessor.Output output : report.outputs()) {
      out.printf(
          Locale.ROOT,
          "%s: %,d documents, %,d sequences, %,d tokens%n",
          output.key(),
          output.documents(),
          output.sequences(),
          output.tokens());
      for (Preprocessor.OutputFile file : List.of(output.data(), output.index())) {
        out.printf(
            Locale.ROOT, "  %s  %,d bytes  sha256 %s%n", file.path(), file.bytes(), file.sha256());
      }
    }
  }
}
