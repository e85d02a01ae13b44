package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;

/**
 * A model's {@code NormalizerSpec}. Defaults are those of the format. Mutable while it is read or
 * built, shared only afterwards.
 */
final class NormalizerSpec {
  String name = "";
  byte[] precompiledCharsmap = new byte[0];
  boolean addDummyPrefix = true;
  boolean removeExtraWhitespaces = true;
  boolean escapeWhitespaces = true;

  static NormalizerSpec read(ProtobufReader in) throws CorruptTokenizerException {
    NormalizerSpec spec = new NormalizerSpec();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> spec.name = in.string("normalizer name");
        case 2 -> spec.precompiledCharsmap = in.bytes("precompiled_charsmap");
        case 3 -> spec.addDummyPrefix = in.bool("add_dummy_prefix");
        case 4 -> spec.removeExtraWhitespaces = in.bool("remove_extra_whitespaces");
        case 5 -> spec.escapeWhitespaces = in.bool("escape_whitespaces");
        default -> in.skip();
      }
    }
    return spec;
  }

  ProtobufWriter write() {
    return new ProtobufWriter()
        .string(1, name)
        .bytes(2, precompiledCharsmap)
        .bool(3, addDummyPrefix)
        .bool(4, removeExtraWhitespaces)
        .bool(5, escapeWhitespaces);
  }
}
