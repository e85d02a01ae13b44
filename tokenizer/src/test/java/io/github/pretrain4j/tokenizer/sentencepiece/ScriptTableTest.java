package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.Character.UnicodeScript;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ScriptTableTest {

  /** The file's content on a Java that knows Unicode 16, as Java 24 and 25 do. */
  private static String generate() {
    StringBuilder lines = new StringBuilder();
    UnicodeScript last = null;
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      UnicodeScript script = UnicodeScript.of(c);
      if (script != last) {
        lines.append(Integer.toHexString(c).toUpperCase(Locale.ROOT));
        lines.append(' ').append(script).append('\n');
        last = script;
      }
    }
    return lines.toString();
  }

  /**
   * On a Java with Unicode 16 the file must be what this test generates. Others know fewer or more
   * characters; of those they share with Unicode 16, one or two have changed their script.
   */
  @Test
  void agreesWithTheRunningJava() throws IOException {
    ScriptTable table = ScriptTable.load();
    List<String> different = new ArrayList<>();
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      UnicodeScript script = UnicodeScript.of(c);
      if (script != UnicodeScript.UNKNOWN
          && table.script(c) != table.number("UNKNOWN")
          && table.script(c) != table.number(script.name())) {
        different.add(Integer.toHexString(c));
      }
    }
    if (Character.getName(0x1C89) != null && Character.getType(0x1C8B) == 0) { // new in Unicode 16
      try (InputStream file =
          Objects.requireNonNull(ScriptTable.class.getResourceAsStream("scripts.txt"))) {
        assertEquals(generate(), new String(file.readAllBytes(), StandardCharsets.US_ASCII));
      }
      assertEquals(List.of(), different);
    }
    assertTrue(different.size() < 10, different.toString());
  }

  @Test
  void knowsEveryCodePoint() {
    ScriptTable table = ScriptTable.load();
    assertEquals(table.number("LATIN"), table.script('a'));
    assertEquals(table.number("HAN"), table.script(0x4E16));
    assertEquals(table.number("HAN"), table.script(0x20000));
    assertEquals(table.number("INHERITED"), table.script(0x301));
    assertEquals(table.number("COMMON"), table.script(0x1F600));
    assertEquals(table.number("UNKNOWN"), table.script(Character.MAX_CODE_POINT));
    assertEquals(table.number("COMMON"), table.script(0));
  }
}
