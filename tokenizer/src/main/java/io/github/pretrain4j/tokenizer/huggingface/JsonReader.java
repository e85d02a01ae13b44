package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON from bytes that are known to be valid UTF-8, and says at which byte it is wrong.
 *
 * <p>A vocabulary of 150,000 strings and as many merges are read without an object for each: {@link
 * #string} leaves the characters in {@link #text}, which the caller copies or looks up. What is
 * small is read as a {@link JsonValue}. Strict: no comments, no trailing commas, no lone
 * surrogates.
 */
final class JsonReader {
  private static final int MAX_DEPTH = 64;

  private final byte[] bytes;
  private final Path file;
  private int position;

  /** True between an opening bracket and the first member or element. */
  private boolean fresh;

  /** The string that {@link #string} read: {@code text[0, textLength)} in UTF-8. */
  byte[] text = new byte[256];

  int textLength;

  JsonReader(byte[] bytes, Path file) {
    this.bytes = bytes;
    this.file = file;
  }

  /** Where the next token begins, or where the document ends. */
  int position() {
    skipSpace();
    return position;
  }

  /** Goes back, or forth, to a place where a value begins. */
  void moveTo(int newPosition) {
    position = newPosition;
    fresh = false;
  }

  /** The first byte of what comes next; -1 at the end. */
  int peek() {
    skipSpace();
    return position < bytes.length ? bytes[position] : -1;
  }

  void beginObject() throws CorruptTokenizerException {
    expect('{', "an object");
    fresh = true;
  }

  void beginArray() throws CorruptTokenizerException {
    expect('[', "an array");
    fresh = true;
  }

  /** Whether the object has another member; then {@link #key} is next. */
  boolean nextMember() throws CorruptTokenizerException {
    return next('}');
  }

  /** Whether the array has another element, which is next. */
  boolean nextElement() throws CorruptTokenizerException {
    return next(']');
  }

  private boolean next(int closing) throws CorruptTokenizerException {
    int found = peek();
    if (found == closing) {
      position++;
      fresh = false;
      return false;
    }
    if (fresh) {
      fresh = false;
      return true;
    }
    if (found != ',') {
      throw corrupt(position, "JSON", "',' or '" + (char) closing + "'", show(position));
    }
    position++;
    return true;
  }

  /** Reads a member's name and the colon after it into {@link #text}. */
  void key() throws CorruptTokenizerException {
    string();
    expect(':', "':'");
  }

  /** {@link #key} as a Java string. */
  String keyString() throws CorruptTokenizerException {
    key();
    return textString();
  }

  String textString() {
    return new String(text, 0, textLength, StandardCharsets.UTF_8);
  }

  /** Reads a string into {@link #text}. */
  void string() throws CorruptTokenizerException {
    int begin = position();
    expect('"', "a string");
    int length = 0;
    byte[] target = text;
    while (true) {
      if (position >= bytes.length) {
        throw corrupt(begin, "JSON string", "a closing quote", "the end of the file");
      }
      byte b = bytes[position++];
      if (length + 4 > target.length) {
        text = java.util.Arrays.copyOf(target, 2 * target.length);
        target = text;
      }
      if (b == '"') {
        textLength = length;
        return;
      }
      if (b == '\\') {
        length = escape(target, length);
      } else if (b >= 0 && b < ' ') {
        throw corrupt(position - 1, "JSON string", "no control character", show(position - 1));
      } else {
        target[length++] = b;
      }
    }
  }

  private int escape(byte[] target, int length) throws CorruptTokenizerException {
    int at = position - 1;
    int kind = position < bytes.length ? bytes[position++] : -1;
    int plain = "\"\\/bfnrt".indexOf(kind);
    if (plain >= 0) {
      target[length] = (byte) "\"\\/\b\f\n\r\t".charAt(plain);
      return length + 1;
    }
    if (kind != 'u') {
      throw corrupt(at, "JSON string", "an escape", show(at + 1));
    }
    int codePoint = hex4(at);
    if (Character.isHighSurrogate((char) codePoint)
        && position + 1 < bytes.length
        && bytes[position] == '\\'
        && bytes[position + 1] == 'u') {
      position += 2;
      int low = hex4(at);
      if (Character.isLowSurrogate((char) low)) {
        codePoint = Character.toCodePoint((char) codePoint, (char) low);
      }
    }
    if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
      throw corrupt(at, "JSON string", "a surrogate pair", "a lone surrogate");
    }
    return Utf8.put(codePoint, target, length);
  }

  private int hex4(int at) throws CorruptTokenizerException {
    int value = 0;
    for (int i = 0; i < 4; i++) {
      int digit = position < bytes.length ? Character.digit(bytes[position++], 16) : -1;
      if (digit < 0) {
        throw corrupt(at, "JSON string", "four hexadecimal digits", show(position - 1));
      }
      value = value << 4 | digit;
    }
    return value;
  }

  /** Reads a whole number from 0 to {@code limit - 1}. */
  int integer(String what, int limit) throws CorruptTokenizerException {
    int begin = position();
    long value = 0;
    while (position < bytes.length && bytes[position] >= '0' && bytes[position] <= '9') {
      value = value * 10 + bytes[position++] - '0';
      if (value >= limit) {
        throw corrupt(begin, what, "a number below " + limit, value + " or more");
      }
    }
    int after = position < bytes.length ? bytes[position] : ' ';
    if (position == begin || after == '.' || after == 'e' || after == 'E') {
      throw corrupt(begin, what, "a whole number", show(begin));
    }
    return (int) value;
  }

  boolean bool(String what) throws CorruptTokenizerException {
    int begin = position();
    JsonValue value = value();
    if (value.kind() != JsonValue.Kind.BOOLEAN) {
      throw corrupt(begin, what, "true or false", value.describe());
    }
    return value.isTrue();
  }

  /** Reads the next value, whatever it is, as a tree. */
  JsonValue value() throws CorruptTokenizerException {
    return value(0);
  }

  private JsonValue value(int depth) throws CorruptTokenizerException {
    int begin = position();
    if (depth > MAX_DEPTH) {
      throw corrupt(begin, "JSON", "at most " + MAX_DEPTH + " levels", "more");
    }
    switch (peek()) {
      case '{' -> {
        Map<String, JsonValue> members = new LinkedHashMap<>();
        beginObject();
        while (nextMember()) {
          int at = position();
          String name = keyString();
          if (members.put(name, value(depth + 1)) != null) {
            throw corrupt(at, "JSON object", "distinct names", "a second \"" + name + "\"");
          }
        }
        return JsonValue.object(begin, members);
      }
      case '[' -> {
        List<JsonValue> elements = new ArrayList<>();
        beginArray();
        while (nextElement()) {
          elements.add(value(depth + 1));
        }
        return JsonValue.array(begin, elements);
      }
      case '"' -> {
        string();
        return JsonValue.string(begin, textString());
      }
      default -> {
        return scalar(begin);
      }
    }
  }

  private JsonValue scalar(int begin) throws CorruptTokenizerException {
    while (position < bytes.length && isScalarByte(bytes[position])) {
      position++;
    }
    String word = new String(bytes, begin, position - begin, StandardCharsets.US_ASCII);
    if (word.equals("null")) {
      return JsonValue.nothing(begin);
    }
    if (word.equals("true") || word.equals("false")) {
      return JsonValue.bool(begin, word.equals("true"));
    }
    if (!word.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?")) {
      throw corrupt(begin, "JSON", "a value", show(begin));
    }
    return JsonValue.number(begin, word);
  }

  private static boolean isScalarByte(byte b) {
    return (b >= '0' && b <= '9')
        || (b >= 'a' && b <= 'z')
        || (b >= 'A' && b <= 'Z')
        || b == '-'
        || b == '+'
        || b == '.';
  }

  /** Checks that nothing but white space is left. */
  void end() throws CorruptTokenizerException {
    if (peek() >= 0) {
      throw corrupt(position, "JSON", "the end of the file", show(position));
    }
  }

  private void expect(int wanted, String name) throws CorruptTokenizerException {
    if (peek() != wanted) {
      throw corrupt(position, "JSON", name, show(position));
    }
    position++;
  }

  private void skipSpace() {
    while (position < bytes.length) {
      byte b = bytes[position];
      if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
        return;
      }
      position++;
    }
  }

  /** What stands at a place, for a message. */
  private String show(int at) {
    if (at >= bytes.length) {
      return "the end of the file";
    }
    int b = bytes[at] & 0xFF;
    return b > ' ' && b < 0x7F ? "'" + (char) b + "'" : String.format("byte 0x%02X", b);
  }

  CorruptTokenizerException corrupt(int at, String what, Object expected, Object found) {
    return new CorruptTokenizerException(file, at, what, expected, found);
  }
}
