package io.github.pretrain4j.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.primitives.Bytes;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.SharedFiles;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointToolTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden").toAbsolutePath();
  private static final Path LLAMA = GOLDEN.resolve("hf/llama/safetensors");
  private static final Path QWEN2 = GOLDEN.resolve("hf/qwen2/bin");
  private static final Path MEGATRON_LLAMA = GOLDEN.resolve("megatron/llama_mcore_te_tp2pp2_bf16");
  private static final Path TORCH_DIST_LLAMA =
      GOLDEN.resolve("megatron/llama_head_torch_dist_tp2pp2_bf16");
  private static final Path MEGATRON_QWEN2 =
      GOLDEN.resolve("megatron/qwen2_mcore_local_tp2pp2_bf16");

  private final Path temporary;

  CheckpointToolTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  private record Result(int code, String out, String err) {
    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out);
    }
  }

  private static Result run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        new CheckpointTool()
            .run(
                new PrintWriter(out),
                new PrintWriter(err),
                Stream.of(arguments).map(String::valueOf).toArray(String[]::new));
    return new Result(code, out.toString(), err.toString());
  }

  private static JsonNode tensor(JsonNode report, String name) {
    for (JsonNode tensor : report.get("tensors")) {
      if (tensor.get("name").asText().equals(name)) {
        return tensor;
      }
    }
    throw new AssertionError("no tensor " + name);
  }

  private Path copy(Path directory) throws IOException {
    Path target = Files.createTempDirectory(temporary, "copy");
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.toList()) {
        Path copy = target.resolve(directory.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(file, copy);
        }
      }
    }
    return target;
  }

  private Path file(TensorInfo info, byte[] bytes) throws IOException {
    MemoryTensors tensors = new MemoryTensors();
    tensors.put(info, bytes);
    Path file = Files.createTempFile(temporary, "tensors", ".safetensors");
    SafetensorsWriter.write(file, tensors.tensors(), Map.of(), TensorContent.copyOf(tensors));
    return file;
  }

  private Path floats(String name, float... values) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return file(new TensorInfo(name, DataType.F32, List.of((long) values.length)), bytes.array());
  }

  @Test
  void listsNamesFilesHashesAndTotals() throws IOException {
    Result result = run("inspect", "--json", "--scan", LLAMA);
    assertEquals(0, result.code(), result.err());
    JsonNode report = result.json();
    assertEquals("huggingface safetensors", report.get("format").asText());
    assertEquals("llama", report.at("/facts/model_type").asText());
    assertEquals(39, report.at("/totals/tensors").asInt());
    assertEquals(755_968, report.at("/totals/bytes").asLong());
    JsonNode norm = tensor(report, "model.norm.weight");
    try (SafetensorsReader reader =
        SafetensorsReader.open(LLAMA.resolve(norm.get("file").asText()))) {
      ByteBuffer data = ByteBuffer.allocate(256);
      reader.read("model.norm.weight", 0, data);
      byte[] hash = TensorScan.sha256Digest().digest(data.array());
      assertEquals(HexFormat.of().formatHex(hash), norm.get("sha256").asText());
      data.flip().order(ByteOrder.LITTLE_ENDIAN);
      float maximum = Float.NEGATIVE_INFINITY;
      while (data.hasRemaining()) {
        maximum = Math.max(maximum, data.getFloat());
      }
      assertEquals(maximum, norm.get("maximum").asDouble());
    }
  }

  @Test
  void oneWorkerFindsWhatManyFind() {
    Object[] arguments = {"inspect", "--json", "--scan", MEGATRON_LLAMA, "--workers", 1};
    Result one = run(arguments);
    arguments[5] = 7;
    assertEquals(one.out(), run(arguments).out());
    assertTrue(one.out().contains("\"sha256\""), one.out());
  }

  @Test
  void listsMegatronsTensorsWhole() throws IOException {
    JsonNode report = run("inspect", "--json", MEGATRON_LLAMA).json();
    assertEquals("megatron torch", report.get("format").asText());
    assertEquals("2", report.at("/facts/pipeline parallel").asText());
    JsonNode qkv = tensor(report, "decoder.layers.3.self_attention.linear_qkv.weight");
    assertEquals("[128,64]", qkv.get("shape").toString());
    assertEquals("bfloat16", qkv.get("type").asText());
  }

  @Test
  void findsTensorsAtAnyDepthOfATorchFile() throws IOException {
    JsonNode report =
        run("inspect", "--json", SharedFiles.torchResources().resolve("nested.pt")).json();
    assertEquals("torch file", report.get("format").asText());
    assertTrue(report.get("tensors").size() > 1, report::toString);
    Result text = run("inspect", SharedFiles.torchResources().resolve("tied.pt"));
    assertEquals(0, text.code(), text.err());
    assertTrue(text.out().contains(" tensors, "), text.out());
  }

  @Test
  void countsWhatIsNotFinite() throws IOException {
    Path file = floats("w", 1, Float.NaN, -3, Float.POSITIVE_INFINITY, 0, -0f);
    JsonNode scan = tensor(run("inspect", "--json", "--scan", file).json(), "w");
    assertEquals(1, scan.get("nan").asInt());
    assertEquals(1, scan.get("infinite").asInt());
    assertEquals(2, scan.get("zero").asInt());
    assertEquals(-3, scan.get("minimum").asDouble());
    assertEquals(1, scan.get("maximum").asDouble());
    assertTrue(run("inspect", "--scan", file).out().contains("1 NaN, 1 infinite"));
  }

  /** Minus one, one and zero where the type has them, as the formats define their bits. */
  @ParameterizedTest
  @EnumSource(DataType.class)
  void decodesEveryType(DataType type) {
    String hex =
        switch (type) {
          case F64, C128 -> "000000000000f0bf000000000000f03f";
          case F32, C64 -> "000080bf0000803f";
          case BF16 -> "80bf803f";
          case F16 -> "00bc003c";
          case F8_E4M3 -> "b838";
          case F8_E5M2 -> "bc3c";
          case I64 -> "ffffffffffffffff0100000000000000";
          case I32 -> "ffffffff01000000";
          case I16 -> "ffff0100";
          case I8 -> "ff01";
          case U64 -> "00000000000000800100000000000000";
          case U32 -> "000000800100000000";
          case U16 -> "00800100";
          case U8, BOOL -> "8001";
        };
    double first =
        switch (type) {
          case U64 -> 0x1p63;
          case U32 -> 0x1p31;
          case U16 -> 0x1p15;
          case U8, BOOL -> 0x1p7;
          default -> -1;
        };
    byte[] bytes = HexFormat.of().parseHex(hex);
    double[] values = new double[4];
    int count = ElementValues.decode(type, ByteBuffer.wrap(bytes), values);
    assertEquals(2, count);
    assertEquals(first, values[0]);
    assertEquals(1, values[1]);
  }

  @Test
  void comparesAcrossFormatsLayoutsAndTypes() throws IOException {
    for (Path[] pair :
        new Path[][] {{LLAMA, MEGATRON_LLAMA}, {MEGATRON_LLAMA, LLAMA}, {QWEN2, MEGATRON_QWEN2}}) {
      Result result = run("diff", "--json", pair[0], pair[1]);
      assertEquals(0, result.code(), result.out() + result.err());
      assertTrue(result.json().get("tensors").size() > 20, result.out());
      assertTrue(result.json().get("equal").asBoolean());
    }
    Result self = run("diff", MEGATRON_LLAMA, MEGATRON_LLAMA.resolve("iter_0000001"));
    assertEquals(0, self.code(), self.out());
    assertTrue(self.out().startsWith("equal: 27 tensors, 27 identical"), self.out());
  }

  @Test
  void namesTheTensorAndElementThatDiffer() throws IOException {
    Path changed = copy(LLAMA);
    Path file = changed.resolve("model-00003-of-00004.safetensors");
    long at;
    try (SafetensorsReader reader = SafetensorsReader.open(file)) {
      long tensor = 0;
      for (TensorInfo info : reader.tensors()) {
        if (info.name().equals("model.norm.weight")) {
          break;
        }
        tensor += info.byteCount();
      }
      at = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
      at += 8 + tensor + 5 * 4;
    }
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    data.putFloat((int) at, data.getFloat((int) at) + 0.25f);
    Files.write(file, bytes);
    for (Path other : List.of(LLAMA, MEGATRON_LLAMA)) {
      Result result = run("diff", "--json", other, changed);
      assertEquals(1, result.code(), result.out());
      String name = other.equals(LLAMA) ? "model.norm.weight" : "decoder.final_layernorm.weight";
      JsonNode entry = tensor(result.json(), name);
      assertEquals("different", entry.get("status").asText());
      assertEquals(1, entry.get("differing").asLong());
      assertEquals(5, entry.get("firstIndex").asLong());
      assertEquals(0.25, entry.get("maxAbsolute").asDouble(), 0.01);
      assertEquals(entry.get("maxAbsolute"), result.json().get("maxAbsolute"));
    }
    assertTrue(run("diff", LLAMA, changed).out().contains("model.norm.weight: different, 1 of 64"));
    assertEquals(0, run("diff", "--tolerance", 0.26, LLAMA, changed).code());
    assertEquals(1, run("diff", "--tolerance", 0.24, LLAMA, changed).code());
  }

  @Test
  void listsWhatIsOnOneSideOrShapedOtherwise() throws IOException {
    Path two = floats("w", 1, 2);
    Path three = floats("w", 1, 2, 3);
    Path other = floats("v", 1, 2);
    assertEquals("w: shape, [2] and [3]", run("diff", two, three).out().lines().toList().get(0));
    List<String> lines = run("diff", two, other).out().lines().toList();
    assertEquals("w: only left, [2] and none", lines.get(0));
    assertEquals("v: only right, none and [2]", lines.get(1));
    assertEquals(1, run("diff", two, other).code());
  }

  @Test
  void infinityAndNanAreNotAFiniteDistanceAway() throws IOException {
    JsonNode report = run("diff", "--json", floats("w", 1), floats("w", Float.NaN)).json();
    assertEquals("different", tensor(report, "w").get("status").asText());
    assertEquals("Infinity", tensor(report, "w").get("maxAbsolute").asText());
    assertEquals(
        1, run("diff", "--tolerance", 1e30, floats("w", 1), floats("w", Float.NaN)).code());
    assertEquals(0, run("diff", floats("w", Float.NaN), floats("w", Float.NaN)).code());
  }

  @Test
  void ignoresACopyOfATiedEmbeddingAndNothingElse() throws IOException {
    MemoryTensors tied = new MemoryTensors();
    byte[] weight = {1, 2, 3, 4};
    tied.put(new TensorInfo("model.embed_tokens.weight", DataType.U8, List.of(2L, 2L)), weight);
    Path one = temporary.resolve("tied.safetensors");
    SafetensorsWriter.write(one, tied.tensors(), Map.of(), TensorContent.copyOf(tied));
    tied.put(new TensorInfo("lm_head.weight", DataType.U8, List.of(2L, 2L)), weight.clone());
    Path both = temporary.resolve("both.safetensors");
    SafetensorsWriter.write(both, tied.tensors(), Map.of(), TensorContent.copyOf(tied));
    assertEquals(0, run("diff", one, both).code());
    assertEquals(0, run("diff", both, one).code());
    tied.put(
        new TensorInfo("lm_head.weight", DataType.U8, List.of(2L, 2L)), new byte[] {1, 2, 3, 5});
    SafetensorsWriter.write(both, tied.tensors(), Map.of(), TensorContent.copyOf(tied));
    assertEquals(1, run("diff", one, both).code());
  }

  @Test
  void soundCheckpointsVerify() {
    for (Path path : List.of(LLAMA, QWEN2, MEGATRON_LLAMA, MEGATRON_QWEN2)) {
      Result result = run("verify", path);
      assertEquals(0, result.code(), result.out() + result.err());
      assertTrue(result.out().contains(": sound; checked: structure of "), result.out());
    }
  }

  @Test
  void verifyingFindsAFlippedBitInWeights() throws IOException {
    Path qwen2 = copy(QWEN2);
    Path shard = qwen2.resolve("pytorch_model-00002-of-00002.bin");
    byte[] bytes = Files.readAllBytes(shard);
    bytes[bytes.length / 2] ^= 1;
    Files.write(shard, bytes);
    Result result = run("verify", "--json", qwen2);
    assertEquals(1, result.code());
    assertTrue(result.json().at("/problems/0").asText().contains("CRC-32 of record"), result.out());
  }

  @Test
  void verifyingFindsMissingTensorsAndValuesThatAreNotNumbers() throws IOException {
    Path llama = copy(LLAMA);
    MemoryTensors tensors;
    Path shard = llama.resolve("model-00004-of-00004.safetensors");
    try (SafetensorsReader reader = SafetensorsReader.open(shard)) {
      tensors = MemoryTensors.copyOf(reader);
    }
    tensors.bytes("lm_head.weight")[3] = 0x7F;
    tensors.bytes("lm_head.weight")[2] = (byte) 0xC0;
    SafetensorsWriter.write(shard, tensors.tensors(), Map.of(), TensorContent.copyOf(tensors));
    Result nan = run("verify", llama);
    assertEquals(1, nan.code(), nan.out());
    assertTrue(nan.out().contains("problem: lm_head.weight has 1 NaN and 0 infinite"), nan.out());
    Path index = llama.resolve("model.safetensors.index.json");
    Files.writeString(
        index, Files.readString(index).replace("\"model.norm.weight\": ", "\"model.norm.bias\": "));
    Result missing = run("verify", llama);
    assertEquals(1, missing.code());
    assertTrue(missing.out().contains("model.norm.bias"), missing.out());
  }

  @Test
  void verifyingComparesTheTensorsWithTheConfiguration() throws IOException {
    Path llama = copy(LLAMA);
    Path config = llama.resolve("config.json");
    String text = Files.readString(config);
    assertTrue(text.contains("\"num_hidden_layers\": 4"), text);
    Files.writeString(config, text.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 3"));
    Result result = run("verify", llama);
    assertEquals(1, result.code());
    assertTrue(result.out().contains("unexpected tensor model.layers.3."), result.out());
  }

  @Test
  void verifyingComparesMegatronsTensorsWithAReference() {
    Result same = run("verify", "--reference", LLAMA, MEGATRON_LLAMA);
    assertEquals(0, same.code(), same.out());
    assertTrue(same.out().contains(", completeness, "), same.out());
    Result other = run("verify", "--reference", QWEN2, MEGATRON_LLAMA);
    assertEquals(1, other.code(), other.out());
    assertTrue(
        other.out().contains("missing tensor decoder.layers.0.self_attention.linear_qkv.bias"),
        other.out());
  }

  @Test
  void comparesDistributedCheckpoints() {
    Result result = run("diff", MEGATRON_LLAMA, TORCH_DIST_LLAMA);
    assertEquals(0, result.code(), result.out() + result.err());
    assertTrue(result.out().startsWith("equal: 27 tensors, 27 identical"), result.out());
    assertEquals(0, run("verify", TORCH_DIST_LLAMA).code());
  }

  @Test
  void namesTheFilesOfEveryPart() throws IOException {
    JsonNode report = run("inspect", "--json", MEGATRON_LLAMA).json();
    String places = tensor(report, "decoder.layers.2.mlp.linear_fc1.weight").get("file").asText();
    assertTrue(places.contains("mp_rank_00_001") && places.contains("mp_rank_01_001"), places);
  }

  @Test
  void verifyingFindsReplicasThatDiffer() throws IOException {
    Path megatron = copy(MEGATRON_LLAMA);
    Path rank = megatron.resolve("iter_0000001/mp_rank_01_001/model_optim_rng.pt");
    try (TorchFileReader reader = TorchFileReader.open(rank)) {
      PyDict root = (PyDict) reader.root();
      TensorSource model = reader.tensors((PyDict) Objects.requireNonNull(root.get("model")));
      String norm = "decoder.final_layernorm.weight";
      ByteBuffer data = ByteBuffer.allocate((int) model.get(norm).byteCount());
      model.read(norm, 0, data);
      byte[] file = Files.readAllBytes(rank);
      int at = Collections.indexOfSubList(Bytes.asList(file), Bytes.asList(data.array()));
      file[at] ^= 1;
      Files.write(rank, file);
    }
    Result result = run("verify", megatron);
    assertEquals(1, result.code(), result.out());
    assertTrue(
        result.out().contains("decoder.final_layernorm.weight differs between"), result.out());
    assertTrue(result.out().contains("CRC-32 of record"), result.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"inspect", "verify", "diff"})
  void damageIsAnErrorOrAProblemNeverATrace(String command) throws IOException {
    byte[] original = Files.readAllBytes(LLAMA.resolve("model-00004-of-00004.safetensors"));
    Path file = temporary.resolve("damaged.safetensors");
    for (byte[] damage :
        List.of(
            new byte[0],
            Arrays.copyOf(original, 100),
            Arrays.copyOf(original, original.length + 1),
            new byte[original.length])) {
      Files.write(file, damage);
      Result result = command.equals("diff") ? run(command, file, file) : run(command, file);
      assertEquals(1, result.code());
      assertTrue((result.out() + result.err()).contains("damaged.safetensors"), result.err());
      assertFalse(result.err().contains("\tat "), result.err());
    }
    Result missing =
        command.equals("diff")
            ? run(command, temporary.resolve("none"), file)
            : run(command, temporary.resolve("none"));
    assertEquals(1, missing.code());
    assertTrue(missing.err().endsWith("none: no such file\n"), missing.err());
  }

  @Test
  void theLauncherFindsIt() {
    assertTrue(
        ServiceLoader.load(ToolProvider.class, CheckpointTool.class.getClassLoader()).stream()
            .anyMatch(tool -> tool.type() == CheckpointTool.class));
    assertEquals("p4j-checkpoint", new CheckpointTool().name());
  }

  @Test
  void wrongUsageIsTold() {
    assertEquals(2, run().code());
    assertEquals(2, run("inspect").code());
    assertEquals(2, run("diff", LLAMA).code());
    assertEquals(2, run("inspect", "--workers", 0, LLAMA).code());
    assertEquals(2, run("diff", "--tolerance", -1, LLAMA, LLAMA).code());
    assertTrue(run("--help").out().contains("verify"));
  }
}
