package io.github.pretrain4j.tokenizer.sentencepiece;

import org.jspecify.annotations.Nullable;

/** What a piece of the vocabulary is for. */
public enum PieceType {
  /** Ordinary text. */
  NORMAL(1),
  /** Stands for text the model cannot represent; a model has exactly one. */
  UNKNOWN(2),
  /** Never produced from text, decodes to nothing: {@code <s>}. */
  CONTROL(3),
  /** Matched before everything else, never split. */
  USER_DEFINED(4),
  /** Takes part in merging but is taken apart again. */
  UNUSED(5),
  /** One byte of a character that has no piece: {@code <0x0A>}. */
  BYTE(6);

  private final int code;

  PieceType(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }

  /** The type with this code, or null. */
  static @Nullable PieceType of(long code) {
    for (PieceType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    return null;
  }

  /** Whether merging may produce the piece: it then lives in the map of ordinary pieces. */
  boolean mergeable() {
    return this == NORMAL || this == USER_DEFINED || this == UNUSED;
  }
}
