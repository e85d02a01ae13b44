package io.github.pretrain4j.tokenizer.huggingface;

/**
 * The 256 printable characters that stand for bytes in byte-level vocabularies: 33-126, 161-172 and
 * 174-255 for themselves, the other 68 bytes, ascending, as 256, 257, and so on. Immutable.
 */
final class ByteAlphabet {
  private static final int FIRST_MOVED = 256;

  private final char[] characters = new char[256];
  private final short[] bytes = new short[FIRST_MOVED + 68];

  ByteAlphabet() {
    java.util.Arrays.fill(bytes, (short) -1);
    int moved = FIRST_MOVED;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      characters[b] = (char) (printable ? b : moved++);
      bytes[characters[b]] = (short) b;
    }
  }

  /** The character of a byte. */
  char character(int b) {
    return characters[b];
  }

  /**
   * Writes the bytes that a token in UTF-8 stands for, at most as many as it has.
   *
   * @return where they end, or -1 if a character stands for no byte
   */
  int toBytes(byte[] token, int from, int to, byte[] target, int targetFrom) {
    int out = targetFrom;
    for (int at = from; at < to; at += Utf8.length(token[at])) {
      int character = Utf8.codePoint(token, at);
      if (character >= bytes.length || bytes[character] < 0) {
        return -1;
      }
      target[out++] = (byte) bytes[character];
    }
    return out;
  }
}
