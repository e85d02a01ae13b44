package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.sentencepiece.Extension;
import io.github.pretrain4j.tokenizer.sentencepiece.ExtensionConfig;
import io.github.pretrain4j.tokenizer.sentencepiece.PieceType;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import io.github.pretrain4j.tokenizer.sentencepiece.VocabularyExtender;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code extend}: a model and text, or more pieces, in; a model with those pieces out. */
@Command(
    name = "extend",
    mixinStandardHelpOptions = true,
    description = {
      "Adds pieces to a SentencePiece BPE model; old pieces keep their ids.",
      "Learned from text: what a training would merge next. The last twentieth of the texts is kept"
          + " aside to tell how much shorter they become."
    })
final class ExtendCommand implements Callable<Integer> {
  private static final int HELD_OUT_SHARE = 20;
  private static final int SHOWN = 10;

  private final PrintWriter out;
  private final PrintWriter err;

  @Option(names = "--model", required = true, description = "The model to extend.")
  Path model = Path.of("");

  @ArgGroup(multiplicity = "1")
  Source source = new Source();

  @Mixin JsonKeys json = new JsonKeys();

  @Option(names = "--output", required = true, description = "The model to write.")
  Path output = Path.of("");

  @Option(
      names = "--character-coverage",
      defaultValue = "0.9995",
      description = "Share of characters that get a piece (default: ${DEFAULT-VALUE}).")
  double characterCoverage;

  @Mixin SampleOptions sample = new SampleOptions();

  /** Where new pieces come from. */
  static final class Source {
    @ArgGroup(exclusive = false)
    Texts texts = new Texts();

    @Option(
        names = "--pieces-from",
        description = "A .model file, or a text file with a piece a line, to take pieces from.")
    Path piecesFrom = Path.of("");
  }

  /** Texts to learn from. */
  static final class Texts {
    @Option(
        names = "--input",
        required = true,
        arity = "1..*",
        description = "Text or .jsonl files to learn pieces from.")
    List<Path> files = List.of();

    @Option(names = "--pieces", required = true, description = "How many pieces to add.")
    int pieces;
  }

  ExtendCommand(PrintWriter out, PrintWriter err) {
    this.out = out;
    this.err = err;
  }

  @Override
  public Integer call() throws IOException {
    for (Path input : source.texts.files) {
      if (!Files.isRegularFile(input)) {
        throw new NoSuchFileException(input.toString());
      }
    }
    long start = System.nanoTime();
    SentencePieceModel old = SentencePieceModel.read(model);
    try {
      if (source.texts.files.isEmpty()) {
        write(VocabularyExtender.add(old, listedPieces()), start);
      } else {
        long texts = count();
        long learned = texts - texts / HELD_OUT_SHARE;
        Extension extension = learn(old, learned);
        write(extension, start);
        compare(old, extension.model(), learned, texts - learned);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return 0;
  }

  private List<String> listedPieces() throws IOException {
    if (!source.piecesFrom.toString().endsWith(".model")) {
      return Files.readAllLines(source.piecesFrom);
    }
    return SentencePieceModel.read(source.piecesFrom).pieces().stream()
        .filter(piece -> piece.type() == PieceType.NORMAL)
        .map(SentencePieceModel.Piece::text)
        .toList();
  }

  private long count() throws IOException {
    long texts = 0;
    try (TextSource all = new TextSource(source.texts.files, json.keys)) {
      for (; all.hasNext(); texts++) {
        all.next();
      }
    }
    return texts;
  }

  private Extension learn(SentencePieceModel old, long learned) throws IOException {
    ExtensionConfig config =
        new ExtensionConfig(source.texts.pieces, characterCoverage, sample.toTrainingSample());
    try (TextSource all = new TextSource(source.texts.files, json.keys)) {
      return VocabularyExtender.learn(old, first(all, learned), config, this::progress);
    }
  }

  private static Iterator<String> first(Iterator<String> all, long limit) {
    return new Iterator<>() {
      private long given;

      @Override
      public boolean hasNext() {
        return given < limit && all.hasNext();
      }

      @Override
      public String next() {
        given++;
        return all.next();
      }
    };
  }

  private void write(Extension extension, long start) throws IOException {
    extension.model().write(output);
    out.printf(
        Locale.ROOT,
        "%s: %d pieces, %d of them new, sha256 %s, %.1f s%n",
        output,
        extension.model().pieces().size(),
        extension.newPieces().size(),
        extension.model().sha256(),
        (System.nanoTime() - start) / 1e9);
    List<String> unreachable = extension.unreachable();
    if (!unreachable.isEmpty()) {
      out.printf(
          "%d pieces left out, because encoding would never make them: %s%s%n",
          unreachable.size(),
          String.join(" ", unreachable.subList(0, Math.min(SHOWN, unreachable.size()))),
          unreachable.size() > SHOWN ? " ..." : "");
    }
  }

  private void compare(SentencePieceModel old, SentencePieceModel extended, long learned, long held)
      throws IOException {
    if (held == 0) {
      out.println("too few texts to keep some aside");
      return;
    }
    Encoder before = SentencePieceTokenizer.of(old).newEncoder();
    Encoder after = SentencePieceTokenizer.of(extended).newEncoder();
    TokenBuffer ids = new TokenBuffer(0);
    long characters = 0;
    long tokensBefore = 0;
    long tokensAfter = 0;
    try (TextSource all = new TextSource(source.texts.files, json.keys)) {
      for (long i = 0; all.hasNext(); i++) {
        String text = all.next();
        if (i >= learned) {
          characters += text.codePointCount(0, text.length());
          ids.clear();
          tokensBefore += before.encode(text, ids);
          ids.clear();
          tokensAfter += after.encode(text, ids);
        }
      }
    }
    out.printf(
        Locale.ROOT,
        "last %d texts, %d characters: %d tokens (%.4f a character) before, %d (%.4f) after%n",
        held,
        characters,
        tokensBefore,
        (double) tokensBefore / Math.max(1, characters),
        tokensAfter,
        (double) tokensAfter / Math.max(1, characters));
  }

  private void progress(String phase, long done, long total) {
    err.println(phase + " " + done + (total > 0 ? " of " + total : ""));
    err.flush();
  }
}
