package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece tokenizer, BPE, unigram, word or char, with the ids, pieces, offsets and texts of
 * the C++ library. Immutable and thread-safe.
 */
public final class SentencePieceTokenizer implements Tokenizer {
  private final SentencePieceModel model;
  private final SentencePieceEngine engine;
  private final PieceTable pieces;
  private final @Nullable Normalizer denormalizer;
  private final int cacheSlots;

  /** Encoders for {@link #encode(String)}, as many as there were threads in it at once. */
  private final Queue<Encoder> idleEncoders = new ConcurrentLinkedQueue<>();

  private SentencePieceTokenizer(SentencePieceModel model, TokenizerOptions options)
      throws CorruptTokenizerException {
    this.model = model;
    this.engine = new SentencePieceEngine(model, options.unigramScores());
    this.pieces = engine.pieces;
    this.cacheSlots = options.cacheSlots();
    NormalizerSpec spec = model.denormalizer();
    this.denormalizer =
        spec == null || spec.precompiledCharsmap.length == 0
            ? null
            : Normalizer.of(spec, false, null, model.file());
  }

  /**
   * Loads a model file with the default options.
   *
   * @throws CorruptTokenizerException if it is damaged
   */
  public static SentencePieceTokenizer load(Path file) throws IOException {
    return of(SentencePieceModel.read(file));
  }

  /**
   * A tokenizer for a model, with the default options.
   *
   * @throws CorruptTokenizerException if the model fails its own self-test
   */
  public static SentencePieceTokenizer of(SentencePieceModel model)
      throws CorruptTokenizerException {
    return create(model, TokenizerOptions.defaults());
  }

  /**
   * A tokenizer for a model.
   *
   * @throws CorruptTokenizerException if the model fails its own self-test
   * @throws UnsupportedTokenizerException if the options ask for special tokens in text, which
   *     SentencePiece does not have
   */
  public static SentencePieceTokenizer of(SentencePieceModel model, TokenizerOptions options)
      throws IOException {
    if (options.specialTokens() == SpecialTokens.MATCH) {
      throw new UnsupportedTokenizerException(
          model.file(),
          "matching special tokens in text",
          "SentencePiece never produces a CONTROL piece from text; use a tokenizer.json");
    }
    return create(model, options);
  }

  private static SentencePieceTokenizer create(SentencePieceModel model, TokenizerOptions options)
      throws CorruptTokenizerException {
    SentencePieceTokenizer tokenizer = new SentencePieceTokenizer(model, options);
    tokenizer.selfTest();
    return tokenizer;
  }

  /** Unigram models may have equally good divisions; the reference compares those by score. */
  private void selfTest() throws CorruptTokenizerException {
    for (SentencePieceModel.Sample sample : model.samples()) {
      List<String> found = encodePieces(sample.input());
      String joined = String.join(" ", found);
      if (!joined.equals(sample.expected())
          && !(engine.unigram != null && isAsLikely(sample.expected(), found))) {
        throw new CorruptTokenizerException(
            model.file(),
            0,
            "self-test \"" + sample.input() + "\"",
            "\"" + sample.expected() + "\"",
            "\"" + joined + "\"");
      }
    }
  }

  private boolean isAsLikely(String expected, List<String> found) {
    double wanted = Stream.of(expected.split(" ", -1)).mapToDouble(this::score).sum();
    double got = found.stream().mapToDouble(this::score).sum();
    return Math.abs(wanted - got) <= 1e-7;
  }

  private double score(String piece) {
    return pieces.piece(pieces.id(piece)).score();
  }

  /** The model this tokenizer was made from. */
  public SentencePieceModel model() {
    return model;
  }

  @Override
  public int vocabularySize() {
    return pieces.size();
  }

  @Override
  public Encoder newEncoder() {
    return new SentencePieceEncoder(engine, cacheSlots);
  }

  @Override
  public int[] encode(String text) {
    Encoder idle = idleEncoders.poll();
    Encoder encoder = idle == null ? newEncoder() : idle;
    TokenBuffer ids = new TokenBuffer(0);
    encoder.encode(text, ids);
    idleEncoders.add(encoder);
    return ids.toArray();
  }

  /**
   * {@inheritDoc}
   *
   * <p>The pieces are what the reference calls so: the prepared text of each id, {@code <0xHH>} for
   * a byte. Of a character that fell back to bytes all but the last have an empty range.
   */
  @Override
  public Encoding encode(String text, OffsetUnit unit) {
    return new OffsetEncoder(engine).encode(text, unit);
  }

  /** The pieces of {@link #encode(String, OffsetUnit)}. */
  public List<String> encodePieces(String text) {
    return encode(text, OffsetUnit.UTF8_BYTES).pieces();
  }

  @Override
  public int[] withSpecialTokens(int[] ids) {
    return ids.clone();
  }

  /** The text as the model sees it. */
  public String normalize(String text) {
    return engine.normalizer.normalize(text);
  }

  @Override
  public String decode(int[] ids) {
    StringBuilder text = new StringBuilder(ids.length * 4);
    StreamingDecoder decoder = streamingDecoder();
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    return text.append(decoder.finish()).toString();
  }

  @Override
  public StreamingDecoder streamingDecoder() {
    SentencePieceDecoder decoder = new SentencePieceDecoder(this);
    return denormalizer == null ? decoder : new DenormalizingDecoder(decoder, denormalizer);
  }

  /** The id of a piece; the unknown id if there is no such piece. */
  public int idOf(String piece) {
    return pieces.id(piece);
  }

  @Override
  public OptionalInt unkId() {
    return OptionalInt.of(pieces.unknownId());
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
    return pieces.type(id) == PieceType.CONTROL ? OptionalInt.of(id) : OptionalInt.empty();
  }

  @Override
  public OptionalInt id(String piece) {
    return pieces.find(piece);
  }

  @Override
  public boolean isSpecial(int id) {
    PieceType type = pieceOf(id).type();
    return type == PieceType.CONTROL || type == PieceType.UNKNOWN;
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
    return pieces.piece(id);
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
