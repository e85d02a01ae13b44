package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.io.ByteArrayOutputStream;

/**
 * The fields of a model's {@code TrainerSpec} that matter after training; the rest is kept as
 * bytes. Defaults are those of the format. Mutable while it is read or built, shared only
 * afterwards.
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
  byte[] otherFields = new byte[0];

  static TrainerSpec read(ProtobufReader in) throws CorruptTokenizerException {
    TrainerSpec spec = new TrainerSpec();
    ByteArrayOutputStream others = new ByteArrayOutputStream();
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
        default -> others.writeBytes(in.skip());
      }
    }
    spec.otherFields = others.toByteArray();
    return spec;
  }

  ProtobufWriter write() {
    return new ProtobufWriter()
        .raw(otherFields)
        .int32(3, modelType)
        .int32(4, vocabSize)
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
