package io.github.pretrain4j.dataset.preprocess;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;

/** Lines of JSON with the keys {@code text} and {@code title}, some of them damaged. */
final class FuzzedLines {
  private static final String[] NAMES = {
    "text", "title", "x", "", "te\\u0078t", "t\\u0069tle", "\\ud800", "汉", "texts", "tex", "a\\\"b"
  };
  private static final String[] SCALARS = {
    "true",
    "false",
    "null",
    "NaN",
    "Infinity",
    "-Infinity",
    "0",
    "-0",
    "1.5",
    "-12e+3",
    "0.0E-9",
    "12345678901234567890123",
    "1e999",
    "-1E5"
  };
  private static final String[] ALMOST = {
    "01",
    "1.",
    "-",
    ".5",
    "+1",
    "1e",
    "1e+",
    "nul",
    "True",
    "nan",
    "-NaN",
    "--1",
    "0x1",
    "1_0",
    "'a'",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"\\u123\"",
    "-I",
    "Inf",
    "undefined",
    "1 2",
    "\"a\" \"b\"",
    "[1,]",
    "{\"a\":1,}",
    "[,1]",
    "{,}",
    "{\"a\"}",
    "{1:2}",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\"
  };
  private static final String[] PIECES = {
    "a",
    "hello world, this is plain text",
    " ",
    "é",
    "汉字",
    "，",
    "\ud83d\ude00",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\b\\f\\r\\t",
    "\\u0041",
    "\\u00e9",
    "\\u6c49",
    "\\ud83d\\ude00",
    "\\uD83D\\uDE00",
    "\\u0000",
    "\\uffff",
    "\u007f",
    "\u0080",
    "\u2028",
    "\ufeff",
    "\uffff",
    "<s>",
    "{",
    "}",
    "[",
    "]"
  };
  private static final String[] HALVES = {
    "\\ud800", "\\udc00", "\\udfff\\ud800", "\\ud83d\\ud83d\\ude00", "\\ud83dx\\ude00"
  };

  private final Random random;

  FuzzedLines(long seed) {
    random = new Random(seed);
  }

  /** The next line, without an end. */
  byte[] next() {
    StringBuilder line = new StringBuilder();
    blanks(line);
    if (random.nextInt(40) == 0) {
      value(line, 0);
    } else {
      object(line, 0, true);
    }
    blanks(line);
    byte[] bytes = line.toString().getBytes(StandardCharsets.UTF_8);
    return random.nextInt(3) == 0 ? damage(bytes) : bytes;
  }

  private byte[] damage(byte[] bytes) {
    byte[] damaged = bytes;
    for (int i = random.nextInt(3); i >= 0 && damaged.length > 0; i--) {
      int at = random.nextInt(damaged.length);
      int other = random.nextInt(damaged.length);
      switch (random.nextInt(6)) {
        case 0 -> damaged = Arrays.copyOf(damaged, at);
        case 1 -> damaged[at] = (byte) random.nextInt(256);
        case 2 -> damaged[at] = damaged[other];
        case 3 -> damaged[at] ^= (byte) (1 << random.nextInt(8));
        case 4 -> {
          byte[] shorter = Arrays.copyOf(damaged, damaged.length - 1);
          System.arraycopy(damaged, at + 1, shorter, at, shorter.length - at);
          damaged = shorter;
        }
        default -> {
          byte[] longer = Arrays.copyOf(damaged, damaged.length + 1);
          System.arraycopy(damaged, at, longer, at + 1, damaged.length - at);
          longer[at] = (byte) "{}[]\",:\\ \tu0\u0001\u00c3".charAt(random.nextInt(14));
          damaged = longer;
        }
      }
    }
    for (int i = 0; i < damaged.length; i++) {
      damaged[i] = damaged[i] == '\n' || damaged[i] == '\r' ? (byte) ' ' : damaged[i];
    }
    return damaged;
  }

  private void blanks(StringBuilder out) {
    while (random.nextInt(4) == 0) {
      out.append(random.nextBoolean() ? ' ' : '\t');
    }
  }

  private void object(StringBuilder out, int depth, boolean top) {
    out.append('{');
    blanks(out);
    int count = top ? 1 + random.nextInt(5) : random.nextInt(4);
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        out.append(',');
        blanks(out);
      }
      String name =
          top && i == count - 1 && random.nextInt(4) != 0
              ? "text"
              : NAMES[random.nextInt(NAMES.length)];
      out.append('"').append(name).append('"');
      blanks(out);
      out.append(':');
      blanks(out);
      if (top && random.nextInt(5) != 0) {
        textValue(out);
      } else {
        value(out, depth + 1);
      }
      blanks(out);
    }
    out.append('}');
  }

  private void textValue(StringBuilder out) {
    if (random.nextInt(4) != 0) {
      string(out);
      return;
    }
    out.append('[');
    int count = random.nextInt(4);
    for (int i = 0; i < count; i++) {
      blanks(out);
      string(out);
      blanks(out);
      if (i < count - 1) {
        out.append(',');
      }
    }
    out.append(']');
  }

  private void value(StringBuilder out, int depth) {
    int kind = random.nextInt(depth > 4 ? 4 : 7);
    if (random.nextInt(60) == 0) {
      out.append(ALMOST[random.nextInt(ALMOST.length)]);
    } else if (kind < 2) {
      out.append(SCALARS[random.nextInt(SCALARS.length)]);
    } else if (kind < 4) {
      string(out);
    } else if (kind < 5) {
      object(out, depth, false);
    } else {
      out.append('[');
      int count = random.nextInt(4);
      for (int i = 0; i < count; i++) {
        blanks(out);
        value(out, depth + 1);
        out.append(i < count - 1 ? "," : "");
      }
      blanks(out);
      out.append(']');
    }
  }

  private void string(StringBuilder out) {
    out.append('"');
    for (int i = random.nextInt(12); i > 0; i--) {
      out.append(PIECES[random.nextInt(PIECES.length)]);
    }
    if (random.nextInt(25) == 0) {
      out.append(HALVES[random.nextInt(HALVES.length)]);
    }
    out.append('"');
  }
}
