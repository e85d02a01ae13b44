package io.github.pretrain4j.tokenizer.tool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextSourceTest {
  @TempDir Path folder = Path.of("");

  private List<String> read(String name, byte[] content, String... keys) throws IOException {
    Path file = Files.write(folder.resolve(name), content);
    List<String> texts = new ArrayList<>();
    try (TextSource source = new TextSource(List.of(file), List.of(keys))) {
      source.forEachRemaining(texts::add);
    }
    return texts;
  }

  private void assertCorrupt(byte[] content, long line, long byteOffset, String name) {
    UncheckedIOException e =
        assertThrows(UncheckedIOException.class, () -> read(name, content, "text"));
    CorruptTextException corrupt = assertInstanceOf(CorruptTextException.class, e.getCause());
    assertEquals(folder.resolve(name), corrupt.file());
    assertEquals(line, corrupt.line(), corrupt::toString);
    assertEquals(byteOffset, corrupt.byteOffset(), corrupt::toString);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void readsLines() throws IOException {
    String longLine = "春眠不觉晓".repeat(20_000);
    assertEquals(
        List.of("a", "", longLine, "b"), read("a.txt", bytes("a\r\n\n" + longLine + "\nb")));
    assertEquals(List.of("a"), read("a.txt", bytes("a\n")));
    assertEquals(List.of(), read("a.txt", bytes("")));
  }

  @Test
  void readsTextsAndListsOfTexts() throws IOException {
    assertEquals(
        List.of("a", "b", "c"),
        read("a.jsonl", bytes("{\"text\": \"a\"}\n\n{\"text\": [\"b\", \"c\"]}\n"), "text"));
  }

  @Test
  void namesLineAndByteOfWhatIsWrong() {
    String good = "{\"text\": \"春\"}\n"; // 16 bytes
    for (String wrong :
        List.of(
            "{\"text\":",
            "[]",
            "7",
            "{}",
            "{\"other\": \"a\"}",
            "{\"text\": null}",
            "{\"text\": 7}",
            "{\"text\": [\"a\", 7]}",
            "{\"text\": [[\"a\"]]}",
            "{\"text\": \"a\"} {}")) {
      assertCorrupt(bytes(good + good + wrong + "\n" + good), 3, 32, "a.jsonl");
    }
    byte[] garbled = bytes("ab\ncdef");
    garbled[5] = (byte) 0xFF;
    assertCorrupt(garbled, 2, 5, "a.txt");
    byte[] cut = bytes("ab\n春");
    assertCorrupt(Arrays.copyOf(cut, cut.length - 1), 2, 3, "a.txt");
  }
}
