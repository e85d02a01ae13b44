package io.github.pretrain4j.tokenizer.sentencepiece;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The script of every code point as of Unicode 16, frozen in a file, so that a training gives the
 * same pieces on every Java. A line of {@code scripts.txt} is the first code point of a run, in
 * hexadecimal, and the name of its script. Immutable.
 */
final class ScriptTable {
  private static final String FILE = "scripts.txt";

  private final int[] starts;
  private final int[] scripts;
  private final byte[] basicPlane = new byte[1 << 16];
  private final Map<String, Integer> numberOfName = new HashMap<>();

  private ScriptTable(String[] lines) {
    starts = new int[lines.length];
    scripts = new int[lines.length];
    for (int i = 0; i < lines.length; i++) {
      int space = lines[i].indexOf(' ');
      starts[i] = Integer.parseInt(lines[i], 0, space, 16);
      scripts[i] =
          numberOfName.computeIfAbsent(lines[i].substring(space + 1), s -> numberOfName.size());
    }
    for (int i = 0; i < starts.length && starts[i] < basicPlane.length; i++) {
      int end = i + 1 < starts.length ? starts[i + 1] : basicPlane.length;
      Arrays.fill(basicPlane, starts[i], Math.min(end, basicPlane.length), (byte) scripts[i]);
    }
  }

  static ScriptTable load() {
    try (InputStream in = ScriptTable.class.getResourceAsStream(FILE)) {
      if (in == null) {
        throw new IllegalStateException(FILE + " is missing from the tokenizer's jar");
      }
      return new ScriptTable(
          new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip().split("\n", -1));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A number from 0 for the script of a code point. */
  int script(int codePoint) {
    if (codePoint < basicPlane.length) {
      return basicPlane[codePoint] & 0xFF;
    }
    int at = Arrays.binarySearch(starts, codePoint);
    return scripts[at >= 0 ? at : -at - 2];
  }

  /** The number of a script by its name in {@link Character.UnicodeScript}. */
  int number(String name) {
    Integer number = numberOfName.get(name);
    if (number == null) {
      throw new IllegalArgumentException("no script " + name);
    }
    return number;
  }
}
