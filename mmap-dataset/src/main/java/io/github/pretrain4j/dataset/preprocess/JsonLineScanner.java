package io.github.pretrain4j.dataset.preprocess;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes the texts of some keys out of lines of JSON, by the rules of Python's {@code json.loads} on
 * a strictly decoded line: NaN and Infinity are numbers, of a key that occurs twice the last value
 * counts, a byte order mark is an error. A text with half a surrogate pair, which Python lets
 * through to the tokenizer and no tokenizer can encode, is an error here.
 *
 * <p>One pass over the bytes finds the line's end, checks UTF-8 and JSON, and finds the texts. A
 * text without escapes stays where it is in the line; others are unescaped into an array of the
 * scanner's own. Strings are scanned eight bytes at a time. Not thread-safe.
 *
 * @see <a
 *     href="https://docs.python.org/3/library/json.html#standard-compliance-and-interoperability">
 *     what Python accepts beyond RFC 8259</a>
 */
final class JsonLineScanner {
  /** Python gives up at about this depth too. */
  private static final int MAX_DEPTH = 1000;

  /** Keys that a message about a missing one lists. */
  private static final int MAX_NAMES = 20;

  private static final int MAX_KEPT_BYTES = 1 << 21;

  private static final String OBJECT = "a JSON object";

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101_0101_0101_0101L;
  private static final long HIGH_BITS = 0x8080_8080_8080_8080L;
  private static final long QUOTES = 0x2222_2222_2222_2222L;
  private static final long BACKSLASHES = 0x5c5c_5c5c_5c5c_5c5cL;
  private static final long SPACES = 0x2020_2020_2020_2020L;

  private final byte[][] keys;
  private final List<String> keyNames;
  private final Texts[] texts;

  private byte[] bytes = {};
  private int limit;
  private byte[] unescaped = {};
  private int unescapedLength;
  private boolean escaped; // whether the string scanned last had an escape
  private int loneSurrogate; // the first one in the string scanned last, or 0
  private final long[] objects = new long[MAX_DEPTH / Long.SIZE + 1]; // bit d: depth d is an object

  JsonLineScanner(List<String> keys) {
    this.keyNames = List.copyOf(keys);
    this.keys = new byte[keys.size()][];
    this.texts = new Texts[keys.size()];
    for (int i = 0; i < texts.length; i++) {
      this.keys[i] = keys.get(i).getBytes(StandardCharsets.UTF_8);
      texts[i] = new Texts();
    }
  }

  /** Where the texts of one key are. */
  private static final class Texts {
    boolean present;
    @Nullable BadLine problem;
    int count;
    int[] starts = new int[4]; // in the line; or ~start in the unescaped bytes
    int[] ends = new int[4];

    void clear() {
      present = false;
      problem = null;
      count = 0;
    }

    void add(int start, int end) {
      if (count == starts.length) {
        starts = Arrays.copyOf(starts, 2 * count);
        ends = Arrays.copyOf(ends, 2 * count);
      }
      starts[count] = start;
      ends[count++] = end;
    }

    void note(BadLine found) {
      problem = problem == null ? found : problem;
    }
  }

  /**
   * Scans the line that starts at {@code from}.
   *
   * @param to where the bytes end; the line may end before
   * @return index of the line's end, which is a {@code \n}, a {@code \r} or {@code to}
   */
  int scan(byte[] line, int from, int to) throws BadLine {
    bytes = line;
    limit = to;
    unescapedLength = 0;
    if (unescaped.length > MAX_KEPT_BYTES) {
      unescaped = new byte[0];
    }
    for (Texts text : texts) {
      text.clear();
    }
    int end;
    try {
      end = object(from);
    } catch (BadLine e) {
      throw invalidUtf8(from, e);
    }
    for (int key = 0; key < texts.length; key++) {
      BadLine problem = texts[key].problem;
      if (problem != null) {
        throw problem;
      }
      if (!texts[key].present) {
        throw missing(key, from);
      }
    }
    return end;
  }

  // ---- what was found, until the next scan

  /** Number of texts of a key: one for a string, any number for an array. */
  int textCount(int key) {
    return texts[key].count;
  }

  /** The array that holds a text. */
  byte[] textBytes(int key, int text) {
    return texts[key].starts[text] < 0 ? unescaped : bytes;
  }

  /** Where in its array a text starts. */
  int textStart(int key, int text) {
    int start = texts[key].starts[text];
    return start < 0 ? ~start : start;
  }

  /** Where in its array a text ends. */
  int textEnd(int key, int text) {
    return texts[key].ends[text];
  }

  // ---- the line

  private int object(int from) throws BadLine {
    int i = blanks(from);
    if (peek(i) != '{') {
      throw notAnObject(from, i);
    }
    i = blanks(i + 1);
    if (peek(i) == '}') {
      return lineEnd(i + 1);
    }
    while (true) {
      int key = NONE;
      if (peek(i) == '"') {
        int start = i + 1;
        i = string(start, false);
        key = escaped ? escapedKey(start) : key(bytes, start, i);
        i++;
      } else {
        throw unexpected(i, "a name");
      }
      i = blanks(i);
      if (peek(i) != ':') {
        throw unexpected(i, "a ':'");
      }
      i = blanks(i + 1);
      i = blanks(key == NONE ? skip(i, 1) : selected(i, key));
      int next = peek(i);
      if (next == '}') {
        return lineEnd(i + 1);
      }
      if (next != ',') {
        throw unexpected(i, "a ',' or '}'");
      }
      i = blanks(i + 1);
    }
  }

  private static final int NONE = -1;

  private int key(byte[] from, int start, int end) {
    for (int i = 0; i < keys.length; i++) {
      if (Arrays.equals(from, start, end, keys[i], 0, keys[i].length)) {
        return i;
      }
    }
    return NONE;
  }

  private int escapedKey(int start) throws BadLine {
    int before = unescapedLength;
    string(start, true);
    int key = key(unescaped, before, unescapedLength);
    unescapedLength = before;
    return key;
  }

  /** What follows the object can only be white space. */
  private int lineEnd(int from) throws BadLine {
    int i = blanks(from);
    if (peek(i) != END) {
      throw new BadLine(i, "the end of the line after the object", describe(i), null);
    }
    return i;
  }

  /** A selected key's value; what is wrong with it counts only if it is the last of its key. */
  private int selected(int i, int key) throws BadLine {
    Texts found = texts[key];
    found.clear();
    found.present = true;
    int first = peek(i);
    if (first == '"') {
      return text(i, key);
    }
    if (first != '[') {
      int end = skip(i, 1);
      found.note(wrongType(i, "a string or an array of strings", key));
      return end;
    }
    int at = blanks(i + 1);
    if (peek(at) == ']') {
      return at + 1;
    }
    while (true) {
      if (peek(at) == '"') {
        at = text(at, key);
      } else {
        int start = at;
        at = skip(at, 2);
        found.note(wrongType(start, "an array of strings", key));
      }
      at = blanks(at);
      int next = peek(at);
      if (next == ']') {
        return at + 1;
      }
      if (next != ',') {
        throw unexpected(at, "a ',' or ']'");
      }
      at = blanks(at + 1);
    }
  }

  private int text(int i, int key) throws BadLine {
    int before = unescapedLength;
    int end = string(i + 1, true);
    if (escaped) {
      texts[key].add(~before, unescapedLength);
    } else {
      texts[key].add(i + 1, end);
    }
    if (loneSurrogate != 0) {
      texts[key].note(
          new BadLine(
              i,
              "text in \"" + keyNames.get(key) + "\"",
              String.format("half a surrogate pair, \\u%04x", loneSurrogate),
              null));
    }
    return end + 1;
  }

  // ---- any JSON

  /** Checks the value that starts at {@code from}, inside so many others; returns its end. */
  private int skip(int from, int outer) throws BadLine {
    int i = from;
    int depth = outer;
    while (true) {
      int first = peek(i);
      if (first == '{' || first == '[') {
        if (depth == MAX_DEPTH) {
          throw new BadLine(i, OBJECT, "a nesting depth over " + MAX_DEPTH, null);
        }
        open(depth++, first == '{');
        i = blanks(i + 1);
        if (peek(i) == (first == '{' ? '}' : ']')) {
          depth--;
          i++;
        } else {
          i = first == '{' ? name(i) : i;
          continue;
        }
      } else {
        i = scalar(i, first);
      }
      boolean value = false;
      while (!value) {
        if (depth == outer) {
          return i;
        }
        boolean object = isObject(depth - 1);
        i = blanks(i);
        int next = peek(i);
        if (next == ',') {
          i = blanks(i + 1);
          i = object ? name(i) : i;
          value = true;
        } else if (next == (object ? '}' : ']')) {
          depth--;
          i++;
        } else {
          throw unexpected(i, object ? "a ',' or '}'" : "a ',' or ']'");
        }
      }
    }
  }

  private void open(int depth, boolean object) {
    long bit = 1L << depth;
    int word = depth / Long.SIZE;
    objects[word] = object ? objects[word] | bit : objects[word] & ~bit;
  }

  private boolean isObject(int depth) {
    return (objects[depth / Long.SIZE] >>> depth & 1) != 0;
  }

  /** A name and its colon; returns where the value starts. */
  private int name(int i) throws BadLine {
    if (peek(i) != '"') {
      throw unexpected(i, "a name");
    }
    int end = blanks(string(i + 1, false) + 1);
    if (peek(end) != ':') {
      throw unexpected(end, "a ':'");
    }
    return blanks(end + 1);
  }

  private int scalar(int i, int first) throws BadLine {
    return switch (first) {
      case '"' -> string(i + 1, false) + 1;
      case 't' -> word(i, "true");
      case 'f' -> word(i, "false");
      case 'n' -> word(i, "null");
      case 'N' -> word(i, "NaN");
      case 'I' -> word(i, "Infinity");
      case '-' -> peek(i + 1) == 'I' ? word(i, "-Infinity") : number(i + 1);
      case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> number(i);
      default -> throw unexpected(i, "a value");
    };
  }

  private int word(int i, String word) throws BadLine {
    for (int j = 0; j < word.length(); j++) {
      if (peek(i + j) != word.charAt(j)) {
        throw unexpected(i, "a value");
      }
    }
    return i + word.length();
  }

  /** A number without its sign. What cannot go on as one ends it, and is for the caller to see. */
  private int number(int from) throws BadLine {
    int i = digits(from);
    if (i == from) {
      throw unexpected(i, "a digit");
    }
    if (bytes[from] == '0') {
      i = from + 1;
    }
    if (peek(i) == '.' && digits(i + 1) > i + 1) {
      i = digits(i + 1);
    }
    if ((peek(i) | 0x20) == 'e') {
      int sign = peek(i + 1) == '+' || peek(i + 1) == '-' ? 1 : 0;
      int start = i + 1 + sign;
      int end = digits(start);
      i = end > start ? end : i;
    }
    return i;
  }

  private int digits(int from) {
    int i = from;
    while (i < limit && bytes[i] >= '0' && bytes[i] <= '9') {
      i++;
    }
    return i;
  }

  // ---- strings

  /**
   * Checks a string from behind its first quote on.
   *
   * @param keep whether to unescape it into {@link #unescaped} if it has escapes
   * @return index of the last quote
   */
  private int string(int from, boolean keep) throws BadLine {
    escaped = false;
    loneSurrogate = 0;
    int run = from; // what is kept as it is
    int i = from;
    while (true) {
      i = plain(i);
      int b = peek(i);
      if (b == '"') {
        if (keep && escaped) {
          keepRun(run, i);
        }
        return i;
      }
      if (b != '\\') {
        throw b == END
            ? new BadLine(Math.min(i, limit), OBJECT, "no end of a string", null)
            : new BadLine(i, OBJECT, String.format("the byte 0x%02x in a string", b), null);
      }
      escaped = true;
      if (keep) {
        keepRun(run, i);
      }
      i = escape(i, keep);
      run = i;
    }
  }

  /** The first byte from here on that is a quote, a backslash or not text, or {@code limit}. */
  private int plain(int from) throws BadLine {
    byte[] in = bytes;
    int i = from;
    while (i < limit) {
      if (i + Long.BYTES <= limit) {
        long word = (long) LONGS.get(in, i);
        long quote = word ^ QUOTES;
        long backslash = word ^ BACKSLASHES;
        // The lowest byte marked is right; those above it may be marked by a borrow.
        long marked =
            (((quote - ONES) & ~quote)
                    | ((backslash - ONES) & ~backslash)
                    | ((word - SPACES) & ~word)
                    | word)
                & HIGH_BITS;
        if (marked == 0) {
          i += Long.BYTES;
          continue;
        }
        i += Long.numberOfTrailingZeros(marked) >>> 3;
      }
      byte b = in[i];
      if (b < 0) {
        i = Utf8.afterWide(in, i, limit);
        if (i < 0) {
          int at = ~i;
          throw new BadLine(at, "UTF-8", String.format("the byte 0x%02x", in[at] & 0xff), null);
        }
      } else if (b == '"' || b == '\\' || b < ' ') {
        return i;
      } else {
        i++;
      }
    }
    return limit;
  }

  private void keepRun(int from, int to) {
    reserve(to - from);
    System.arraycopy(bytes, from, unescaped, unescapedLength, to - from);
    unescapedLength += to - from;
  }

  /** Room for so many bytes and one character. */
  private void reserve(int more) {
    int needed = unescapedLength + more + 4;
    if (needed > unescaped.length) {
      unescaped = Arrays.copyOf(unescaped, Math.max(needed, 2 * Math.min(needed, 1 << 29)));
    }
  }

  /** The escape at this backslash; returns where it ends. */
  private int escape(int i, boolean keep) throws BadLine {
    int code;
    int end = i + 2;
    switch (peek(i + 1)) {
      case '"' -> code = '"';
      case '\\' -> code = '\\';
      case '/' -> code = '/';
      case 'b' -> code = '\b';
      case 'f' -> code = '\f';
      case 'n' -> code = '\n';
      case 'r' -> code = '\r';
      case 't' -> code = '\t';
      case 'u' -> {
        code = hex(i);
        end = i + 6;
        if (code >= 0xd800 && code < 0xdc00 && peek(end) == '\\' && peek(end + 1) == 'u') {
          int low = hex(end);
          if (low >= 0xdc00 && low < 0xe000) {
            code = Character.toCodePoint((char) code, (char) low);
            end += 6;
          }
        }
      }
      default -> throw new BadLine(i, OBJECT, "an escape that is none", null);
    }
    if (keep) {
      append(code);
    }
    return end;
  }

  /** The four digits of a {@code \}{@code u} escape. */
  private int hex(int i) throws BadLine {
    int code = 0;
    for (int j = i + 2; j < i + 6; j++) {
      int digit = peek(j) == END ? -1 : Character.digit(bytes[j], 16);
      if (digit < 0) {
        throw new BadLine(i, OBJECT, "an escape without four hexadecimal digits", null);
      }
      code = code << 4 | digit;
    }
    return code;
  }

  /** Appends a character as UTF-8, half a surrogate pair as if it were one. */
  private void append(int code) {
    reserve(0);
    byte[] out = unescaped;
    if (code < 0x80) {
      out[unescapedLength++] = (byte) code;
      return;
    }
    if (code < 0x800) {
      out[unescapedLength++] = (byte) (0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        out[unescapedLength++] = (byte) (0xe0 | code >> 12);
        if (code >= 0xd800 && code < 0xe000 && loneSurrogate == 0) {
          loneSurrogate = code;
        }
      } else {
        out[unescapedLength++] = (byte) (0xf0 | code >> 18);
        out[unescapedLength++] = (byte) (0x80 | (code >> 12 & 0x3f));
      }
      out[unescapedLength++] = (byte) (0x80 | (code >> 6 & 0x3f));
    }
    out[unescapedLength++] = (byte) (0x80 | (code & 0x3f));
  }

  // ---- bytes

  /** What {@link #peek} says where the line ends. */
  private static final int END = -1;

  /** The byte at an index, 0 to 255, or {@link #END}. */
  private int peek(int i) {
    if (i >= limit) {
      return END;
    }
    int b = bytes[i] & 0xff;
    return b == '\n' || b == '\r' ? END : b;
  }

  private int blanks(int from) {
    int i = from;
    while (i < limit && (bytes[i] == ' ' || bytes[i] == '\t')) {
      i++;
    }
    return i;
  }

  // ---- what is wrong

  /** The first byte of a bad line that is no UTF-8, for that comes first; or else the problem. */
  private BadLine invalidUtf8(int from, BadLine otherwise) {
    int to = from;
    while (peek(to) != END) {
      to++;
    }
    int at = Utf8.firstInvalid(bytes, from, to);
    return at < 0
        ? otherwise
        : new BadLine(at, "UTF-8", String.format("the byte 0x%02x", bytes[at] & 0xff), null);
  }

  private BadLine notAnObject(int from, int i) {
    if (peek(i) == END) {
      return new BadLine(from, OBJECT, "a blank line", null);
    }
    boolean mark = peek(i) == 0xef && peek(i + 1) == 0xbb && peek(i + 2) == 0xbf;
    return new BadLine(i, OBJECT, mark ? "a byte order mark" : describe(i), null);
  }

  private BadLine unexpected(int i, String wanted) {
    String found =
        peek(i) == END ? "the end of the line" : isPrintable(i) ? quoted(i) : hexadecimal(i);
    return new BadLine(Math.min(i, limit), OBJECT, found + " where " + wanted + " should be", null);
  }

  private BadLine wrongType(int i, String expected, int key) {
    return new BadLine(i, expected + " in \"" + keyNames.get(key) + "\"", describe(i), null);
  }

  /** What starts here. */
  private String describe(int i) {
    int b = peek(i);
    return switch (b) {
      case '{' -> "an object";
      case '[' -> "an array";
      case '"' -> "a string";
      case 't', 'f' -> "a boolean";
      case 'n' -> "null";
      case '-', 'N', 'I', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> "a number";
      default -> isPrintable(i) ? quoted(i) : hexadecimal(i);
    };
  }

  private boolean isPrintable(int i) {
    return bytes[i] > ' ' && bytes[i] < 0x7f;
  }

  private String quoted(int i) {
    return "'" + (char) bytes[i] + "'";
  }

  private String hexadecimal(int i) {
    return String.format("the byte 0x%02x", bytes[i] & 0xff);
  }

  /** The problem of a missing key, with the keys that are there; the line was found to be valid. */
  private BadLine missing(int key, int from) throws BadLine {
    List<String> names = new ArrayList<>();
    int i = blanks(blanks(from) + 1);
    while (peek(i) == '"' && names.size() < MAX_NAMES) {
      int before = unescapedLength;
      int end = string(i + 1, true);
      names.add(
          escaped
              ? new String(unescaped, before, unescapedLength - before, StandardCharsets.UTF_8)
              : new String(bytes, i + 1, end - i - 1, StandardCharsets.UTF_8));
      i = blanks(skip(name(i), 1));
      i = peek(i) == ',' ? blanks(i + 1) : i;
    }
    String found = names.isEmpty() ? "an empty object" : "only " + String.join(", ", names);
    return new BadLine(from, "the key \"" + keyNames.get(key) + "\"", found, null);
  }
}
