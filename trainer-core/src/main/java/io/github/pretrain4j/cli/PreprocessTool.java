package io.github.pretrain4j.cli;

import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.pretrain4j.dataset.preprocess.BadLinePolicy;
import io.github.pretrain4j.dataset.preprocess.Partitions;
import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import io.github.pretrain4j.dataset.sentences.PunktParameters;
import io.github.pretrain4j.dataset.sentences.PunktRules;
import io.github.pretrain4j.dataset.sentences.PunktSentenceSplitter;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerConfig;
import io.github.pretrain4j.train.TokenizerFingerprint;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
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
        option(
                "--input",
                List.class,
                "FILE",
                "JSONL, .gz and .zst files, folders, patterns, or - for standard input")
            .auxiliaryTypes(String.class)
            .arity("1..*")
            .required(true)
            .build());
    spec.addOption(
        option("--output-prefix", Path.class, "PREFIX", "writes PREFIX_<key>_document.bin and .idx")
            .required(true)
            .build());
    PreprocessTokenizer.declare(spec);
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
    declareRun(spec);
  }

  /** Adds the options of how lines become datasets; those of the tokenizer are declared above. */
  private static void declareRun(CommandSpec spec) {
    flag(spec, "--split-sentences", "make each sentence a sequence, as NLTK's Punkt cuts them");
    flag(spec, "--keep-newlines", "with --split-sentences: leave white space with its sentence");
    value(spec, "--lang", String.class, "NAME", "Punkt's language (default: english)");
    value(
        spec,
        "--nltk-data",
        Path.class,
        "FOLDER",
        "where tokenizers/punkt_tab is (default: the environment's NLTK_DATA)");
    value(spec, "--partitions", int.class, "N", "datasets to deal lines out to (default: 1)");
    flag(spec, "--keep-sequential-samples", "give each partition lines that follow each other");
    value(spec, "--bad-lines", String.class, "POLICY", "fail, skip or quarantine (default: fail)");
    value(spec, "--max-bad", long.class, "N", "stop when more bad lines are left out");
    flag(spec, "--restart", "delete what a stopped run left, instead of going on with it");
    value(spec, "--dataset-impl", String.class, "NAME", "mmap, as older releases ask for");
    flag(spec, "--find-optimal-num-workers", "measure numbers of workers; write no dataset");
    spec.addOption(
        option("--workers-to-check", List.class, "N", "numbers to measure (default: 16 32 64)")
            .auxiliaryTypes(Integer.class)
            .arity("1..*")
            .build());
    value(spec, "--max-documents", int.class, "N", "lines to measure with (default: 100000)");
    spec.addOption(
        option("--performance-dir", String.class, "FOLDER", "refused: measurements are printed")
            .arity("0..1")
            .hidden(true)
            .build());
  }

  private static void flag(CommandSpec spec, String name, String text) {
    spec.addOption(option(name, boolean.class, "", text).arity("0").build());
  }

  private static void value(
      CommandSpec spec, String name, Class<?> type, String label, String text) {
    spec.addOption(option(name, type, label, text).build());
  }

  @Override
  int run(ParseResult options, PrintWriter out, PrintWriter err) throws IOException {
    refuseUnsupported(options);
    MegatronTokenizerConfig tokenizerConfig = PreprocessTokenizer.config(options);
    MegatronTokenizer tokenizer = MegatronTokenizer.open(tokenizerConfig);
    Preprocessor.Config config = config(options, tokenizerConfig, tokenizer);
    TokenEncoder.Factory encoders = () -> new TokenizerEncoder(tokenizer.newEncoder());
    if (options.hasMatchedOption("--find-optimal-num-workers")) {
      List<Integer> workers = options.matchedOptionValue("--workers-to-check", List.of(16, 32, 64));
      int documents = options.matchedOptionValue("--max-documents", 100_000);
      new WorkerBenchmark(config, encoders, documents).run(workers, out);
      return ExitCode.OK;
    }
    Path folder = config.outputPrefix().toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    ProgressLine progress =
        new ProgressLine(
            "preprocess", "documents", options.matchedOptionValue("--log-interval", 1000), err);
    try {
      report(Preprocessor.run(config, encoders, progress::update), progress, out);
    } finally {
      if (Files.exists(config.journalFile())) {
        err.printf(
            "%s keeps what was done: the same command goes on from there, --restart begins anew%n",
            config.journalFile());
      }
    }
    return ExitCode.OK;
  }

  private static void refuseUnsupported(ParseResult options) {
    if (options.hasMatchedOption("--performance-dir")) {
      throw new IllegalArgumentException(
          "--performance-dir is not supported: measurements are printed");
    }
    String dataset = options.matchedOptionValue("--dataset-impl", "mmap");
    if (!dataset.equals("mmap")) {
      throw new IllegalArgumentException(
          "--dataset-impl " + dataset + " is not supported: mmap is all that Megatron still reads");
    }
    if (!options.hasMatchedOption("--find-optimal-num-workers")) {
      for (String name : List.of("--workers-to-check", "--max-documents")) {
        if (options.hasMatchedOption(name)) {
          throw new IllegalArgumentException(name + " goes with --find-optimal-num-workers");
        }
      }
    }
    if (!options.hasMatchedOption("--split-sentences")) {
      for (String name : List.of("--keep-newlines", "--lang", "--nltk-data")) {
        if (options.hasMatchedOption(name)) {
          throw new IllegalArgumentException(name + " goes with --split-sentences");
        }
      }
    }
    if (options.hasMatchedOption("--max-bad")
        && badLines(options.matchedOptionValue("--bad-lines", "fail")) == BadLinePolicy.FAIL) {
      throw new IllegalArgumentException("--max-bad goes with --bad-lines skip or quarantine");
    }
  }

  private static Preprocessor.Config config(
      ParseResult options, MegatronTokenizerConfig tokenizerConfig, MegatronTokenizer tokenizer)
      throws IOException {
    int partitions = options.matchedOptionValue("--partitions", 1);
    boolean sequential = options.hasMatchedOption("--keep-sequential-samples");
    int processors = Runtime.getRuntime().availableProcessors();
    Preprocessor.Config config =
        Preprocessor.Config.of(
                options.matchedOptionValue("--input", List.<String>of()),
                options.matchedOptionValue("--output-prefix", Path.of("")),
                tokenizer.vocabularySize())
            .withJsonKeys(options.matchedOptionValue("--json-keys", List.of("text")))
            .withPartitions(new Partitions(partitions, sequential && partitions > 1))
            .withWorkers(
                options.matchedOptionValue(
                    "--workers", Math.max(1, processors / partitions) * partitions))
            .withBadLines(badLines(options.matchedOptionValue("--bad-lines", "fail")))
            .withMaxBad(options.matchedOptionValue("--max-bad", Long.MAX_VALUE))
            .withTokenizer(TokenizerFingerprint.of(tokenizerConfig, tokenizer))
            .withEncoderSettings(TokenizerFingerprint.settings(tokenizerConfig));
    if (options.hasMatchedOption("--append-eod")) {
      config = config.withEod(PreprocessTokenizer.eodId(tokenizer));
    }
    if (options.hasMatchedOption("--split-sentences")) {
      config = withSentences(config, options);
    }
    return options.hasMatchedOption("--restart") ? config.withRestart() : config;
  }

  private static BadLinePolicy badLines(String name) {
    for (BadLinePolicy policy : BadLinePolicy.values()) {
      if (policy.name().toLowerCase(Locale.ROOT).equals(name)) {
        return policy;
      }
    }
    throw new IllegalArgumentException("--bad-lines is fail, skip or quarantine, not " + name);
  }

  private static Preprocessor.Config withSentences(Preprocessor.Config config, ParseResult options)
      throws IOException {
    String environment = System.getenv("NLTK_DATA");
    Path data =
        options.matchedOptionValue(
            "--nltk-data", environment == null ? null : Path.of(environment));
    if (data == null) {
      throw new IllegalArgumentException(
          "--split-sentences needs NLTK's data: --nltk-data FOLDER, or NLTK_DATA in the"
              + " environment");
    }
    String language = options.matchedOptionValue("--lang", "english");
    boolean keepNewlines = options.hasMatchedOption("--keep-newlines");
    PunktParameters parameters = PunktParameters.find(data, language);
    return config.withSentences(
        "punkt "
            + language
            + (keepNewlines ? ", newlines kept" : "")
            + ", parameters "
            + hash(data.resolve("tokenizers").resolve("punkt_tab").resolve(language)),
        PunktSentenceSplitter.create(parameters, PunktRules.NLTK_3_10, keepNewlines));
  }

  /** Tells parameters from others, so that a run does not go on with other sentences. */
  private static String hash(Path folder) throws IOException {
    List<HashCode> hashes = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        hashes.add(MoreFiles.asByteSource(file).hash(Hashing.sha256()));
      }
    }
    return Hashing.combineOrdered(hashes).toString();
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
    if (report.rejected() > 0) {
      out.printf(Locale.ROOT, "%,d bad lines left out%n", report.rejected());
    }
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
