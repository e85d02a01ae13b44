package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.hash.Hashing;
import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The files of Megatron's {@code preprocess_data.py}, byte for byte. */
class PreprocessToolTest {

  private static final Path FILES = SharedFiles.resource("cli");

  private final Path folder;

  PreprocessToolTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return new PreprocessTool()
        .run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private static String sha256(Path file) throws IOException {
    return Hashing.sha256().hashBytes(Files.readAllBytes(file)).toString();
  }

  @ParameterizedTest
  @CsvSource({
    "sp-bpe-bytefallback-1k, 8711a4201a0ceca661b647743d6292dd8a1026dbf5109f7058c44cd1471339df,"
        + " 8c0e01f8f3428a6078091761c36084fc463b72c6162291318ee703d0e9a48e1d",
    "sp-bpe-nodummy-usersym, 90e8a70dfb8529b4bb72366aa3f3205e0b0fd70e97bc19c715ec31007c9b8497,"
        + " a3eb43853b93af92c53ea2583b696ca62e5854cce3464b63874af69573fbef80"
  })
  void writesMegatronsBytes(String model, String data, String index) throws IOException {
    Path prefix = folder.resolve("new/docs2");
    int code =
        run(
            "--input",
            FILES.resolve("docs2.jsonl").toString(),
            "--output-prefix",
            prefix.toString(),
            "--tokenizer-type",
            "GPTSentencePieceTokenizer",
            "--tokenizer-model",
            FILES.resolve(model + ".model").toString(),
            "--append-eod",
            "--workers",
            "2");
    assertEquals(0, code, err.toString());
    assertEquals(data, sha256(folder.resolve("new/docs2_text_document.bin")));
    assertEquals(index, sha256(folder.resolve("new/docs2_text_document.idx")));
    assertTrue(out.toString().contains("sha256 " + data), out.toString());
  }

  @TestFactory
  List<DynamicTest> everyRecordedRun() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    if (SharedFiles.golden().isPresent()) {
      Path data = SharedFiles.golden().get().resolve("data");
      for (JsonNode recorded : new JsonMapper().readTree(data.resolve("runs.json").toFile())) {
        String name = recorded.path("name").asText();
        String program = recorded.path("program").asText();
        if (program.endsWith("preprocess_data.py")) {
          tests.add(DynamicTest.dynamicTest(name, () -> repeat(recorded, data)));
        }
      }
    }
    return tests;
  }

  private void repeat(JsonNode recorded, Path data) throws IOException {
    Path output = Files.createTempDirectory(folder, "run");
    List<String> arguments = new ArrayList<>();
    String option = "";
    for (JsonNode node : recorded.path("arguments")) {
      String argument = node.asText();
      boolean isOption = argument.startsWith("--");
      option = isOption ? argument : option;
      if (!isOption && (option.equals("--input") || option.equals("--tokenizer-model"))) {
        argument = data.resolve(argument).normalize().toString();
      } else if (!isOption && option.equals("--output-prefix")) {
        argument = output.resolve(argument).toString();
      }
      arguments.add(argument);
    }
    if (recorded.path("name").asText().equals("llama2_eod_v060")) {
      arguments.add("--prepend-bos");
    }
    assertEquals(0, run(arguments.toArray(String[]::new)), err.toString());
    for (JsonNode file : recorded.path("files")) {
      Path written = output.resolve(file.path("file").asText());
      assertEquals(file.path("sha256").asText(), sha256(written), written.getFileName().toString());
    }
  }

  @Test
  void takesSeveralFilesAndKeys() throws IOException {
    Path first =
        Files.writeString(folder.resolve("a.jsonl"), "{\"text\":\"one\",\"title\":\"t\"}\n");
    Path second =
        Files.writeString(folder.resolve("b.jsonl"), "{\"title\":\"u\",\"text\":\"two\"}\n");
    int code =
        run(
            "--input",
            first.toString(),
            second.toString(),
            "--json-keys",
            "text",
            "title",
            "--output-prefix",
            folder.resolve("ab").toString(),
            "--tokenizer-model",
            FILES.resolve("sp-bpe-bytefallback-1k.model").toString());
    assertEquals(0, code, err.toString());
    assertEquals(
        List.of(
            "ab_text_document.bin",
            "ab_text_document.idx",
            "ab_text_document.meta.json",
            "ab_title_document.bin",
            "ab_title_document.idx",
            "ab_title_document.meta.json"),
        outputs("ab_"));
    assertTrue(out.toString().startsWith("2 documents,"), out.toString());
  }

  @Test
  void wrongInputIsNamedAndLeavesNothing() throws IOException {
    Path bad = Files.writeString(folder.resolve("bad.jsonl"), "{\"text\":\"fine\"}\n{\"text\":\n");
    String model = FILES.resolve("sp-bpe-bytefallback-1k.model").toString();
    String prefix = folder.resolve("bad").toString();
    assertEquals(
        1, run("--input", bad.toString(), "--output-prefix", prefix, "--tokenizer-model", model));
    assertTrue(err.toString().startsWith("p4j-preprocess: error: "), err.toString());
    assertTrue(err.toString().contains("bad.jsonl"), err.toString());
    assertEquals(List.of(), outputs("bad_"));
    String missing = folder.resolve("none.jsonl").toString();
    assertEquals(1, run("--input", missing, "--output-prefix", prefix, "--tokenizer-model", model));
    assertEquals(
        1, run("--input", bad.toString(), "--output-prefix", prefix, "--tokenizer-model", missing));
    assertEquals(
        1,
        run(
            "--input",
            bad.toString(),
            "--output-prefix",
            prefix,
            "--tokenizer-model",
            bad.toString()));
    assertEquals(
        2,
        run(
            "--input",
            bad.toString(),
            "--output-prefix",
            prefix,
            "--tokenizer-model",
            model,
            "--tokenizer-type",
            "GPT2BPETokenizer"));
    assertEquals(2, run("--input", bad.toString(), "--output-prefix", prefix));
  }

  private String[] withModel(Path input, String name, String... more) {
    List<String> arguments = new ArrayList<>(List.of("--input", input.toString()));
    arguments.addAll(List.of("--output-prefix", folder.resolve(name).toString()));
    arguments.add("--tokenizer-model");
    arguments.add(FILES.resolve("sp-bpe-bytefallback-1k.model").toString());
    arguments.addAll(List.of(more));
    return arguments.toArray(String[]::new);
  }

  @Test
  void legacySpecialTokensAreCutOutOfTexts() throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"text\":\"one<A>two<B>\"}\n");
    assertEquals(0, run(withModel(input, "plain")), err.toString());
    int code =
        run(
            withModel(
                input,
                "legacy",
                "--tokenizer-sentencepiece-legacy",
                "--tokenizer-special-tokens",
                "<A>",
                "<B>"));
    assertEquals(0, code, err.toString());
    List<Integer> plain = tokens("plain_text_document");
    List<Integer> legacy = tokens("legacy_text_document");
    assertTrue(legacy.contains(1000), legacy.toString());
    assertEquals(1001, legacy.get(legacy.size() - 1));
    assertTrue(plain.stream().allMatch(id -> id < 1000), plain.toString());
  }

  private List<Integer> tokens(String prefix) throws IOException {
    try (IndexedDataset dataset = IndexedDataset.open(folder.resolve(prefix))) {
      return Arrays.stream(dataset.sequence(0)).boxed().toList();
    }
  }

  @Test
  void optionsThatChangeNoIdAreTaken() throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"text\":\"one two\"}\n");
    assertEquals(0, run(withModel(input, "plain")), err.toString());
    int code =
        run(
            withModel(
                input,
                "same",
                "--padded-vocab-size",
                "2048",
                "--no-pad-vocab-size",
                "--vocab-extra-ids",
                "100",
                "--use-gigatoken",
                "--keep-sequential-samples"));
    assertEquals(0, code, err.toString());
    for (String end : List.of("_text_document.bin", "_text_document.idx")) {
      assertEquals(sha256(folder.resolve("plain" + end)), sha256(folder.resolve("same" + end)));
    }
  }

  @Test
  void optionsThatDoNotGoTogetherAreRefused() throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"text\":\"one\"}\n");
    for (List<String> more :
        List.of(
            List.of("--max-bad", "3"),
            List.of("--max-bad", "3", "--bad-lines", "fail"),
            List.of("--tokenizer-special-tokens", "<A>"),
            List.of("--vocab-size", "1000"),
            List.of("--null-tokenizer-eod-id", "7"),
            List.of("--lang", "english"),
            List.of("--max-documents", "7"),
            List.of("--vocab-file", "vocab.json"),
            List.of("--performance-dir", "here"))) {
      err.getBuffer().setLength(0);
      assertEquals(2, run(withModel(input, "refused", more.toArray(String[]::new))));
      assertTrue(err.toString().contains(more.get(0)), err.toString());
    }
    assertEquals(List.of(), outputs("refused"));
  }

  /** What a run that was stopped says of its encoder is all that the next one may have. */
  @Test
  void aStoppedRunIsNotContinuedWithAnotherEncoder() throws IOException {
    Path input =
        Files.writeString(
            folder.resolve("in.jsonl"), "{\"text\":\"one\"}\n{}\n{\"text\":\"two\"}\n");
    String[] stop = {"--bad-lines", "skip", "--max-bad", "0"};
    assertEquals(1, run(withModel(input, "x", stop)));
    assertTrue(Files.exists(folder.resolve("x.journal")), err.toString());
    assertEquals(1, run(withModel(input, "x", "--bad-lines", "skip", "--prepend-bos")));
    assertTrue(err.toString().contains("settings of the encoder"), err.toString());
    assertTrue(err.toString().contains("--restart"), err.toString());
    assertEquals(
        0, run(withModel(input, "x", "--bad-lines", "skip", "--prepend-bos", "--restart")));
    assertEquals(
        0, run(withModel(input, "y", "--bad-lines", "skip", "--prepend-bos")), err.toString());
    assertEquals(
        sha256(folder.resolve("y_text_document.bin")),
        sha256(folder.resolve("x_text_document.bin")));
  }

  private List<String> outputs(String start) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith(start))
          .sorted()
          .toList();
    }
  }
}
