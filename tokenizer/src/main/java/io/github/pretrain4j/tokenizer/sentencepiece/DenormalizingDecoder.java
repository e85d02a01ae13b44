package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.StreamingDecoder;

/**
 * Passes decoded text through the rules of {@code denormalizer_spec}. A rule may span ids, so
 * nothing is certain before the end.
 */
final class DenormalizingDecoder implements StreamingDecoder {
  private final StreamingDecoder decoder;
  private final Normalizer denormalizer;
  private final StringBuilder text = new StringBuilder();

  DenormalizingDecoder(StreamingDecoder decoder, Normalizer denormalizer) {
    this.decoder = decoder;
    this.denormalizer = denormalizer;
  }

  @Override
  public String accept(int id) {
    text.append(decoder.accept(id));
    return "";
  }

  @Override
  public String finish() {
    String whole = text.append(decoder.finish()).toString();
    text.setLength(0);
    return denormalizer.normalize(whole);
  }
}
