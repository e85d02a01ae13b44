package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.sentencepiece.BpeTrainer;
import io.github.pretrain4j.tokenizer.sentencepiece.NormalizationRule;
import io.github.pretrain4j.tokenizer.sentencepiece.PieceRules;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.SpecialPieces;
import io.github.pretrain4j.tokenizer.sentencepiece.TrainerConfig;
import io.github.pretrain4j.tokenizer.sentencepiece.UnigramTrainer;
import io.github.pretrain4j.tokenizer.sentencepiece.UnigramTrainerConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code train}: text in, {@code tokenizer.model} out. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    description = "Trains a SentencePiece model that C++ SentencePiece loads too.")
final class TrainCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final PrintWriter err;

  @Option(
      names = "--input",
      required = true,
      arity = "1..*",
      description = "Text files (a line is a sentence), or .jsonl files with --json-key.")
  List<Path> inputs = List.of();

  @Mixin JsonKeys json = new JsonKeys();

  @Option(
      names = "--output",
      defaultValue = "tokenizer.model",
      description = "The model to write (default: ${DEFAULT-VALUE}).")
  Path output = Path.of("tokenizer.model");

  @Option(
      names = "--model-type",
      defaultValue = "bpe",
      description = "bpe or unigram (default: ${DEFAULT-VALUE}).")
  String modelType = "bpe";

  @Option(names = "--vocab-size", required = true, description = "Number of pieces.")
  int vocabSize;

  @Option(
      names = "--character-coverage",
      defaultValue = "0.9995",
      description = "Share of characters that get a piece (default: ${DEFAULT-VALUE}).")
  double characterCoverage;

  @Option(
      names = "--no-byte-fallback",
      description = "Other characters become the unknown piece, not bytes.")
  boolean noByteFallback;

  @Option(
      names = "--normalization-rule-name",
      defaultValue = "identity",
      description = "identity, nfkc or nmt_nfkc (default: ${DEFAULT-VALUE}).")
  String normalizationRuleName = "identity";

  @Option(names = "--no-dummy-prefix", description = "Put no space before a text.")
  boolean noDummyPrefix;

  @Option(names = "--remove-extra-whitespaces", description = "Drop repeated and outer spaces.")
  boolean removeExtraWhitespaces;

  @Option(names = "--no-split-digits", description = "Let a piece hold several digits.")
  boolean noSplitDigits;

  @Option(names = "--no-split-by-unicode-script", description = "Let a piece mix scripts.")
  boolean noSplitByUnicodeScript;

  @Option(names = "--no-split-by-number", description = "Let digits and letters share a piece.")
  boolean noSplitByNumber;

  @Option(names = "--no-split-by-whitespace", description = "Let a piece hold several words.")
  boolean noSplitByWhitespace;

  @Option(
      names = "--max-piece-length",
      defaultValue = "16",
      description = "Longest piece in characters (default: ${DEFAULT-VALUE}).")
  int maxPieceLength;

  @Mixin SampleOptions sample = new SampleOptions();

  @Option(
      names = "--seed-sentencepiece-size",
      defaultValue = "1000000",
      description = "Unigram: pieces to start from (default: ${DEFAULT-VALUE}).")
  int seedPieces;

  @Option(
      names = "--shrinking-factor",
      defaultValue = "0.75",
      description = "Unigram: share of pieces that a pruning keeps (default: ${DEFAULT-VALUE}).")
  double shrinkingFactor;

  @Option(
      names = "--num-sub-iterations",
      defaultValue = "2",
      description = "Unigram: estimations before a pruning (default: ${DEFAULT-VALUE}).")
  int subIterations;

  @Option(names = "--user-defined-symbols", split = ",", description = "Always one piece each.")
  List<String> userDefinedSymbols = List.of();

  @Option(names = "--control-symbols", split = ",", description = "Pieces never found in text.")
  List<String> controlSymbols = List.of();

  @Option(names = "--unk-piece", defaultValue = "<unk>", description = "Default: ${DEFAULT-VALUE}")
  String unkPiece = "<unk>";

  @Option(names = "--bos-piece", defaultValue = "<s>", description = "Default: ${DEFAULT-VALUE}")
  String bosPiece = "<s>";

  @Option(names = "--eos-piece", defaultValue = "</s>", description = "Default: ${DEFAULT-VALUE}")
  String eosPiece = "</s>";

  @Option(names = "--pad-piece", defaultValue = "", description = "Default: no padding piece")
  String padPiece = "";

  TrainCommand(PrintWriter out, PrintWriter err) {
    this.out = out;
    this.err = err;
  }

  @Override
  public Integer call() throws IOException {
    for (Path input : inputs) {
      if (!Files.isRegularFile(input)) {
        throw new NoSuchFileException(input.toString());
      }
    }
    TrainerConfig config = config();
    UnigramTrainerConfig unigram =
        new UnigramTrainerConfig(seedPieces, shrinkingFactor, subIterations);
    boolean bpe = modelType.equals("bpe");
    if (!bpe && !modelType.equals("unigram")) {
      throw new IllegalArgumentException("--model-type " + modelType + " is not bpe or unigram");
    }
    long start = System.nanoTime();
    SentencePieceModel model;
    try (TextSource texts = new TextSource(inputs, json.keys)) {
      model =
          bpe
              ? BpeTrainer.train(texts, config, this::progress)
              : UnigramTrainer.train(texts, config, unigram, this::progress);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    model.write(output);
    out.printf(
        Locale.ROOT,
        "%s: %d pieces, sha256 %s, %.1f s%n",
        output,
        model.pieces().size(),
        model.sha256(),
        (System.nanoTime() - start) / 1e9);
    return 0;
  }

  private TrainerConfig config() {
    return new TrainerConfig(
        vocabSize,
        characterCoverage,
        !noByteFallback,
        NormalizationRule.ofName(normalizationRuleName),
        !noDummyPrefix,
        removeExtraWhitespaces,
        new PieceRules(
            !noSplitByUnicodeScript,
            !noSplitByNumber,
            !noSplitDigits,
            !noSplitByWhitespace,
            !removeExtraWhitespaces,
            maxPieceLength),
        new SpecialPieces(
            unkPiece, bosPiece, eosPiece, padPiece, controlSymbols, userDefinedSymbols),
        sample.toTrainingSample());
  }

  private void progress(String phase, long done, long total) {
    err.println(phase + " " + done + (total > 0 ? " of " + total : ""));
    err.flush();
  }
}
