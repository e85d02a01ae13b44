package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece BPE tokenizer with the ids, pieces and texts of the C++ library. Immutable and
 * thread-safe.
 */
public final class SentencePieceTokenizer implements Tokenizer {
  private final SentencePieceModel model;
  private final Normalizer normalizer;
  private final @Nullable UserSymbols userSymbols;
  private final BpeVocabulary vocabulary;
  private final Map<String, Integer> idOfPiece = new HashMap<>();

  private SentencePieceTokenizer(SentencePieceModel model) throws CorruptTokenizerException {
    this.model = model;
    this.userSymbols = UserSymbols.of(model.pieces());
    this.normalizer =
        Normalizer.of(
            model.normalizer(), model.trainer().treatWhitespaceAsSuffix, userSymbols, model.file());
    this.vocabulary = new BpeVocabulary(model);
    List<SentencePieceModel.Piece> pieces = model.pieces();
    for (int id = 0; id < pieces.size(); id++) {
      if (pieces.get(id).type().mergeable()) {
        idOfPiece.putIfAbsent(pieces.get(id).text(), id);
      } else {
        idOfPiece.put(pieces.get(id).text(), id); // reserved pieces come first
      }
    }
  }

  /**
   * Loads a model file.
   *
   * @throws CorruptTokenizerException if it is damaged
   * @throws UnsupportedTokenizerException if it is not a BPE model
   */
  public static SentencePieceTokenizer load(Path file) throws IOException {
    return of(SentencePieceModel.read(file));
  }

  /**
   * A tokenizer for a model.
   *
   * @throws CorruptTokenizerException if the model fails its own self-test
   * @throws UnsupportedTokenizerException if it is not a BPE model
   */
  public static SentencePieceTokenizer of(SentencePieceModel model) throws IOException {
    if (model.trainer().modelType != TrainerSpec.BPE) {
      throw new UnsupportedTokenizerException(
          model.file(), "model_type " + model.modelType(), "use a BPE model");
    }
    NormalizerSpec denormalizer = model.denormalizer();
    if (denormalizer != null && denormalizer.precompiledCharsmap.length > 0) {
      throw new UnsupportedTokenizerException(
          model.file(), "denormalizer_spec", "use a model without one");
    }
    SentencePieceTokenizer tokenizer = new SentencePieceTokenizer(model);
    tokenizer.selfTest();
    return tokenizer;
  }

  private void selfTest() throws CorruptTokenizerException {
    for (SentencePieceModel.Sample sample : model.samples()) {
      String found = String.join(" ", encodePieces(sample.input()));
      if (!found.equals(sample.expected())) {
        throw new CorruptTokenizerException(
            model.file(),
            0,
            "self-test \"" + sample.input() + "\"",
            "\"" + sample.expected() + "\"",
            "\"" + found + "\"");
      }
    }
  }

  /** The model this tokenizer was made from. */
  public SentencePieceModel model() {
    return model;
  }

  @Override
  public int vocabularySize() {
    return vocabulary.pieceCount;
  }

  @Override
  public int[] encode(String text) {
    return encode(normalizer.normalize(text));
  }

  @Override
  public Encoder newEncoder() {
    return new Encoder() {
      @Override
      public int encode(CharSequence text, TokenBuffer out) {
        return append(SentencePieceTokenizer.this.encode(text.toString()), out);
      }

      @Override
      public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
        return append(
            SentencePieceTokenizer.this.encodeUtf8(Arrays.copyOfRange(utf8, from, to)), out);
      }

      private int append(int[] ids, TokenBuffer out) {
        for (int id : ids) {
          out.add(id);
        }
        return ids.length;
      }
    };
  }

  @Override
  public Encoding encode(String text, OffsetUnit unit) {
    throw new UnsupportedOperationException("offsets come with the next commit");
  }

  @Override
  public int[] withSpecialTokens(int[] ids) {
    return ids.clone();
  }

  @Override
  public OptionalInt id(String piece) {
    Integer id = idOfPiece.get(piece);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  @Override
  public boolean isSpecial(int id) {
    PieceType type = pieceOf(id).type();
    return type == PieceType.CONTROL || type == PieceType.UNKNOWN;
  }

  /** The ids of UTF-8 bytes; each malformed byte counts as one U+FFFD. */
  public int[] encodeUtf8(byte[] text) {
    return encode(normalizer.normalizeUtf8(text));
  }

  private int[] encode(TextBuffer normalized) {
    BpeEncoder encoder = new BpeEncoder(vocabulary, userSymbols, false);
    encoder.encode(normalized);
    return encoder.ids();
  }

  /**
   * What {@link #encode} finds, as strings: the normalised text of each id, or {@code <0xHH>} for a
   * byte.
   */
  public List<String> encodePieces(String text) {
    TextBuffer normalized = normalizer.normalize(text);
    BpeEncoder encoder = new BpeEncoder(vocabulary, userSymbols, true);
    encoder.encode(normalized);
    int[] ids = encoder.ids();
    List<String> pieces = new ArrayList<>(ids.length);
    int begin = 0;
    for (int i = 0; i < ids.length; i++) {
      boolean isByte = vocabulary.type[ids[i]] == PieceType.BYTE;
      int end = encoder.end(i);
      pieces.add(isByte ? piece(ids[i]) : new String(normalized.chars, begin, end - begin));
      begin = end;
    }
    return pieces;
  }

  /** The text as the model sees it. */
  public String normalize(String text) {
    return normalizer.normalize(text).toString();
  }

  @Override
  public String decode(int[] ids) {
    StringBuilder text = new StringBuilder(ids.length * 4);
    SentencePieceDecoder decoder = new SentencePieceDecoder(this);
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    return text.append(decoder.finish()).toString();
  }

  @Override
  public StreamingDecoder streamingDecoder() {
    return new SentencePieceDecoder(this);
  }

  /** The id of a piece; the unknown id if there is no such piece. */
  public int idOf(String piece) {
    return idOfPiece.getOrDefault(piece, vocabulary.unknownId);
  }

  @Override
  public OptionalInt unkId() {
    return OptionalInt.of(vocabulary.unknownId);
  }

  @Override
  public OptionalInt bosId() {
    return control(model.trainer().bosPiece);
  }

  @Override
  public OptionalInt eosId() {
    return control(model.trainer().eosPiece);
  }

  @Override
  public OptionalInt padId() {
    return control(model.trainer().padPiece);
  }

  @Override
  public int eodId() {
    return eosId()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    model.file()
                        + ": no CONTROL piece "
                        + model.trainer().eosPiece
                        + " to end a document with"));
  }

  private OptionalInt control(String piece) {
    int id = idOf(piece);
    return vocabulary.type[id] == PieceType.CONTROL ? OptionalInt.of(id) : OptionalInt.empty();
  }

  @Override
  public String piece(int id) {
    return pieceOf(id).text();
  }

  @Override
  public String sha256() {
    return model.sha256();
  }

  SentencePieceModel.Piece pieceOf(int id) {
    if (id < 0 || id >= vocabulary.pieceCount) {
      throw new IllegalArgumentException(
          "id " + id + " is not in 0 to " + (vocabulary.pieceCount - 1));
    }
    return model.pieces().get(id);
  }

  String unknownSurface() {
    return model.trainer().unkSurface;
  }

  boolean removesExtraWhitespaces() {
    return model.normalizer().removeExtraWhitespaces;
  }

  boolean dropsFirstSpace() {
    return model.normalizer().addDummyPrefix || removesExtraWhitespaces();
  }
}
