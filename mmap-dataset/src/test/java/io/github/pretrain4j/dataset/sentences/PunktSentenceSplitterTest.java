package io.github.pretrain4j.dataset.sentences;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.pretrain4j.dataset.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The committed cases are NLTK's own ({@code golden/sentences/make_punkt_cases.py} wrote them).
 * {@code -Dpunkt.cases=DIR} compares a folder of the same layout instead: {@code
 * punkt_tab/english}, {@code punkt_nltk_3_8*.jsonl}, {@code punkt_nltk_3_10*.jsonl}.
 */
class PunktSentenceSplitterTest {
  private static final Path CASES =
      Path.of(
          System.getProperty("punkt.cases", Golden.resources().resolve("sentences").toString()));

  static List<Path> caseFiles() throws IOException {
    try (Stream<Path> files = Files.list(CASES)) {
      return files.filter(file -> file.toString().endsWith(".jsonl")).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("caseFiles")
  void cutsWhereNltkCuts(Path file) throws IOException {
    PunktRules rules =
        file.getFileName().toString().startsWith("punkt_nltk_3_8")
            ? PunktRules.NLTK_3_8
            : PunktRules.NLTK_3_10;
    PunktSentenceSplitter plain = PunktSentenceSplitter.create(english(), rules, false);
    PunktSentenceSplitter keeping = PunktSentenceSplitter.create(english(), rules, true);
    int count = 0;
    try (JsonParser parser = new JsonFactory().createParser(file.toFile())) {
      while (parser.nextToken() == JsonToken.START_OBJECT) {
        parser.nextFieldName();
        String text = parser.nextTextValue();
        assertEquals(list(parser), plain.split(text), () -> "of " + text);
        assertEquals(list(parser), keeping.split(text), () -> "kept, of " + text);
        parser.nextToken();
        count++;
      }
    }
    assertTrue(count >= 700, file + " has " + count + " cases");
  }

  private static List<String> list(JsonParser parser) throws IOException {
    parser.nextFieldName();
    parser.nextToken();
    List<String> list = new ArrayList<>();
    while (parser.nextToken() == JsonToken.VALUE_STRING) {
      list.add(parser.getText());
    }
    return list;
  }

  @Test
  void cutsATextAtEveryMillionthCodePoint() throws IOException {
    String emoji = "\uD83D\uDE00";
    String first = emoji.repeat(999_999) + "A";
    assertEquals(
        List.of(first, emoji.repeat(5)),
        PunktSentenceSplitter.create(english(), PunktRules.NLTK_3_10, false)
            .split(first + emoji.repeat(5)));
    String plain = "x".repeat(1_000_000);
    assertEquals(
        List.of(plain, "y. z"),
        PunktSentenceSplitter.create(english(), PunktRules.NLTK_3_10, false).split(plain + "y. z"));
  }

  /**
   * Texts that make NLTK's expressions quadratic, and some that would try this class: a walk that
   * is not linear shows as a build that does not end.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "x",
        ".",
        "!.",
        ". ",
        " .",
        ".\n",
        "\n",
        "- ",
        "a.",
        "a.)",
        ".)",
        "\"",
        "'x",
        ",.",
        "\u03A3",
        "\u03A3.",
        "a'",
        "1.",
        "1,",
        ".\u3000",
        "a.\u3000b",
        "\u00a0"
      })
  void losesNothingOfManyCharactersOfAKind(String unit) throws IOException {
    String text = "x. " + unit.repeat(200_000 / unit.length()) + "y. Z";
    for (PunktRules rules : PunktRules.values()) {
      PunktSentenceSplitter splitter = PunktSentenceSplitter.create(english(), rules, true);
      StringBuilder joined = new StringBuilder();
      splitter.split(text).forEach(joined::append);
      assertEquals(withoutSpace(text), withoutSpace(joined.toString()));
    }
  }

  private static String withoutSpace(String text) {
    StringBuilder out = new StringBuilder();
    text.chars().filter(c -> !PythonText.isSpace((char) c)).forEach(c -> out.append((char) c));
    return out.toString();
  }

  private static PunktParameters english() throws IOException {
    return PunktParameters.read(CASES.resolve("punkt_tab").resolve("english"));
  }
}
