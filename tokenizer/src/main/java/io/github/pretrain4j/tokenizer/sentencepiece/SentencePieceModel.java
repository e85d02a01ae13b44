package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.TokenizerWriteException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece model file: the vocabulary and how text is prepared for it. Immutable.
 *
 * <p>Reading checks the structure and every rule the reference program checks when it loads a
 * model; the layout is in the package description.
 */
public final class SentencePieceModel {
  /** Larger than any model in use by a factor of ten. */
  static final long MAX_FILE_BYTES = 64L << 20;

  static final int MAX_PIECES = 1 << 20;
  static final int MAX_PIECE_CHARS = 4096;

  /**
   * A string of the vocabulary; its id is its place in the list.
   *
   * @param text never empty
   * @param score priority of merging, higher first
   * @param type what it is for
   */
  public record Piece(String text, float score, PieceType type) {}

  /** A self-test of the file: {@code expected} is pieces joined by single spaces. */
  record Sample(String input, String expected) {}

  private final Path file;
  private final String sha256;
  private final List<Piece> pieces;
  private final TrainerSpec trainer;
  private final NormalizerSpec normalizer;
  private final @Nullable NormalizerSpec denormalizer;
  private final List<Sample> samples;
  private final byte[] encoded;

  private SentencePieceModel(Parts parts, byte[] bytes, Path file) {
    this.file = file;
    this.sha256 = sha256(bytes);
    this.pieces = List.copyOf(parts.pieces);
    this.trainer = parts.trainer;
    this.normalizer = parts.normalizer;
    this.denormalizer = parts.denormalizer;
    this.samples = List.copyOf(parts.samples);
    this.encoded = bytes;
  }

  /**
   * Reads a model file.
   *
   * @throws CorruptTokenizerException if it is not a sound model
   */
  public static SentencePieceModel read(Path file) throws IOException {
    long size = Files.size(file);
    if (size > MAX_FILE_BYTES) {
      throw new CorruptTokenizerException(
          file, 0, "file size", "at most " + MAX_FILE_BYTES + " bytes", size);
    }
    return parseOwned(Files.readAllBytes(file), file);
  }

  /**
   * Reads a model from memory.
   *
   * @param bytes the whole file; copied
   * @param file its name in messages
   * @throws CorruptTokenizerException if it is not a sound model
   */
  public static SentencePieceModel parse(byte[] bytes, Path file) throws CorruptTokenizerException {
    return parseOwned(bytes.clone(), file);
  }

  private static SentencePieceModel parseOwned(byte[] bytes, Path file)
      throws CorruptTokenizerException {
    if (bytes.length == 0) {
      throw new CorruptTokenizerException(file, 0, "file size", "at least one piece", "0 bytes");
    }
    Parts parts = new Parts();
    parts.read(new ProtobufReader(bytes, file));
    parts.check(file);
    return new SentencePieceModel(parts, bytes, file);
  }

  /** A new model, checked as if it had been read. */
  static SentencePieceModel create(
      List<Piece> pieces, TrainerSpec trainer, NormalizerSpec normalizer) {
    ProtobufWriter out = new ProtobufWriter();
    pieces.forEach(piece -> out.message(1, encode(piece)));
    out.message(2, trainer.write()).message(3, normalizer.write());
    return ofOwned(out.toByteArray());
  }

  /**
   * This model with more pieces after its own. All else stays byte for byte, unknown fields
   * included, but for {@code vocab_size}; self-test samples are left out, because their expected
   * pieces may no longer be right.
   */
  SentencePieceModel withMorePieces(List<Piece> more) {
    int lastPiece = -1;
    List<byte[]> fields = new ArrayList<>();
    try {
      ProtobufReader in = new ProtobufReader(encoded, file);
      while (in.next()) {
        int field = in.field();
        byte[] whole = in.skip();
        if (field == 1) {
          lastPiece = fields.size();
        } else if (field == 2) {
          ProtobufReader inner = new ProtobufReader(whole, file);
          inner.next();
          byte[] spec =
              TrainerSpec.withVocabSize(
                  inner.bytes("trainer_spec"), pieces.size() + more.size(), file);
          whole = new ProtobufWriter().bytes(2, spec).toByteArray();
        }
        if (field != 4) {
          fields.add(whole);
        }
      }
    } catch (CorruptTokenizerException e) {
      throw new IllegalStateException("a model that was read is damaged", e);
    }
    ProtobufWriter out = new ProtobufWriter();
    for (int i = 0; i < fields.size(); i++) {
      out.raw(fields.get(i));
      if (i == lastPiece) {
        more.forEach(piece -> out.message(1, encode(piece)));
      }
    }
    return ofOwned(out.toByteArray());
  }

  private static SentencePieceModel ofOwned(byte[] bytes) {
    try {
      return parseOwned(bytes, Path.of("(new model)"));
    } catch (CorruptTokenizerException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private static ProtobufWriter encode(Piece piece) {
    ProtobufWriter out = new ProtobufWriter().string(1, piece.text).float32(2, piece.score);
    return piece.type == PieceType.NORMAL ? out : out.int32(3, piece.type.code());
  }

  /** The vocabulary in the order of ids. */
  public List<Piece> pieces() {
    return pieces;
  }

  /** {@code UNIGRAM}, {@code BPE}, {@code WORD} or {@code CHAR}. */
  public String modelType() {
    return trainer.modelTypeName();
  }

  /** Whether characters without a piece become {@link PieceType#BYTE} pieces. */
  public boolean byteFallback() {
    return trainer.byteFallback;
  }

  /** The name of the normalisation, {@code identity} or {@code nmt_nfkc}; informative. */
  public String normalizationName() {
    return normalizer.name;
  }

  /** Whether a space is put before every text. */
  public boolean addDummyPrefix() {
    return normalizer.addDummyPrefix;
  }

  /** Whether spaces at the ends and repeated spaces are dropped. */
  public boolean removeExtraWhitespaces() {
    return normalizer.removeExtraWhitespaces;
  }

  /** SHA-256 of the file in lower-case hex. */
  public String sha256() {
    return sha256;
  }

  /** The file as bytes; those that were read, if it was read. */
  public byte[] toByteArray() {
    return encoded.clone();
  }

  /**
   * Writes the file: beside it first, flushed, then renamed over it.
   *
   * @throws TokenizerWriteException if the bytes cannot be written
   */
  public void write(Path target) throws IOException {
    Path absolute = target.toAbsolutePath();
    Path temporary = absolute.resolveSibling("." + absolute.getFileName() + ".tmp");
    try {
      try (FileChannel channel =
          FileChannel.open(
              temporary,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        write(channel, ByteBuffer.wrap(toByteArray()), target);
      }
      Files.move(
          temporary, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  static void write(FileChannel channel, ByteBuffer bytes, Path target)
      throws TokenizerWriteException {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    } catch (IOException e) {
      throw new TokenizerWriteException(target, bytes.position(), e);
    }
  }

  Path file() {
    return file;
  }

  TrainerSpec trainer() {
    return trainer;
  }

  NormalizerSpec normalizer() {
    return normalizer;
  }

  @Nullable NormalizerSpec denormalizer() {
    return denormalizer;
  }

  List<Sample> samples() {
    return samples;
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java runtime has SHA-256", e);
    }
  }

  /** What reading collects. */
  private static final class Parts {
    final List<Piece> pieces = new ArrayList<>();
    final List<Integer> pieceOffsets = new ArrayList<>();
    final List<Sample> samples = new ArrayList<>();
    TrainerSpec trainer = new TrainerSpec();
    NormalizerSpec normalizer = new NormalizerSpec();
    @Nullable NormalizerSpec denormalizer;

    void read(ProtobufReader in) throws CorruptTokenizerException {
      while (in.next()) {
        switch (in.field()) {
          case 1 -> {
            int at = in.fieldOffset();
            if (pieces.size() == MAX_PIECES) {
              throw in.corrupt(at, "number of pieces", "at most " + MAX_PIECES, "more");
            }
            pieceOffsets.add(at);
            pieces.add(readPiece(in.message("piece"), at));
          }
          case 2 -> trainer = TrainerSpec.read(in.message("trainer_spec"));
          case 3 -> normalizer = NormalizerSpec.read(in.message("normalizer_spec"));
          case 4 -> readSamples(in.message("self_test_data"));
          case 5 -> denormalizer = NormalizerSpec.read(in.message("denormalizer_spec"));
          default -> in.skip();
        }
      }
    }

    private static Piece readPiece(ProtobufReader in, int at) throws CorruptTokenizerException {
      String text = "";
      float score = 0;
      PieceType type = PieceType.NORMAL;
      while (in.next()) {
        switch (in.field()) {
          case 1 -> text = in.string("piece text");
          case 2 -> {
            score = in.float32("score");
            if (Float.isNaN(score)) {
              throw in.corrupt(in.fieldOffset(), "score", "a number", "NaN");
            }
          }
          case 3 -> {
            int code = in.int32("piece type");
            PieceType known = PieceType.of(code);
            if (known == null) {
              throw in.corrupt(in.fieldOffset(), "piece type", "1 to 6", code);
            }
            type = known;
          }
          default -> in.skip();
        }
      }
      if (text.isEmpty()) {
        throw in.corrupt(at, "piece text", "at least one character", "none");
      }
      if (text.length() > MAX_PIECE_CHARS) {
        throw in.corrupt(at, "length of piece text", "at most " + MAX_PIECE_CHARS, text.length());
      }
      return new Piece(text, score, type);
    }

    private void readSamples(ProtobufReader in) throws CorruptTokenizerException {
      while (in.next()) {
        if (in.field() != 1) {
          in.skip();
          continue;
        }
        ProtobufReader sample = in.message("self-test sample");
        String input = "";
        String expected = "";
        while (sample.next()) {
          switch (sample.field()) {
            case 1 -> input = sample.string("self-test input");
            case 2 -> expected = sample.string("self-test result");
            default -> sample.skip();
          }
        }
        samples.add(new Sample(input, expected));
      }
    }

    /** The rules that take more than one piece to check. */
    void check(Path file) throws CorruptTokenizerException {
      Set<String> normal = new HashSet<>(2 * pieces.size());
      Set<String> reserved = new HashSet<>();
      int unknowns = 0;
      int byteCount = 0;
      for (int id = 0; id < pieces.size(); id++) {
        Piece piece = pieces.get(id);
        int at = pieceOffsets.get(id);
        if (!(piece.type.mergeable() ? normal : reserved).add(piece.text)) {
          throw new CorruptTokenizerException(
              file, at, "piece " + id, "a text not seen before", "\"" + piece.text + "\" again");
        }
        if (piece.type == PieceType.UNKNOWN && ++unknowns > 1) {
          throw new CorruptTokenizerException(
              file, at, "piece " + id, "one UNKNOWN piece", "a second");
        }
        if (piece.type == PieceType.BYTE) {
          byteCount++;
          if (!trainer.byteFallback) {
            throw new CorruptTokenizerException(
                file, at, "piece " + id, "no BYTE piece (byte_fallback is off)", piece.text);
          }
          if (byteValue(piece.text) < 0) {
            throw new CorruptTokenizerException(
                file, at, "piece " + id, "<0x00> to <0xFF>", piece.text);
          }
        }
      }
      if (unknowns == 0) {
        throw new CorruptTokenizerException(file, 0, "pieces", "one of type UNKNOWN", "none");
      }
      if (trainer.byteFallback && byteCount != 256) {
        throw new CorruptTokenizerException(
            file, 0, "BYTE pieces (byte_fallback is on)", 256, byteCount);
      }
    }
  }

  /** The byte that a text like {@code <0x0A>} stands for, or -1. */
  static int byteValue(String text) {
    if (text.length() != 6 || !text.startsWith("<0x") || text.charAt(5) != '>') {
      return -1;
    }
    int high = "0123456789ABCDEF".indexOf(text.charAt(3));
    int low = "0123456789ABCDEF".indexOf(text.charAt(4));
    return high < 0 || low < 0 ? -1 : high << 4 | low;
  }
}
