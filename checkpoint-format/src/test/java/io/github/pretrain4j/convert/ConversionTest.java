package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.checkpoint.megatron.CheckpointFormat;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MemoryTensors;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

final class ConversionTest {
  @TestFactory
  List<DynamicTest> comesBackBitForBit(@TempDir Path directory) throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path model : GoldenModels.models()) {
      // Two of the four layouts for each, the other two for its neighbour.
      for (int layout : tests.size() % 4 == 0 ? new int[] {0, 3} : new int[] {1, 2}) {
        int tensor = 1 + layout % 2;
        int pipeline = 1 + layout / 2;
        Path work = directory.resolve("case" + tests.size());
        tests.add(
            DynamicTest.dynamicTest(
                model.subpath(model.getNameCount() - 2, model.getNameCount())
                    + " TP"
                    + tensor
                    + " PP"
                    + pipeline,
                () -> roundTrip(model, work, tensor, pipeline)));
      }
    }
    return tests;
  }

  private static void roundTrip(Path model, Path work, int tensor, int pipeline)
      throws IOException {
    Path megatron = work.resolve("megatron");
    ConversionReport there =
        Conversion.run(
            ConversionConfig.of(model, megatron, ConversionTarget.Megatron.of(tensor, pipeline))
                .withWorkers(tensor),
            ConversionListener.NONE);
    assertTrue(there.roundTrips());
    Path iteration = megatron.resolve("iter_0000001");
    // Without a reference the family and its settings come from the checkpoint itself.
    ConversionReport back =
        Conversion.run(
            ConversionConfig.of(
                    tensor == 1 ? megatron : iteration,
                    work.resolve("hf"),
                    new ConversionTarget.HuggingFace(
                        tensor == 1 ? WeightFormat.TORCH : WeightFormat.SAFETENSORS,
                        new ShardRule.Count(pipeline + 1),
                        null))
                .withReference(pipeline == 1 ? model : null),
            ConversionListener.NONE);
    TransformerConfig config = Objects.requireNonNull(back.config());
    assertEquals(there.config(), config);
    assertEquals(
        config, ModelFamilies.installed().config(HuggingFaceConfig.read(work.resolve("hf"))));
    MemoryTensors source;
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(model)) {
      source = MemoryTensors.copyOf(checkpoint);
    }
    source.remove(config.tiedEmbeddings() ? "lm_head.weight" : "");
    try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(work.resolve("hf"))) {
      MegatronGoldenTest.assertSame(source, written);
    }
    assertEquals(List.of("hf", "megatron"), children(work));
    String extension = tensor == 1 ? ".bin" : ".safetensors";
    assertEquals(
        pipeline + 1,
        children(work.resolve("hf")).stream().filter(name -> name.endsWith(extension)).count());
  }

  private static List<String> children(Path directory) throws IOException {
    try (Stream<Path> children = Files.list(directory)) {
      return children.map(child -> child.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void padsTheVocabularyWithItsLastRowAndCutsItAgain(@TempDir Path directory) throws IOException {
    Path megatron = directory.resolve("megatron");
    Conversion.run(
        ConversionConfig.of(
            GoldenModels.llama(),
            megatron,
            ConversionTarget.Megatron.of(2, 1)
                .withLayerSpec(LayerSpec.LOCAL)
                .withMakeVocabSizeDivisibleBy(300)),
        ConversionListener.NONE);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(megatron)) {
      TensorInfo info = checkpoint.fullTensors().get("embedding.word_embeddings.weight");
      assertEquals(List.of(600L, 64L), info.shape());
      assertEquals(600L, checkpoint.arguments().get("padded_vocab_size"));
      assertEquals(DataType.F32, checkpoint.arguments().get("params_dtype"));
      byte[] rows = MemoryTensors.copyOf(checkpoint.fullTensors()).bytes(info.name());
      for (int row = 512; row < 600; row++) {
        assertArrayEquals(
            Arrays.copyOfRange(rows, 511 * 256, 512 * 256),
            Arrays.copyOfRange(rows, row * 256, (row + 1) * 256));
      }
    }
    convert(megatron, directory.resolve("hf"), GoldenModels.llama());
    try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(directory.resolve("hf"))) {
      MegatronGoldenTest.assertSame(GoldenModels.load(GoldenModels.llama(), DataType.F32), written);
    }
  }

  @Test
  void roundsAsAskedAndSaysSoInTheConfiguration(@TempDir Path directory) throws IOException {
    Path megatron = directory.resolve("megatron");
    toMegatron(GoldenModels.llama(), megatron, 1, 1);
    ConversionReport report =
        Conversion.run(
            ConversionConfig.of(
                    megatron, directory.resolve("hf"), ConversionTarget.HuggingFace.DEFAULT)
                .withReference(GoldenModels.llama())
                .withDataType(DataType.BF16),
            ConversionListener.NONE);
    assertFalse(report.tensors().get(0).sha256().equals(report.tensors().get(0).convertedSha256()));
    assertTrue(report.roundTrips());
    assertEquals(
        DataType.BF16, HuggingFaceConfig.read(directory.resolve("hf")).dataType().orElseThrow());
    try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(directory.resolve("hf"))) {
      MegatronGoldenTest.assertSame(
          GoldenModels.load(GoldenModels.llama(), DataType.BF16), written);
    }
  }

  @Test
  void listsEverythingThatIsWrongBeforeAnythingIsWritten(@TempDir Path directory)
      throws IOException {
    Path model = directory.resolve("model");
    MemoryTensors tensors = GoldenModels.load(GoldenModels.llama(), DataType.F32);
    tensors.remove("model.layers.2.mlp.up_proj.weight");
    tensors.put(new TensorInfo("model.norm.weight", DataType.F32, List.of(3L)), new byte[12]);
    tensors.put(new TensorInfo("extra.weight", DataType.F32, List.of(1L)), new byte[4]);
    tensors.put(
        new TensorInfo("lm_head.weight", DataType.I32, List.of(512L, 64L)), new byte[131072]);
    HuggingFaceWriter.create(model, WeightFormat.SAFETENSORS, new ShardRule.Count(1))
        .file("config.json", Files.readAllBytes(GoldenModels.llama().resolve("config.json")))
        .write(tensors.tensors(), TensorContent.copyOf(tensors));
    Path tokenizer = directory.resolve("tokenizer.json");
    Files.writeString(tokenizer, "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 700}}}");
    Path output = directory.resolve("out");
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                Conversion.run(
                    ConversionConfig.of(model, output, ConversionTarget.Megatron.of(3, 3))
                        .withTokenizerModel(tokenizer),
                    ConversionListener.NONE));
    for (String expected :
        List.of(
            "missing tensor model.layers.2.mlp.up_proj.weight",
            "tensor model.norm.weight: expected shape [64], found [3]",
            "unexpected tensor extra.weight",
            "tensor lm_head.weight holds I32",
            "num_attention_heads 4 does not divide over 3",
            "num_query_groups 2 does not divide over 3",
            "num_layers 4 does not divide over 3",
            "has 701 tokens, the model 512 rows")) {
      assertTrue(
          e.problems().stream().anyMatch(problem -> problem.contains(expected)),
          () -> expected + " is not in " + e.problems());
    }
    assertEquals(8, e.problems().size(), e::toString);
    assertFalse(Files.exists(output));
    assertEquals(List.of("model", "tokenizer.json"), children(directory));
  }

  @Test
  void refusesTheWrongFamilyAndTheWrongReference(@TempDir Path directory) {
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                convert(
                    GoldenModels.megatronLlama(), directory.resolve("out"), GoldenModels.qwen2()));
    assertTrue(
        e.problems().stream().anyMatch(p -> p.contains("tied embeddings is true")), e::toString);
    assertTrue(
        e.problems().stream()
            .anyMatch(
                p -> p.contains("missing tensor decoder.layers.3.self_attention.linear_qkv.bias")),
        e::toString);
    assertThrows(
        ConversionException.class,
        () -> convert(GoldenModels.megatronLlama(), directory.resolve("out"), null));
  }

  @Test
  void comparesTokenizersWhateverTheirFileIsCalled(@TempDir Path directory) throws IOException {
    Path reference = Files.createDirectory(directory.resolve("reference"));
    Files.copy(GoldenModels.llama().resolve("config.json"), reference.resolve("config.json"));
    Files.write(reference.resolve("tokenizer.model"), ConvertToolTest.sentencePiece(512));
    Path tokenizer = directory.resolve("zh.spm");
    byte[] other = ConvertToolTest.sentencePiece(512);
    other[5]++;
    Files.write(tokenizer, other);
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                Conversion.run(
                    ConversionConfig.of(
                            GoldenModels.megatronLlama(),
                            directory.resolve("out"),
                            ConversionTarget.HuggingFace.DEFAULT)
                        .withReference(reference)
                        .withTokenizerModel(tokenizer),
                    ConversionListener.NONE));
    assertTrue(e.problems().get(0).contains("tokenizer.model differ"), e::toString);
  }

  @Test
  void leavesAnOutputThatIsThereAlone(@TempDir Path directory) throws IOException {
    Path output = Files.createDirectories(directory.resolve("out"));
    Files.writeString(output.resolve("precious"), "data");
    ConversionException e =
        assertThrows(
            ConversionException.class, () -> toMegatron(GoldenModels.llama(), output, 1, 1));
    assertTrue(e.problems().get(0).contains("is not empty"));
    assertEquals(List.of("precious"), children(output));
  }

  @Test
  void followsASymbolicLinkAndKeepsIt(@TempDir Path directory) throws IOException {
    Path real = Files.createDirectory(directory.resolve("real"));
    Path link = Files.createSymbolicLink(directory.resolve("out"), real);
    toMegatron(GoldenModels.llama(), link, 1, 1);
    assertTrue(Files.isSymbolicLink(link));
    assertEquals(List.of("iter_0000001", "latest_checkpointed_iteration.txt"), children(real));
    Path broken =
        Files.createSymbolicLink(directory.resolve("broken"), directory.resolve("nothing"));
    ConversionException e =
        assertThrows(
            ConversionException.class, () -> toMegatron(GoldenModels.llama(), broken, 1, 1));
    assertTrue(e.problems().get(0).contains("a symbolic link to nothing"), e::toString);
    assertTrue(Files.isSymbolicLink(broken));
  }

  @Test
  void leavesNothingBehindWhenItIsStopped(@TempDir Path directory) throws IOException {
    Path output = directory.resolve("out");
    for (ConversionListener.Phase phase : ConversionListener.Phase.values()) {
      assertThrows(
          IllegalStateException.class,
          () ->
              Conversion.run(
                  ConversionConfig.of(
                      GoldenModels.llama(), output, ConversionTarget.Megatron.of(2, 2)),
                  (at, done, total) -> {
                    if (at == phase) {
                      throw new IllegalStateException("stop");
                    }
                  }));
      assertEquals(List.of(), children(directory), phase::toString);
    }
  }

  @Test
  void namesTheFileThatIsMissingOrDamaged(@TempDir Path directory) throws IOException {
    CorruptCheckpointException nothing =
        assertThrows(
            CorruptCheckpointException.class,
            () -> toMegatron(directory, directory.resolve("out"), 1, 1));
    assertEquals("neither", nothing.found());
    Path megatron = directory.resolve("megatron");
    toMegatron(GoldenModels.qwen2(), megatron, 2, 1);
    Path rank = megatron.resolve("iter_0000001/mp_rank_01/model_optim_rng.pt");
    byte[] bytes = Files.readAllBytes(rank);
    for (byte[] damaged :
        List.of(new byte[0], Arrays.copyOf(bytes, bytes.length / 2), new byte[bytes.length])) {
      Files.write(rank, damaged);
      IOException e =
          assertThrows(IOException.class, () -> convert(megatron, directory.resolve("out"), null));
      assertTrue(e.toString().contains("mp_rank_01"), e::toString);
      assertFalse(Files.exists(directory.resolve("out")));
    }
    Files.delete(rank);
    assertThrows(IOException.class, () -> convert(megatron, directory.resolve("out"), null));
    Files.delete(rank.getParent());
    CorruptCheckpointException missing =
        assertThrows(
            CorruptCheckpointException.class,
            () -> convert(megatron, directory.resolve("out"), null));
    assertEquals("the directories mp_rank_00, mp_rank_01", missing.expected());
    for (String tracker : List.of("2", "", "latest", "-1")) {
      Files.writeString(megatron.resolve("latest_checkpointed_iteration.txt"), tracker);
      CorruptCheckpointException wrong =
          assertThrows(
              CorruptCheckpointException.class,
              () -> convert(megatron, directory.resolve("out"), null));
      assertTrue(wrong.file().endsWith("latest_checkpointed_iteration.txt"));
    }
  }

  @Test
  void saysWhereEveryRowWent(@TempDir Path directory) throws IOException {
    ConversionReport report =
        Conversion.run(
            ConversionConfig.of(
                GoldenModels.llama(), directory.resolve("m"), ConversionTarget.Megatron.of(2, 2)),
            ConversionListener.NONE);
    Map<String, ConversionReport.Tensor> tensors = new HashMap<>();
    for (ConversionReport.Tensor tensor : report.tensors()) {
      tensors.put(tensor.name(), tensor);
      long next = 0;
      for (ConversionReport.Slice slice : tensor.slices()) {
        assertEquals(next, slice.firstRow());
        next += slice.rowCount();
        assertTrue(report.files().keySet().containsAll(slice.files()), slice::toString);
        assertFalse(slice.files().isEmpty());
      }
      assertEquals(tensor.shape().get(0), next, tensor.name());
    }
    String rank0 = "iter_0000001/mp_rank_00_000/model_optim_rng.pt";
    String rank1 = "iter_0000001/mp_rank_01_000/model_optim_rng.pt";
    // 4 heads of 16 in 2 groups: the second group's key follows its two heads in the second shard.
    assertEquals(
        List.of(
            new ConversionReport.Slice(
                0, 16, "decoder.layers.0.self_attention.linear_qkv.weight", 32, List.of(rank0)),
            new ConversionReport.Slice(
                16, 16, "decoder.layers.0.self_attention.linear_qkv.weight", 96, List.of(rank1))),
        Objects.requireNonNull(tensors.get("model.layers.0.self_attn.k_proj.weight")).slices());
    assertEquals(
        List.of(
            new ConversionReport.Slice(
                0, 96, "decoder.layers.0.mlp.linear_fc1.weight", 96, List.of(rank0, rank1))),
        Objects.requireNonNull(tensors.get("model.layers.0.mlp.up_proj.weight")).slices());
    assertEquals(
        List.of(
            new ConversionReport.Slice(
                0, 64, "decoder.layers.0.mlp.linear_fc2.weight", 0, List.of(rank0, rank1))),
        Objects.requireNonNull(tensors.get("model.layers.0.mlp.down_proj.weight")).slices());
    ConversionReport back =
        Conversion.run(
            ConversionConfig.of(
                directory.resolve("m"),
                directory.resolve("hf"),
                new ConversionTarget.HuggingFace(
                    WeightFormat.TORCH, new ShardRule.Count(2), ConfigDialect.TRANSFORMERS_5)),
            ConversionListener.NONE);
    for (ConversionReport.Tensor tensor : back.tensors()) {
      assertEquals(
          tensor.shape().get(0),
          tensor.slices().stream().mapToLong(ConversionReport.Slice::rowCount).sum());
      for (ConversionReport.Slice slice : tensor.slices()) {
        assertEquals(1, slice.files().size());
      }
    }
  }

  @Test
  void putsAHuggingFaceModelIntoOtherShards(@TempDir Path directory) throws IOException {
    Path once = directory.resolve("once");
    Path back = directory.resolve("back");
    Files.createDirectory(directory.resolve("model"));
    for (String name : children(GoldenModels.llama())) {
      Files.copy(GoldenModels.llama().resolve(name), directory.resolve("model").resolve(name));
    }
    Files.writeString(directory.resolve("model/README.md"), "# Ours\n");
    Conversion.run(
        ConversionConfig.of(
                directory.resolve("model"),
                once,
                new ConversionTarget.HuggingFace(
                    WeightFormat.TORCH, new ShardRule.Count(1), ConfigDialect.TRANSFORMERS_4))
            .withWorkers(2),
        ConversionListener.NONE);
    assertEquals(
        List.of("README.md", "config.json", "generation_config.json", "pytorch_model.bin"),
        children(once));
    assertEquals("# Ours\n", Files.readString(once.resolve("README.md")));
    HuggingFaceConfig original = HuggingFaceConfig.read(GoldenModels.llama());
    HuggingFaceConfig respelt = HuggingFaceConfig.read(once);
    assertTrue(respelt.has("rope_theta") && respelt.has("torch_dtype"));
    assertFalse(respelt.has("rope_parameters") || respelt.has("dtype"));
    assertEquals(
        ModelFamilies.installed().config(original), ModelFamilies.installed().config(respelt));
    Conversion.run(
        ConversionConfig.of(
            once,
            back,
            new ConversionTarget.HuggingFace(
                WeightFormat.SAFETENSORS, new ShardRule.Count(3), ConfigDialect.TRANSFORMERS_5)),
        ConversionListener.NONE);
    assertEquals(original, HuggingFaceConfig.read(back));
    try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(back)) {
      assertEquals(3, written.files().size());
      MegatronGoldenTest.assertSame(GoldenModels.load(GoldenModels.llama(), DataType.F32), written);
    }
  }

  /** Optimizer state of Megatron's own runs, over other ranks and in the other format and back. */
  @TestFactory
  List<DynamicTest> carriesOptimizerState(@TempDir Path directory) {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path root : GoldenModels.shared()) {
      for (String run :
          List.of(
              "llama_tp1pp1/torch_fp32",
              "llama_tp2pp1/torch_bf16",
              "llama_tp1pp1_dp2_distopt/torch_bf16",
              "llama_tp2pp2/torch_dist_fp32")) {
        Path work = directory.resolve(run.replace('/', '_'));
        tests.add(
            DynamicTest.dynamicTest(
                run, () -> carryOptimizer(root.resolve("megatron_train").resolve(run), work)));
      }
    }
    return tests;
  }

  private static void carryOptimizer(Path run, Path work) throws IOException {
    ConversionTarget.Megatron target = ConversionTarget.Megatron.of(2, 2);
    ConversionReport first =
        Conversion.run(
            ConversionConfig.of(run, work.resolve("torch"), target), ConversionListener.NONE);
    ConversionReport second =
        Conversion.run(
            ConversionConfig.of(
                work.resolve("torch"),
                work.resolve("dist"),
                target.withFormat(CheckpointFormat.TORCH_DIST)),
            ConversionListener.NONE);
    ConversionReport third =
        Conversion.run(
            ConversionConfig.of(
                work.resolve("dist"), work.resolve("one"), ConversionTarget.Megatron.of(1, 1)),
            ConversionListener.NONE);
    for (ConversionReport report : List.of(first, second, third)) {
      assertTrue(report.optimizerState() && report.roundTrips());
      assertEquals(first.sourceSha256(), report.sourceSha256());
    }
    try (MegatronCheckpoint before = MegatronCheckpoint.open(run);
        MegatronCheckpoint after = MegatronCheckpoint.open(work.resolve("one"))) {
      assertEquals(before.iteration(), after.iteration());
      MegatronGoldenTest.assertSame(
          MemoryTensors.copyOf(Objects.requireNonNull(before.optimizerTensors())),
          Objects.requireNonNull(after.optimizerTensors()));
    }
    ConversionReport without =
        Conversion.run(
            ConversionConfig.of(
                    work.resolve("torch"), work.resolve("none"), ConversionTarget.Megatron.of(1, 1))
                .withOptimizer(false),
            ConversionListener.NONE);
    assertFalse(without.optimizerState());
    assertTrue(without.notes().contains("the optimizer's state is left out"), without::toText);
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                Conversion.run(
                    ConversionConfig.of(
                            work.resolve("torch"),
                            work.resolve("half"),
                            ConversionTarget.Megatron.of(1, 1))
                        .withDataType(DataType.F16),
                    ConversionListener.NONE));
    assertTrue(e.problems().get(0).contains("leave the type, or the optimizer out"), e::toString);
  }

  private static void convert(Path input, Path output, @Nullable Path reference)
      throws IOException {
    Conversion.run(
        ConversionConfig.of(input, output, ConversionTarget.HuggingFace.DEFAULT)
            .withReference(reference),
        ConversionListener.NONE);
  }

  private static void toMegatron(Path input, Path output, int tensor, int pipeline)
      throws IOException {
    Conversion.run(
        ConversionConfig.of(input, output, ConversionTarget.Megatron.of(tensor, pipeline)),
        ConversionListener.NONE);
  }
}
