package io.github.pretrain4j.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Python's "surrogatepass" UTF-8: ordinary UTF-8 in which a lone surrogate takes three bytes. */
final class PickleText {
  private PickleText() {}

  /** The text, or null if the bytes are neither UTF-8 nor that. */
  static @Nullable String decode(byte[] utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      return decodeSurrogates(utf8);
    }
  }

  private static @Nullable String decodeSurrogates(byte[] utf8) {
    StringBuilder text = new StringBuilder();
    int start = 0;
    for (int i = 0; i <= utf8.length; i++) {
      boolean surrogate =
          i + 2 < utf8.length
              && utf8[i] == (byte) 0xED
              && (utf8[i + 1] & 0xE0) == 0xA0
              && (utf8[i + 2] & 0xC0) == 0x80;
      if (surrogate || i == utf8.length) {
        try {
          ByteBuffer plain = ByteBuffer.wrap(utf8, start, i - start);
          text.append(StandardCharsets.UTF_8.newDecoder().decode(plain));
        } catch (CharacterCodingException e) {
          return null;
        }
        if (surrogate) {
          text.append((char) (0xD000 | (utf8[i + 1] & 0x3F) << 6 | (utf8[i + 2] & 0x3F)));
          start = i + 3;
          i += 2;
        }
      }
    }
    return text.toString();
  }

  static byte[] encode(String text) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(text.length());
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      out.writeBytes(text.substring(start, i).getBytes(StandardCharsets.UTF_8));
      out.write(0xE0 | c >> 12);
      out.write(0x80 | (c >> 6 & 0x3F));
      out.write(0x80 | (c & 0x3F));
      start = i + 1;
    }
    out.writeBytes(text.substring(start).getBytes(StandardCharsets.UTF_8));
    return out.toByteArray();
  }
}
