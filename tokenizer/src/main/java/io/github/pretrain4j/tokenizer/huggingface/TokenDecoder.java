package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.StreamingDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Ids to text, one by one: what {@link Pipeline.Decoding} says. Not thread-safe. */
final class TokenDecoder implements StreamingDecoder {
  private static final int BYTE_TOKEN_LENGTH = 6;

  private final Vocabulary vocabulary;
  private final Pipeline.Decoding decoding;
  private final ByteAlphabet alphabet;
  private final boolean skipSpecial;

  /** Bytes that are no text yet: the beginning of a character, or a run of byte tokens. */
  private final Bytes pending = new Bytes();

  private boolean first = true;
  private int stripLeft;

  TokenDecoder(
      Vocabulary vocabulary,
      Pipeline.Decoding decoding,
      ByteAlphabet alphabet,
      boolean skipSpecial) {
    this.vocabulary = vocabulary;
    this.decoding = decoding;
    this.alphabet = alphabet;
    this.skipSpecial = skipSpecial;
    this.stripLeft = decoding.stripCount();
  }

  @Override
  public String accept(int id) {
    vocabulary.check(id);
    if (!vocabulary.has(id) || (skipSpecial && vocabulary.isSpecial(id))) {
      return "";
    }
    boolean isFirst = first;
    first = false;
    byte[] token = vocabulary.bytes(id);
    return switch (decoding.kind()) {
      case BYTE_LEVEL -> byteLevel(token);
      case TEXT -> text(token);
      case METASPACE -> metaspace(token, isFirst);
      case SPACED -> (isFirst ? "" : " ") + new String(token, StandardCharsets.UTF_8);
    };
  }

  private String byteLevel(byte[] token) {
    byte[] target = pending.reserve(token.length);
    int end = alphabet.toBytes(token, 0, token.length, target, pending.length);
    if (end < 0) {
      pending.add(token, 0, token.length); // an added token in other characters is text
    } else {
      pending.length = end;
    }
    return takeCertain();
  }

  /** Takes all of {@link #pending} but the beginning of a character that may yet be completed. */
  private String takeCertain() {
    int certain = pending.length;
    for (int back = 1; back <= 3 && back <= pending.length; back++) {
      int at = pending.length - back;
      if (!Utf8.isContinuation(pending.array[at])) {
        certain = Utf8.isIncomplete(pending.array, at, pending.length) ? at : certain;
        break;
      }
    }
    String text = lossy(certain);
    System.arraycopy(pending.array, certain, pending.array, 0, pending.length - certain);
    pending.length -= certain;
    return text;
  }

  private String lossy(int length) {
    if (Utf8.malformed(pending.array, 0, length) == Utf8.NONE) {
      return new String(pending.array, 0, length, StandardCharsets.UTF_8);
    }
    byte[] repaired = new byte[3 * length];
    int end = Utf8.repair(pending.array, 0, length, repaired, 0);
    return new String(repaired, 0, end, StandardCharsets.UTF_8);
  }

  private String text(byte[] token) {
    String text = new String(token, StandardCharsets.UTF_8);
    List<String> replacements = decoding.replacements();
    for (int i = 0; i < replacements.size(); i += 2) {
      text = text.replace(replacements.get(i), replacements.get(i + 1));
    }
    if (!decoding.byteFallback()) {
      return strip(text);
    }
    int b = byteOf(text);
    if (b >= 0) {
      pending.reserve(1)[pending.length++] = (byte) b;
      return "";
    }
    return strip(takeByteRun() + text);
  }

  private static int byteOf(String token) {
    if (token.length() != BYTE_TOKEN_LENGTH || !token.startsWith("<0x") || !token.endsWith(">")) {
      return -1;
    }
    int high = Character.digit(token.charAt(3), 16);
    int low = Character.digit(token.charAt(4), 16);
    return high < 0 || low < 0 || token.charAt(3) > 'f' || token.charAt(4) > 'f'
        ? -1
        : high << 4 | low;
  }

  /** A run of byte tokens is text as a whole, or one U+FFFD for each of them. */
  private String takeByteRun() {
    int length = pending.length;
    pending.clear();
    return Utf8.malformed(pending.array, 0, length) == Utf8.NONE
        ? new String(pending.array, 0, length, StandardCharsets.UTF_8)
        : "\uFFFD".repeat(length);
  }

  private String metaspace(byte[] token, boolean isFirst) {
    String text = new String(token, StandardCharsets.UTF_8);
    return text.replace(
        decoding.replacements().get(0), isFirst ? "" : decoding.replacements().get(1));
  }

  private String strip(String text) {
    int begin = 0;
    while (stripLeft > 0 && begin < text.length()) {
      if (text.startsWith(decoding.stripped(), begin)) {
        begin += decoding.stripped().length();
        stripLeft--;
      } else {
        stripLeft = 0;
      }
    }
    return text.substring(begin);
  }

  @Override
  public String finish() {
    String rest =
        decoding.kind() == Pipeline.Decoding.Kind.BYTE_LEVEL
            ? lossy(pending.length)
            : strip(takeByteRun());
    pending.clear();
    first = true;
    stripLeft = decoding.stripCount();
    return rest;
  }
}
