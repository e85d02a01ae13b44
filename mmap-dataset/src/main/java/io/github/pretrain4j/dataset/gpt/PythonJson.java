package io.github.pretrain4j.dataset.gpt;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/**
 * Writes JSON to the byte as Python's {@code json.dumps(value, indent=4)} does: four spaces a
 * level, one item a line, ASCII only, floats as {@code repr} prints them. Not thread-safe.
 */
final class PythonJson {
  private static final String INDENT = "    ";
  private static final int MAX_DIGITS = 17;

  private final StringBuilder out = new StringBuilder();
  private int depth;
  private boolean first = true; // of its container
  private boolean afterKey;

  PythonJson beginObject() {
    return begin('{');
  }

  PythonJson endObject() {
    return end('}');
  }

  PythonJson beginArray() {
    return begin('[');
  }

  PythonJson endArray() {
    return end(']');
  }

  PythonJson key(String name) {
    startValue();
    quote(name);
    out.append(": ");
    afterKey = true;
    return this;
  }

  PythonJson string(String value) {
    startValue();
    quote(value);
    return this;
  }

  PythonJson integer(long value) {
    startValue();
    out.append(value);
    return this;
  }

  PythonJson floating(double value) {
    startValue();
    out.append(repr(value));
    return this;
  }

  PythonJson nullValue() {
    startValue();
    out.append("null");
    return this;
  }

  /** A value that is laid out as at the outermost level; it is moved to this depth. */
  PythonJson raw(String json) {
    startValue();
    out.append(json.replace("\n", "\n" + INDENT.repeat(depth)));
    return this;
  }

  @Override
  public String toString() {
    return out.toString();
  }

  private PythonJson begin(char bracket) {
    startValue();
    out.append(bracket);
    depth++;
    first = true;
    return this;
  }

  private PythonJson end(char bracket) {
    depth--;
    if (!first) {
      newLine();
    }
    out.append(bracket);
    first = false;
    return this;
  }

  private void startValue() {
    if (afterKey) {
      afterKey = false;
      return;
    }
    if (depth > 0) {
      if (!first) {
        out.append(',');
      }
      newLine();
    }
    first = false;
  }

  private void newLine() {
    out.append('\n').append(INDENT.repeat(depth));
  }

  private void quote(String value) {
    out.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c >= ' ' && c < 0x7f) {
            out.append(c);
          } else {
            out.append(String.format("\\u%04x", (int) c));
          }
        }
      }
    }
    out.append('"');
  }

  /** The shortest decimal that reads back as this value, written as Python does. */
  static String repr(double value) {
    if (value == 0 || !Double.isFinite(value)) {
      return Double.toString(value);
    }
    // Not Double.toString: before JDK 19 its digits are not always the shortest.
    BigDecimal exact = new BigDecimal(Math.abs(value));
    BigDecimal shortest = exact;
    for (int digits = 1; digits <= MAX_DIGITS; digits++) {
      shortest = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
      if (shortest.doubleValue() == Math.abs(value)) {
        break;
      }
    }
    shortest = shortest.stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    String sign = value < 0 ? "-" : "";
    if (exponent >= -4 && exponent < 16) {
      String plain = shortest.toPlainString();
      return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
    }
    String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
    return sign
        + digits.charAt(0)
        + fraction
        + (exponent < 0 ? "e-" : "e+")
        + (Math.abs(exponent) < 10 ? "0" : "")
        + Math.abs(exponent);
  }
}
