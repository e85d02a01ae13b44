package io.github.pretrain4j.tokenizer.tool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerToolTest {
  @TempDir Path folder = Path.of("");

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void writeCorpus() throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 50; i++) {
      lines.append("{\"id\":").append(i).append(",\"text\":\"hello world, hello tokens\"}\n");
    }
    Files.writeString(folder.resolve("corpus.jsonl"), lines);
    Files.writeString(folder.resolve("corpus.txt"), "hello world\nhello tokens\n");
  }

  private int run(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    ToolProvider tool = ToolProvider.findFirst("p4j-tokenizer").orElseThrow();
    return tool.run(new PrintWriter(out), new PrintWriter(err), args);
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  private void train() {
    int code =
        run(
            "train",
            "--input",
            at("corpus.jsonl"),
            "--vocab-size",
            "280",
            "--output",
            at("tokenizer.model"));
    assertEquals(0, code, err.toString());
  }

  @Test
  void trainsEncodesAndDecodes() {
    train();
    assertTrue(out.toString().contains("280 pieces"), out.toString());
    assertEquals(0, run("encode", "--model", folder.toString(), "--text", "hello world!"));
    String ids = out.toString().strip();
    assertTrue(ids.matches("[0-9 ]+"), ids);
    assertEquals(0, run("decode", "--model", folder.toString(), "--ids", ids));
    assertEquals("hello world!" + System.lineSeparator(), out.toString());
  }

  @Test
  void trainsUnigramModels() {
    assertEquals(
        0,
        run(
            "train",
            "--model-type",
            "unigram",
            "--input",
            at("corpus.jsonl"),
            "--vocab-size",
            "275",
            "--output",
            at("unigram.model")),
        err.toString());
    assertTrue(out.toString().contains("275 pieces"), out.toString());
    assertEquals(0, run("inspect", at("unigram.model")));
    assertTrue(out.toString().contains("SentencePiece UNIGRAM"), out.toString());
    assertEquals(
        2,
        run("train", "--model-type", "char", "--input", at("corpus.txt"), "--vocab-size", "280"));
    assertTrue(err.toString().contains("char is not bpe or unigram"), err.toString());
    assertEquals(
        2,
        run(
            "train",
            "--normalization-rule-name",
            "nfd",
            "--input",
            at("corpus.txt"),
            "--vocab-size",
            "280"));
    assertTrue(err.toString().contains("no normalization rule nfd"), err.toString());
  }

  @Test
  void extendsFromText() {
    train();
    assertEquals(
        0,
        run(
            "extend",
            "--model",
            at("tokenizer.model"),
            "--input",
            at("corpus.jsonl"),
            "--pieces",
            "3",
            "--output",
            at("extended.model")),
        err.toString());
    assertTrue(out.toString().contains("283 pieces, 3 of them new"), out.toString());
    assertTrue(out.toString().contains("last 2 texts, 50 characters: "), out.toString());
    assertEquals(0, run("inspect", at("extended.model")));
    assertTrue(out.toString().contains("vocabulary size: 283"), out.toString());
  }

  @Test
  void extendsByGivenPieces() throws IOException {
    train();
    Files.writeString(folder.resolve("pieces.txt"), "!?\n!\n?\nqqqq\n");
    String model = at("tokenizer.model");
    String output = at("extended.model");
    assertEquals(
        0,
        run("extend", "--model", model, "--pieces-from", at("pieces.txt"), "--output", output),
        err.toString());
    assertTrue(out.toString().contains("283 pieces, 3 of them new"), out.toString());
    assertTrue(out.toString().contains("1 pieces left out"), out.toString());
    assertTrue(out.toString().contains("qqqq"), out.toString());
    assertEquals(
        0, run("extend", "--model", model, "--pieces-from", output, "--output", at("more.model")));
    assertTrue(out.toString().contains("283 pieces, 3 of them new"), out.toString());
    assertEquals(2, run("extend", "--model", model, "--output", output));
    assertEquals(
        2, run("extend", "--model", model, "--input", at("corpus.txt"), "--output", output));
    assertEquals(
        1, run("extend", "--model", model, "--pieces-from", at("none.txt"), "--output", output));
    assertTrue(err.toString().contains("none.txt: no such file"), err.toString());
  }

  @Test
  void encodesFilesLineByLine() {
    train();
    String model = at("tokenizer.model");
    assertEquals(0, run("encode", "--pieces", "--model", model, "--input", at("corpus.txt")));
    assertEquals(2, out.toString().lines().count());
    assertTrue(out.toString().startsWith("\u2581hello "), out.toString());
    assertEquals(0, run("encode", "--model", model, "--input", at("corpus.jsonl")));
    assertEquals(50, out.toString().lines().count());
  }

  @Test
  void inspects() {
    train();
    assertEquals(0, run("inspect", "--pieces", at("tokenizer.model")));
    assertTrue(out.toString().contains("vocabulary size: 280"), out.toString());
    assertTrue(out.toString().contains("eos id: 2 </s>"), out.toString());
    assertTrue(out.toString().contains("BYTE=256"), out.toString());
    assertTrue(out.toString().contains("1\tCONTROL\t0.0\t<s>"), out.toString());
  }

  @Test
  void whatTheWorldDidEndsInOne() throws IOException {
    assertEquals(1, run("inspect", at("none.model")));
    assertTrue(err.toString().startsWith("p4j-tokenizer: error: "), err.toString());
    assertTrue(err.toString().contains("none.model: no such file"), err.toString());
    Files.writeString(folder.resolve("bad.model"), "not a model");
    assertEquals(1, run("inspect", at("bad.model")));
    assertTrue(err.toString().contains("at byte 0"), err.toString());
    assertFalse(err.toString().contains("\tat "), "no stack trace unless asked for");
    assertEquals(1, run("inspect", "--stacktrace", at("bad.model")));
    assertTrue(err.toString().contains("\tat "), err.toString());
    Files.writeString(folder.resolve("bad.jsonl"), "{\"text\":\"a\"}\n{\"text\":");
    assertEquals(1, run("train", "--input", at("bad.jsonl"), "--vocab-size", "280"));
    assertTrue(err.toString().contains("bad.jsonl: line 2 at byte 13"), err.toString());
    Files.writeString(folder.resolve("keys.jsonl"), "{\"content\":\"a\"}\n");
    assertEquals(1, run("train", "--input", at("keys.jsonl"), "--vocab-size", "280"));
    assertTrue(err.toString().contains("expected the key \"text\""), err.toString());
  }

  @Test
  void wrongUsageEndsInTwo() {
    assertEquals(2, run());
    assertEquals(2, run("fold"));
    assertEquals(2, run("train", "--vocab-size", "100"));
    assertEquals(2, run("train", "--input", at("corpus.txt"), "--vocab-size", "100000"));
    assertTrue(err.toString().contains("use at most"), err.toString());
    train();
    assertEquals(2, run("decode", "--model", folder.toString(), "--ids", "99999"));
    assertEquals(2, run("decode", "--model", folder.toString(), "--ids", "x"));
  }

  @Test
  void failedTrainingLeavesTheOldModel() throws IOException {
    train();
    byte[] before = Files.readAllBytes(folder.resolve("tokenizer.model"));
    assertEquals(
        2,
        run(
            "train",
            "--input",
            at("corpus.txt"),
            "--vocab-size",
            "90000",
            "--output",
            at("tokenizer.model")));
    assertArrayEquals(before, Files.readAllBytes(folder.resolve("tokenizer.model")));
  }

  @Test
  void helps() {
    assertEquals(0, run("--help"));
    assertTrue(out.toString().contains("train"), out.toString());
    assertEquals(0, run("train", "--help"));
    assertTrue(out.toString().contains("--vocab-size"), out.toString());
  }

  private static String golden(String name) throws URISyntaxException {
    URL found = TokenizerToolTest.class.getResource("/golden/" + name);
    return Path.of(Objects.requireNonNull(found).toURI()).toString();
  }

  @Test
  void diffOfTheSameEndsInZero() {
    train();
    String model = at("tokenizer.model");
    assertEquals(0, run("diff", model, model, "--input", at("corpus.jsonl")), err.toString());
    assertTrue(out.toString().contains("texts: 50, of which 0 differ"), out.toString());
    assertEquals(
        0,
        run("diff", model, "--other-provider", "djl-sentencepiece", "--input", at("corpus.txt")),
        err.toString());
    assertTrue(out.toString().contains("texts: 2, of which 0 differ"), out.toString());
  }

  @Test
  void diffShowsWhereAndHowMuch() throws Exception {
    Files.writeString(folder.resolve("mixed.txt"), "12\n12 <sep> \uD83D\uDE00\nzz\n");
    int code =
        run(
            "diff",
            golden("sp-bpe-bytefallback-1k"),
            golden("sp-bpe-nodummy-usersym"),
            "--show",
            "1",
            "--input",
            at("mixed.txt"));
    assertEquals(1, code, err.toString());
    String shown = out.toString();
    assertTrue(shown.contains("texts: 3, of which 3 differ"), shown);
    assertTrue(shown.contains("text: 17 bytes, 14 characters"), shown);
    assertTrue(shown.contains("text 1 differs at id 0"), shown);
    assertFalse(shown.contains("text 2 differs"), shown);
    assertTrue(shown.contains("|12"), shown);
    assertTrue(shown.matches("(?s).*bytes per id +[0-9.]+ +[0-9.]+.*"), shown);
  }

  @Test
  void diffCountsTextsThatOnlyOneRefuses() throws Exception {
    Files.writeString(folder.resolve("word.txt"), "<s>\n");
    String folderOfWords = golden("sp-word");
    assertEquals(0, run("diff", folderOfWords, "--input", at("word.txt")), err.toString());
    assertEquals(2, run("diff", folderOfWords));
  }

  @Test
  void tellsPlaces() throws Exception {
    String model = golden("sp-bpe-bytefallback-1k");
    assertEquals(
        0,
        run("encode", "--model", model, "--offsets", "code-points", "--text", "a \uD83D\uDE00"),
        err.toString());
    List<String> lines = out.toString().lines().toList();
    assertEquals("", lines.get(lines.size() - 1));
    assertTrue(lines.get(lines.size() - 2).endsWith("\t2\t3\t<0x80>"), out.toString());
    assertEquals(2, run("encode", "--model", model, "--offsets", "words", "--text", "a"));
  }

  @Test
  void takesTheProviderThatIsWanted() throws Exception {
    String model = golden("sp-bpe-bytefallback-1k");
    for (String provider : List.of("sentencepiece", "djl-sentencepiece")) {
      assertEquals(0, run("encode", "--provider", provider, "--model", model, "--text", "hello"));
      assertTrue(out.toString().matches("[0-9 ]+\\R"), out.toString());
      assertEquals(0, run("decode", "--provider", provider, "--model", model, "--ids", "300"));
      assertEquals(0, run("inspect", "--provider", provider, "--pieces", model));
      assertTrue(out.toString().contains("vocabulary size: 1000"), out.toString());
      assertTrue(out.toString().lines().count() > 1000, out.toString());
    }
    assertEquals(2, run("inspect", "--provider", "none", model));
    assertTrue(err.toString().contains("djl-sentencepiece"), err.toString());
    assertEquals(
        1, run("inspect", "--provider", "djl-sentencepiece", "--special-tokens", "match", model));
    assertEquals(2, run("inspect", "--special-tokens", "sometimes", model));
  }
}
