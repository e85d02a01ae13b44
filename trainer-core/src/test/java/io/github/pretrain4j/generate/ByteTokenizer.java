package io.github.pretrain4j.generate;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * A double: ids 0..255 are bytes, 256 begins and 257 ends a sequence; those and the ones above have
 * no text.
 */
public final class ByteTokenizer implements Tokenizer {

  public static final int BOS = 256;
  public static final int EOS = 257;

  private final int size;

  public ByteTokenizer() {
    this(258);
  }

  public ByteTokenizer(int size) {
    this.size = size;
  }

  @Override
  public int vocabularySize() {
    return size;
  }

  @Override
  public int[] encode(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = bytes[i] & 0xff;
    }
    return ids;
  }

  @Override
  public Encoder newEncoder() {
    return new Encoder() {
      @Override
      public int encode(CharSequence text, TokenBuffer out) {
        byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
        return encodeUtf8(utf8, 0, utf8.length, out);
      }

      @Override
      public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
        for (int i = from; i < to; i++) {
          out.add(utf8[i] & 0xff);
        }
        return to - from;
      }
    };
  }

  /** Each byte has its own place, whatever character it belongs to; only in bytes. */
  @Override
  public Encoding encode(String text, OffsetUnit unit) {
    if (unit != OffsetUnit.UTF8_BYTES) {
      throw new IllegalArgumentException("a byte has no place in " + unit);
    }
    int[] ids = encode(text);
    return new Encoding(
        ids,
        Arrays.stream(ids).mapToObj(this::piece).toList(),
        IntStream.range(0, ids.length).toArray(),
        IntStream.rangeClosed(1, ids.length).toArray());
  }

  @Override
  public int[] withSpecialTokens(int[] ids) {
    return ids.clone();
  }

  @Override
  public String decode(int[] ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      if (id < BOS) {
        bytes.write(id);
      }
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Override
  public OptionalInt bosId() {
    return OptionalInt.of(BOS);
  }

  @Override
  public OptionalInt eosId() {
    return OptionalInt.of(EOS);
  }

  @Override
  public OptionalInt padId() {
    return OptionalInt.empty();
  }

  @Override
  public OptionalInt unkId() {
    return OptionalInt.empty();
  }

  @Override
  public int eodId() {
    return EOS;
  }

  @Override
  public String piece(int id) {
    return "<" + id + ">";
  }

  @Override
  public OptionalInt id(String piece) {
    for (int id = 0; id < size; id++) {
      if (piece(id).equals(piece)) {
        return OptionalInt.of(id);
      }
    }
    return OptionalInt.empty();
  }

  @Override
  public boolean isSpecial(int id) {
    return id >= BOS;
  }

  @Override
  public String sha256() {
    return "0".repeat(64);
  }

  /** Holds bytes back until they are a whole character. */
  @Override
  public StreamingDecoder streamingDecoder() {
    return new StreamingDecoder() {
      private final ByteArrayOutputStream held = new ByteArrayOutputStream();
      private int missing;

      @Override
      public String accept(int id) {
        if (id >= BOS) {
          return "";
        }
        held.write(id);
        missing = id >= 0xF0 ? 3 : id >= 0xE0 ? 2 : id >= 0xC0 ? 1 : Math.max(0, missing - 1);
        return missing == 0 ? finish() : "";
      }

      @Override
      public String finish() {
        String text = held.toString(StandardCharsets.UTF_8);
        held.reset();
        missing = 0;
        return text;
      }
    };
  }
}
