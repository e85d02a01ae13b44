package io.github.pretrain4j.cli;

import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import io.github.pretrain4j.dataset.preprocess.TokenSink;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;

/** Puts a tokenizer's encoder behind the seam of preprocessing: bytes in, ids out, no strings. */
final class TokenizerEncoder implements TokenEncoder {
  private static final int FIRST_IDS = 1 << 12;
  private static final int MAX_KEPT_IDS = 1 << 20;

  private final Encoder encoder;
  private TokenBuffer ids = new TokenBuffer(FIRST_IDS);

  TokenizerEncoder(Encoder encoder) {
    this.encoder = encoder;
  }

  @Override
  public void encode(byte[] utf8, int offset, int length, TokenSink out) {
    ids.clear();
    encoder.encodeUtf8(utf8, offset, offset + length, ids);
    out.add(ids.reserve(0), 0, ids.length());
    if (ids.length() > MAX_KEPT_IDS) {
      ids = new TokenBuffer(FIRST_IDS);
    }
  }
}
