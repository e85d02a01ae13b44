package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.file.Path;

/**
 * The fields of a model's {@code TrainerSpec} that matter after training. Defaults are those of the
 * format. Mutable while it is read or built, shared only afterwards.
 */
final class TrainerSpec {
  static final int UNIGRAM = 1;
  static final int BPE = 2;
  static final int WORD = 3;
  static final int CHAR = 4;

  int modelType = UNIGRAM;
  int vocabSize = 8000;
  boolean treatWhitespaceAsSuffix;
  boolean byteFallback;
  int unkId = 0;
  int bosId = 1;
  int eosId = 2;
  int padId = -1;
  String unkSurface = " \u2047 ";
  String unkPiece = "<unk>";
  String bosPiece = "<s>";
  String eosPiece = "</s>";
  String padPiece = "<pad>";

  /** Which pieces a training may make; read only to go on with a training. */
  PieceRules pieceRules = PieceRules.defaults();

  /** Fields to write besides, encoded. */
  byte[] otherFields = new byte[0];

  static TrainerSpec read(ProtobufReader in) throws CorruptTokenizerException {
    TrainerSpec spec = new TrainerSpec();
    PieceRules rules = spec.pieceRules;
    int maxLength = rules.maxPieceLength();
    boolean byScript = rules.splitByUnicodeScript();
    boolean byNumber = rules.splitByNumber();
    boolean digits = rules.splitDigits();
    boolean bySpace = rules.splitByWhitespace();
    boolean spacesOnly = rules.allowWhitespaceOnlyPieces();
    while (in.next()) {
      switch (in.field()) {
        case 3 -> {
          int code = in.int32("model_type");
          if (code < UNIGRAM || code > CHAR) {
            throw in.corrupt(in.fieldOffset(), "model_type", "1 to 4", code);
          }
          spec.modelType = code;
        }
        case 4 -> spec.vocabSize = in.int32("vocab_size");
        case 20 -> maxLength = in.int32("max_sentencepiece_length");
        case 21 -> byScript = in.bool("split_by_unicode_script");
        case 22 -> bySpace = in.bool("split_by_whitespace");
        case 23 -> byNumber = in.bool("split_by_number");
        case 25 -> digits = in.bool("split_digits");
        case 26 -> spacesOnly = in.bool("allow_whitespace_only_pieces");
        case 24 -> spec.treatWhitespaceAsSuffix = in.bool("treat_whitespace_as_suffix");
        case 35 -> spec.byteFallback = in.bool("byte_fallback");
        case 40 -> spec.unkId = in.int32("unk_id");
        case 41 -> spec.bosId = in.int32("bos_id");
        case 42 -> spec.eosId = in.int32("eos_id");
        case 43 -> spec.padId = in.int32("pad_id");
        case 44 -> spec.unkSurface = in.string("unk_surface");
        case 45 -> spec.unkPiece = orDefault(in.string("unk_piece"), "<unk>");
        case 46 -> spec.bosPiece = orDefault(in.string("bos_piece"), "<s>");
        case 47 -> spec.eosPiece = orDefault(in.string("eos_piece"), "</s>");
        case 48 -> spec.padPiece = orDefault(in.string("pad_piece"), "<pad>");
        default -> in.skip();
      }
    }
    int length = Math.max(1, Math.min(maxLength, PieceRules.MAX_LENGTH));
    spec.pieceRules = new PieceRules(byScript, byNumber, digits, bySpace, spacesOnly, length);
    return spec;
  }

  /** An encoded spec with another {@code vocab_size} and every other field as it was. */
  static byte[] withVocabSize(byte[] encoded, int vocabSize, Path file)
      throws CorruptTokenizerException {
    ProtobufWriter out = new ProtobufWriter();
    ProtobufReader in = new ProtobufReader(encoded, file);
    boolean replaced = false;
    while (in.next()) {
      boolean size = in.field() == 4;
      byte[] whole = in.skip();
      if (!size) {
        out.raw(whole);
      } else if (!replaced) {
        out.int32(4, vocabSize);
        replaced = true;
      }
    }
    return (replaced ? out : out.int32(4, vocabSize)).toByteArray();
  }

  ProtobufWriter write() {
    return new ProtobufWriter()
        .int32(3, modelType)
        .int32(4, vocabSize)
        .raw(otherFields)
        .bool(24, treatWhitespaceAsSuffix)
        .bool(35, byteFallback)
        .int32(40, unkId)
        .int32(41, bosId)
        .int32(42, eosId)
        .int32(43, padId)
        .string(44, unkSurface)
        .string(45, unkPiece)
        .string(46, bosPiece)
        .string(47, eosPiece)
        .string(48, padPiece);
  }

  String modelTypeName() {
    return switch (modelType) {
      case UNIGRAM -> "UNIGRAM";
      case BPE -> "BPE";
      case WORD -> "WORD";
      default -> "CHAR";
    };
  }

  private static String orDefault(String value, String fallback) {
    return value.isEmpty() ? fallback : value;
  }
}
