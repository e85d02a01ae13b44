package io.github.pretrain4j.tokenizer.djl;

import io.github.pretrain4j.tokenizer.sentencepiece.PieceType;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import java.util.List;
import java.util.Random;

/**
 * Strings that tokenizers stumble over, made of a model's own pieces, whole, halved and repeated,
 * and of what Unicode has to offer. One seed is one endless sequence of strings.
 */
final class AdversarialText {
  private static final List<String> ODDITIES =
      List.of(
          // spaces, controls, ends of lines, invisible characters
          " ",
          "  ",
          "       ",
          "\t",
          "\n",
          "\r\n",
          "\u0000",
          "\u0001",
          "\u001F",
          "\u007F",
          "\u0085",
          "\u00A0",
          "\u00AD",
          "\u2028",
          "\u3000",
          "\u200B",
          "\u200C",
          "\u200D",
          "\u200E",
          "\u202E",
          "\uFEFF",
          "\uFE0F",
          "\uFFFC",
          "\uFFFD",
          "\uFFFF",
          "\uFDD0",
          "\uE000",
          "\u0378",
          // what the model uses itself
          "\u2581",
          "\u2581\u2581",
          "<s>",
          "</s>",
          "<unk>",
          "<pad>",
          "<0x41>",
          "<0xE4>",
          "<sep>",
          // lone surrogates
          "\uD800",
          "\uDC00",
          "\uDBFF",
          "\uDFFF\uD83D",
          // the ends of the supplementary planes, emoji sequences
          "\uD800\uDC00",
          "\uDBFF\uDFFF",
          "\uD835\uDC00",
          "\uD840\uDC00",
          "\uD83D\uDE00",
          "\uD83D\uDC68\u200D\uD83D\uDC69\u200D\uD83D\uDC67",
          "\uD83D\uDC4D\uD83C\uDFFD",
          "\uD83C\uDDE8\uD83C\uDDF3",
          "1\uFE0F\u20E3",
          // what normalisation composes, decomposes, widens, narrows, folds
          "e\u0301",
          "q\u0307\u0323",
          "\u0301",
          "\u1E9B\u0323",
          "\u1100\u1161\u11A8",
          "\uAC00\u11A8",
          "\uFB01",
          "\uFB03",
          "\u337F",
          "\u3314",
          "\u00BD",
          "\uFF21",
          "\uFF76\uFF9E",
          "\u2460",
          "\u0130",
          "\u00DF",
          "\u1E9E",
          "\u03A3",
          "\u03C2",
          "\u01C6",
          "\uFDFA",
          "\u0E33",
          // right to left
          "\u05E9\u05C1\u05B8\u05DC\u05D5\u05B9\u05DD",
          "\u0627\u0644\u0644\u0651\u064E");

  private static final int[] BLOCK_STARTS = {
    0x00, 0x20, 0x100, 0x300, 0x370, 0x5D0, 0x600, 0x900, 0xE00, 0x1100, 0x1E00, 0x2000, 0x2460,
    0x3000, 0x3040, 0x4E00, 0x5200, 0x6700, 0x7E00, 0xAC00, 0xD7A0, 0xE000, 0xF900, 0xFB00, 0xFF00,
    0x10000, 0x1D400, 0x1F600, 0x20000, 0xE0000, 0x10FF00
  };

  private final Random random;
  private final List<SentencePieceModel.Piece> pieces;
  private final List<SentencePieceModel.Piece> rare;

  AdversarialText(SentencePieceModel model, long seed) {
    random = new Random(seed);
    pieces = model.pieces();
    rare =
        pieces.stream()
            .filter(
                piece -> piece.type() == PieceType.USER_DEFINED || piece.type() == PieceType.UNUSED)
            .toList();
  }

  /** The next string, from empty to some thousand characters. */
  String next() {
    StringBuilder text = new StringBuilder();
    int kind = random.nextInt(500);
    if (kind == 0) {
      return part().repeat(1 + random.nextInt(400));
    }
    int parts = kind < 4 ? 200 : kind < 120 ? random.nextInt(4) : random.nextInt(24);
    for (int i = 0; i < parts; i++) {
      text.append(part());
    }
    return text.toString();
  }

  private String part() {
    return switch (random.nextInt(16)) {
      case 0, 1, 2, 3, 4 -> piece().replace('\u2581', ' ');
      case 5 -> piece();
      case 6 -> cut(piece(), true);
      case 7 -> cut(piece(), false);
      case 8 -> (random.nextBoolean() ? piece() : character()).repeat(2 + random.nextInt(20));
      case 9, 10 -> character();
      case 11 -> rare.isEmpty() ? " " : rare.get(random.nextInt(rare.size())).text();
      case 12 -> " " + piece().replace('\u2581', ' ');
      default -> ODDITIES.get(random.nextInt(ODDITIES.size()));
    };
  }

  /** The first or the last part, perhaps a lone surrogate at its end. */
  private String cut(String text, boolean first) {
    int at = random.nextInt(text.length() + 1);
    return first ? text.substring(0, at) : text.substring(at);
  }

  private String piece() {
    return pieces.get(random.nextInt(pieces.size())).text();
  }

  private String character() {
    int start = BLOCK_STARTS[random.nextInt(BLOCK_STARTS.length)];
    return Character.toString(start + random.nextInt(0x100));
  }
}
