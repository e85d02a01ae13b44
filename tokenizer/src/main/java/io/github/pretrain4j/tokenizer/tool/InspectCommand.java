package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.sentencepiece.PieceType;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code inspect}: what a tokenizer is. */
@Command(
    name = "inspect",
    mixinStandardHelpOptions = true,
    description = "Describes a tokenizer; with --pieces, lists its vocabulary.")
final class InspectCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "MODEL", description = "Tokenizer file or directory.")
  Path model = Path.of("");

  @Option(
      names = "--pieces",
      description = "List every piece: id, type, text, and the score if pieces have one.")
  boolean pieces;

  @Mixin LoadingOptions loading = new LoadingOptions();

  InspectCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    Tokenizer tokenizer = Tokenizers.load(model, loading.toTokenizerOptions());
    print("sha256", tokenizer.sha256());
    print("vocabulary size", tokenizer.vocabularySize());
    print("bos id", show(tokenizer, tokenizer.bosId()));
    print("eos id", show(tokenizer, tokenizer.eosId()));
    print("pad id", show(tokenizer, tokenizer.padId()));
    print("unk id", show(tokenizer, tokenizer.unkId()));
    if (tokenizer instanceof SentencePieceTokenizer sentencePiece) {
      describe(sentencePiece);
    } else {
      describe(tokenizer);
    }
    return 0;
  }

  private void describe(SentencePieceTokenizer tokenizer) {
    SentencePieceModel held = tokenizer.model();
    print("model type", "SentencePiece " + held.modelType());
    print("normalization", held.normalizationName());
    print("add dummy prefix", held.addDummyPrefix());
    print("remove extra whitespaces", held.removeExtraWhitespaces());
    print("byte fallback", held.byteFallback());
    Map<PieceType, Integer> counts = new EnumMap<>(PieceType.class);
    held.pieces().forEach(piece -> counts.merge(piece.type(), 1, Integer::sum));
    print("pieces by type", counts);
    if (pieces) {
      List<SentencePieceModel.Piece> all = held.pieces();
      for (int id = 0; id < all.size(); id++) {
        SentencePieceModel.Piece piece = all.get(id);
        out.println(id + "\t" + piece.type() + "\t" + piece.score() + "\t" + piece.text());
      }
    }
  }

  private void describe(Tokenizer tokenizer) {
    long special =
        IntStream.range(0, tokenizer.vocabularySize()).filter(tokenizer::isSpecial).count();
    print("special tokens", special);
    if (pieces) {
      for (int id = 0; id < tokenizer.vocabularySize(); id++) {
        String kind = tokenizer.isSpecial(id) ? "special" : "normal";
        out.println(id + "\t" + kind + "\t" + tokenizer.piece(id));
      }
    }
  }

  private static String show(Tokenizer tokenizer, OptionalInt id) {
    return id.isPresent() ? id.getAsInt() + " " + tokenizer.piece(id.getAsInt()) : "none";
  }

  private void print(String what, Object value) {
    out.println(what + ": " + value);
  }
}
