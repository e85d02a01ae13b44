package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PreflightTest {
  private static final String SHARD = "model-00001-of-00002.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  private final Path directory;

  PreflightTest(@TempDir Path directory) {
    this.directory = directory;
  }

  /** One way to spoil a folder, and the rule that must notice. */
  record Damage(
      String name, Finding.Severity severity, String rule, @Nullable String said, Spoiler spoiler) {
    interface Spoiler {
      void spoil(Path model) throws IOException;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Damage error(String name, String rule, String said, Damage.Spoiler spoiler) {
    return new Damage(name, Finding.Severity.ERROR, rule, said, spoiler);
  }

  private static Damage warning(String name, String rule, String said, Damage.Spoiler spoiler) {
    return new Damage(name, Finding.Severity.WARNING, rule, said, spoiler);
  }

  private static Damage.Spoiler delete(String file) {
    return model -> Files.delete(model.resolve(file));
  }

  private static Damage.Spoiler write(String file, String text) {
    return model -> TinyModel.text(model, file, text);
  }

  private static Damage.Spoiler edit(String file, Consumer<ObjectNode> change) {
    return model -> {
      ObjectNode json =
          (ObjectNode) Json.mapper().readTree(Files.readAllBytes(model.resolve(file)));
      change.accept(json);
      TinyModel.text(model, file, json.toString());
    };
  }

  private static Damage.Spoiler config(String key, Object value) {
    return edit("config.json", json -> json.set(key, Json.mapper().valueToTree(value)));
  }

  private static Damage.Spoiler noConfig(String key) {
    return edit("config.json", json -> json.remove(key));
  }

  private static Damage.Spoiler length(String file, long length) {
    return model -> {
      try (RandomAccessFile f = new RandomAccessFile(model.resolve(file).toFile(), "rw")) {
        f.setLength(length);
      }
    };
  }

  private static Damage.Spoiler header(String json, int dataBytes) {
    return model ->
        Files.write(model.resolve(SHARD), TinyModel.safetensors(json, dataBytes, new Random(1)));
  }

  static Stream<Damage> damages() {
    return Stream.of(
            configDamages(), weightDamages(), headerDamages(), tokenizerDamages(), folderDamages())
        .flatMap(List::stream);
  }

  private static List<Damage> configDamages() {
    return List.of(
        error("no config", "config", "no config.json", delete("config.json")),
        error("empty config", "json", "empty", write("config.json", "")),
        error("cut config", "json", "byte", write("config.json", "{\"vocab_size\": 16,")),
        error("config is a list", "json", "object", write("config.json", "[]")),
        error(
            "twice a key",
            "json",
            "vocab_size",
            write("config.json", "{\"vocab_size\":1,\"vocab_size\":2}")),
        error("no architectures", "config", "architectures", noConfig("architectures")),
        error("empty architectures", "config", "architectures", config("architectures", List.of())),
        error("no model type", "config", "model_type", noConfig("model_type")),
        error("no vocab_size", "config", "vocab_size", noConfig("vocab_size")),
        error("text vocab_size", "config", "vocab_size", config("vocab_size", "16")),
        error("negative hidden_size", "config", "hidden_size", config("hidden_size", -4)),
        error("vocab_size below the rows", "vocabulary", "padding", config("vocab_size", 15)),
        error("vocab_size above the rows", "vocabulary", "16 rows", config("vocab_size", 17)),
        error("another hidden_size", "tensors", "hidden_size", config("hidden_size", 8)),
        error("a layer too many", "tensors", "2 layers", config("num_hidden_layers", 3)),
        error("eos outside", "token-id", "eos_token_id", config("eos_token_id", List.of(2, 16))),
        error(
            "pad outside",
            "token-id",
            "pad_token_id",
            write("generation_config.json", "{\"pad_token_id\": 99}")),
        error("bad generation config", "json", "JSON", write("generation_config.json", "{")),
        warning(
            "no generation config",
            "generation-config",
            "default",
            delete("generation_config.json")),
        warning("no dtype", "data-type", "torch_dtype", noConfig("torch_dtype")),
        warning("another dtype", "data-type", "float32", config("torch_dtype", "bfloat16")),
        warning("no transformers", "transformers", "no", noConfig("transformers_version")),
        warning("odd transformers", "transformers", "new", config("transformers_version", "new")),
        warning(
            "newer transformers",
            "transformers",
            "4.40.0",
            config("transformers_version", "4.40.0")),
        error(
            "config of transformers 5",
            "transformers",
            "rope_parameters",
            edit(
                "config.json",
                json -> {
                  json.remove("rope_theta");
                  json.putObject("rope_parameters").put("rope_theta", 1e6);
                })),
        warning(
            "code missing",
            "auto-map",
            "modeling_x.py",
            config("auto_map", Map.of("AutoModel", "modeling_x.X"))));
  }

  private static List<Damage> weightDamages() {
    return List.of(
        error(
            "no weights",
            "weights",
            "no weights",
            model -> {
              Files.delete(model.resolve(SHARD));
              Files.delete(model.resolve("model-00002-of-00002.safetensors"));
            }),
        error("shard missing", "shards", "missing shard 1", delete(SHARD)),
        error("shard missing in index", "index", "not there", delete(SHARD)),
        error("no index", "index", INDEX, delete(INDEX)),
        error("index without map", "index", "weight_map", write(INDEX, "{\"metadata\": {}}")),
        error("garbled index", "json", "JSON", write(INDEX, "{\"weight_map\": {\"a\"")),
        error(
            "index names a lost tensor",
            "index",
            "lack",
            edit(INDEX, json -> ((ObjectNode) json.get("weight_map")).put("model.x", SHARD))),
        error(
            "index forgets a tensor",
            "index",
            "lm_head.weight",
            edit(INDEX, json -> ((ObjectNode) json.get("weight_map")).remove("lm_head.weight"))),
        warning(
            "wrong total",
            "total-size",
            "544",
            edit(INDEX, json -> ((ObjectNode) json.get("metadata")).put("total_size", 545))),
        warning(
            "no total", "total-size", "total_size", edit(INDEX, json -> json.remove("metadata"))),
        error("empty shard", "empty-shard", "empty", length(SHARD, 0)),
        error(
            "tensor twice",
            "duplicate-tensor",
            "is also in",
            model ->
                Files.copy(
                    model.resolve(SHARD), model.resolve("model-00001-of-00003.safetensors"))),
        warning("both formats", "two-formats", "twice", write("pytorch_model.bin", "x")),
        warning("pickles", "pickle", "safetensors", PreflightTest::asBin),
        error(
            "cut pickle",
            "torch-file",
            "cut off",
            model -> {
              asBin(model);
              length("pytorch_model.bin", 40).spoil(model);
            }),
        error(
            "pickles shorter than the index says",
            "total-size",
            "only",
            model -> {
              asBin(model);
              TinyModel.text(
                  model,
                  "pytorch_model.bin.index.json",
                  "{\"metadata\":{\"total_size\":100000},\"weight_map\":{\"a\":\"pytorch_model.bin\"}}");
            }));
  }

  private static void asBin(Path model) throws IOException {
    for (String file : List.of(SHARD, "model-00002-of-00002.safetensors", INDEX)) {
      Files.delete(model.resolve(file));
    }
    try (OutputStream out = Files.newOutputStream(model.resolve("pytorch_model.bin"));
        ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.putNextEntry(new ZipEntry("archive/data.pkl"));
      zip.write(new byte[100]);
    }
  }

  private static List<Damage> headerDamages() {
    String rule = "safetensors-header";
    return List.of(
        error("7 bytes", rule, "too short", length(SHARD, 7)),
        error("header only", rule, "tensors take", length(SHARD, 300)),
        error("one byte more", rule, "tensors take", model -> grow(model.resolve(SHARD), 1)),
        error(
            "zeroed length",
            rule,
            "byte 0",
            model -> overwrite(model.resolve(SHARD), 0, new byte[8])),
        error(
            "huge length",
            rule,
            "byte 0",
            model -> overwrite(model.resolve(SHARD), 7, new byte[] {-1})),
        error(
            "garbled JSON",
            rule,
            "byte",
            model -> overwrite(model.resolve(SHARD), 9, new byte[] {'!'})),
        error("list", rule, "object", header("[]", 0)),
        error(
            "unknown type",
            rule,
            "dtype",
            header("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4)),
        error(
            "no shape",
            rule,
            "shape",
            header("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4)),
        error(
            "negative shape",
            rule,
            "shape",
            header("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4)),
        error(
            "overflowing shape",
            rule,
            "impossible",
            header(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,4]}}",
                4)),
        error(
            "size against offsets",
            rule,
            "takes 8",
            header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4)),
        error(
            "a gap",
            rule,
            "expected to begin",
            header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8)),
        error(
            "backwards",
            rule,
            "data_offsets",
            header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4)),
        error(
            "overlap",
            rule,
            "expected to begin",
            header(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2,5]}}",
                5)));
  }

  private static void overwrite(Path file, long at, byte[] bytes) throws IOException {
    try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
      f.seek(at);
      f.write(bytes);
    }
  }

  private static void grow(Path file, int bytes) throws IOException {
    overwrite(file, Files.size(file), new byte[bytes]);
  }

  private static List<Damage> tokenizerDamages() {
    return List.of(
        error("no tokenizer", "tokenizer", "no tokenizer", delete("tokenizer.model")),
        error("empty tokenizer", "tokenizer", "SentencePiece", length("tokenizer.model", 0)),
        error("cut tokenizer", "tokenizer", "cut off", length("tokenizer.model", 13)),
        error(
            "text tokenizer",
            "tokenizer",
            "SentencePiece",
            write("tokenizer.model", "version https://git-lfs")),
        error(
            "tokenizer too large",
            "vocabulary",
            "ids up to 16",
            model -> Files.write(model.resolve("tokenizer.model"), TinyModel.sentencePiece(17))),
        error(
            "added token too large",
            "vocabulary",
            "ids up to 20",
            write(
                "tokenizer.json",
                "{\"model\":{\"vocab\":{\"a\":0,\"b\":15}},\"added_tokens\":[{\"id\":20}]}")),
        error(
            "no vocabulary", "tokenizer", "model.vocab", write("tokenizer.json", "{\"model\":{}}")),
        warning(
            "two tokenizers",
            "tokenizer-pair",
            "do not belong",
            write("tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0}}}")),
        error(
            "no tokenizer config",
            "tokenizer-config",
            "no tokenizer_config",
            delete("tokenizer_config.json")),
        error("bad tokenizer config", "json", "JSON", write("tokenizer_config.json", "{'a'}")),
        error("bad special tokens", "json", "JSON", write("special_tokens_map.json", "{]")),
        warning(
            "special tokens differ",
            "special-tokens",
            "eos_token",
            write("special_tokens_map.json", "{\"eos_token\": \"<end>\"}")),
        warning(
            "no special tokens",
            "special-tokens",
            "eos_token",
            model -> {
              Files.delete(model.resolve("special_tokens_map.json"));
              TinyModel.text(model, "tokenizer_config.json", "{}");
            }));
  }

  private static List<Damage> folderDamages() {
    return List.of(
        error(
            "tracker", "training-file", "convert", write("latest_checkpointed_iteration.txt", "1")),
        error(
            "iteration",
            "training-file",
            "convert",
            model -> Files.createDirectories(model.resolve("iter_0000010/mp_rank_00"))),
        warning("log", "left-out", "left out", write("train.log", "loss")),
        warning(
            "git", "left-out", "left out", model -> Files.createDirectories(model.resolve(".git"))),
        error(
            "link outside",
            "link",
            "leaves",
            model -> {
              Path outside = TempFiles.sibling(model, "outside.txt");
              Files.writeString(outside, "x");
              Files.createSymbolicLink(model.resolve("notes.txt"), outside);
            }),
        error(
            "dangling link",
            "link",
            "nothing",
            model -> Files.createSymbolicLink(model.resolve("notes.txt"), model.resolve("gone"))));
  }

  /** Names beside the model. */
  private static final class TempFiles {
    static Path sibling(Path file, String name) {
      return file.resolveSibling(name);
    }
  }

  @ParameterizedTest
  @MethodSource("damages")
  void noticesDamage(Damage damage) throws IOException {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    damage.spoiler().spoil(model);
    PreflightReport report = Preflight.inspect(model, null, "4.39.3");
    assertTrue(
        report.findings().stream()
            .anyMatch(
                f ->
                    f.severity() == damage.severity()
                        && f.rule().equals(damage.rule())
                        && f.toString().contains(String.valueOf(damage.said()))),
        () -> "expected " + damage + ": " + report.findings());
    if (damage.severity() == Finding.Severity.WARNING) {
      assertFalse(report.hasErrors(), report.findings()::toString);
    }
  }

  @Test
  void findsNothingInASoundFolder() throws IOException {
    Path model = TinyModel.write(directory, 1);
    PreflightReport report = Preflight.inspect(model, null, "4.39.3");
    assertEquals(List.of(), report.findings());
    assertEquals("llama", report.modelType());
    assertEquals("float32", report.dataType());
    assertEquals("safetensors", report.weightFormat());
    assertEquals(136, report.parameterCount());
    assertEquals(16, report.vocabularySize());
    assertEquals(16, report.tokenizerSize());
    assertEquals(9, report.files().size());
    assertFalse(report.chatTemplate());
  }

  @Test
  void reportsEverythingAtOnceErrorsFirst() throws IOException {
    Path model = TinyModel.write(directory, 1);
    Files.delete(model.resolve("generation_config.json"));
    Files.delete(model.resolve("tokenizer_config.json"));
    config("vocab_size", 8).spoil(model);
    length(SHARD, 0).spoil(model);
    PreflightReport report = Preflight.inspect(model, GenerationMode.CHAT, null);
    List<String> rules = report.findings().stream().map(Finding::rule).toList();
    assertTrue(
        rules.containsAll(
            List.of(
                "tokenizer-config",
                "vocabulary",
                "empty-shard",
                "generation-config",
                "chat-template")),
        rules::toString);
    List<Finding.Severity> severities = report.findings().stream().map(Finding::severity).toList();
    assertEquals(severities.stream().sorted().toList(), severities);
  }

  @Test
  void leavesOutWhatIsNoPartOfTheModel() throws IOException {
    Path model = TinyModel.write(directory, 1);
    TinyModel.text(model, ".hidden", "x");
    Files.createDirectories(model.resolve("__pycache__"));
    TinyModel.text(model, "__pycache__/x.pyc", "x");
    Files.createDirectories(model.resolve("extra"));
    TinyModel.text(model, "extra/notes.txt", "x");
    List<String> files = Preflight.inspect(model, null, null).files();
    assertEquals(10, files.size());
    assertTrue(files.contains("extra/notes.txt"));
  }

  @Test
  void knowsAChatTemplate() throws IOException {
    Path model = TinyModel.write(directory, 1);
    TinyModel.text(model, "chat_template.jinja", "{{ messages }}");
    assertTrue(Preflight.inspect(model, null, null).chatTemplate());
  }

  @Test
  void refusesWhatIsNoFolder() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    assertThrows(DeployException.class, () -> Preflight.inspect(file, null, null));
    assertThrows(
        DeployException.class, () -> Preflight.inspect(directory.resolve("none"), null, null));
  }
}
