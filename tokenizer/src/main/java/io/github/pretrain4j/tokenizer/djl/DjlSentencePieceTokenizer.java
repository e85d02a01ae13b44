package io.github.pretrain4j.tokenizer.djl;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * Encodes with the C++ library; all else, which it cannot say or gets wrong, comes from the model
 * file as our own engine reads it. Immutable and thread-safe.
 */
final class DjlSentencePieceTokenizer implements Tokenizer {
  private static final char REPLACEMENT = '\uFFFD';

  private final NativeSentencePiece library;
  private final SentencePieceTokenizer engine;

  DjlSentencePieceTokenizer(NativeSentencePiece library, SentencePieceTokenizer engine) {
    this.library = library;
    this.engine = engine;
  }

  /** The same text with U+FFFD for every lone surrogate. */
  static String wellFormed(String text) {
    int length = text.length();
    for (int i = 0; i < length; i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return replaceLoneSurrogates(text);
      }
    }
    return text;
  }

  private static String replaceLoneSurrogates(String text) {
    char[] chars = text.toCharArray();
    for (int i = 0; i < chars.length; i++) {
      if (i + 1 < chars.length && Character.isSurrogatePair(chars[i], chars[i + 1])) {
        i++;
      } else if (Character.isSurrogate(chars[i])) {
        chars[i] = REPLACEMENT;
      }
    }
    return new String(chars);
  }

  /** UTF-8 as SentencePiece reads it: each byte of a malformed sequence is one U+FFFD. */
  static String fromUtf8(byte[] utf8, int from, int to) {
    Objects.checkFromToIndex(from, to, utf8.length);
    ByteBuffer in = ByteBuffer.wrap(utf8, from, to - from);
    CharBuffer out = CharBuffer.allocate(to - from);
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    CoderResult result = decoder.decode(in, out, true);
    while (result.isMalformed()) {
      in.get();
      out.put(REPLACEMENT);
      result = decoder.decode(in, out, true);
    }
    return out.flip().toString();
  }

  @Override
  public int[] encode(String text) {
    return library.encode(wellFormed(text));
  }

  @Override
  public Encoder newEncoder() {
    return new Encoder() {
      @Override
      public int encode(CharSequence text, TokenBuffer out) {
        return append(library.encode(wellFormed(text.toString())), out);
      }

      @Override
      public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
        return append(library.encode(fromUtf8(utf8, from, to)), out);
      }

      private int append(int[] ids, TokenBuffer out) {
        System.arraycopy(ids, 0, out.reserve(ids.length), out.length(), ids.length);
        out.setLength(out.length() + ids.length);
        return ids.length;
      }
    };
  }

  /**
   * {@inheritDoc}
   *
   * <p>The library's wrapper does not say where pieces come from. The places are our own engine's
   * for the same ids and pieces.
   *
   * @throws IllegalStateException if our engine finds other ids or pieces
   */
  @Override
  public Encoding encode(String text, OffsetUnit unit) {
    String valid = wellFormed(text);
    int[] ids = library.encode(valid);
    List<String> pieces = Arrays.asList(library.tokenize(valid));
    Encoding ours = engine.encode(text, unit);
    if (!Arrays.equals(ids, ours.ids()) || !pieces.equals(ours.pieces())) {
      throw new IllegalStateException(
          "no places for these ids: the C++ library finds "
              + pieces
              + ", our engine "
              + ours.pieces());
    }
    return new Encoding(ids, pieces, ours.begins(), ours.ends());
  }

  @Override
  public int[] withSpecialTokens(int[] ids) {
    return ids.clone();
  }

  @Override
  public String decode(int[] ids) {
    return engine.decode(ids);
  }

  @Override
  public StreamingDecoder streamingDecoder() {
    return engine.streamingDecoder();
  }

  @Override
  public int vocabularySize() {
    return engine.vocabularySize();
  }

  @Override
  public OptionalInt bosId() {
    return engine.bosId();
  }

  @Override
  public OptionalInt eosId() {
    return engine.eosId();
  }

  @Override
  public OptionalInt padId() {
    return engine.padId();
  }

  @Override
  public OptionalInt unkId() {
    return engine.unkId();
  }

  @Override
  public int eodId() {
    return engine.eodId();
  }

  @Override
  public OptionalInt id(String piece) {
    return engine.id(piece);
  }

  @Override
  public String piece(int id) {
    return engine.piece(id);
  }

  @Override
  public boolean isSpecial(int id) {
    return engine.isSpecial(id);
  }

  @Override
  public String sha256() {
    return engine.sha256();
  }
}
