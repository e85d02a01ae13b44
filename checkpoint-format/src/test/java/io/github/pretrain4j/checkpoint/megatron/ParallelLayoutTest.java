package io.github.pretrain4j.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every way to lay a model out over ranks, chunks, modules and stored experts. */
final class ParallelLayoutTest {
  private static final Map<String, @Nullable Object> LATENT =
      Map.of("multi_latent_attention", true, "kv_lora_rank", 8L, "qk_pos_emb_head_dim", 16L);

  /** One way to write, for a model that can be written so. */
  private record Way(ParallelLayout layout, LayerSpec layerSpec, ExpertLayout expertLayout) {
    void write(Path root, MemoryTensors model, Map<String, @Nullable Object> arguments)
        throws IOException {
      MegatronCheckpointWriter.create(root)
          .layout(layout)
          .layerSpec(layerSpec)
          .expertLayout(expertLayout)
          .arguments(arguments)
          .workers(2)
          .write(model);
    }
  }

  private static Way way(ParallelLayout layout) {
    return new Way(layout, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.SEQUENTIAL);
  }

  /** Writes and reads it, and from what was read writes once more the simplest way. */
  private static void roundTrip(
      Path directory, MemoryTensors model, Way way, Map<String, @Nullable Object> arguments)
      throws IOException {
    Path root = directory.resolve("split");
    way.write(root, model, arguments);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
      assertEquals(way.layout, checkpoint.layout());
      assertEquals(way.layerSpec, checkpoint.layerSpec());
      boolean experts = model.find("decoder.layers.1.mlp.router.weight") != null;
      assertEquals(experts ? way.expertLayout : null, checkpoint.expertLayout());
      assertSame(model, MemoryTensors.copyOf(checkpoint.fullTensors()));
      assertEquals(List.of(), checkpoint.differingReplicas());
      checkpoint.verify();
      MegatronCheckpointWriter.create(directory.resolve("again"))
          .arguments(arguments)
          .write(checkpoint.fullTensors());
    }
    MegatronCheckpointWriter.create(directory.resolve("direct")).arguments(arguments).write(model);
    assertEquals(
        -1,
        Files.mismatch(
            directory.resolve("direct/iter_0000001/mp_rank_00/model_optim_rng.pt"),
            directory.resolve("again/iter_0000001/mp_rank_00/model_optim_rng.pt")));
  }

  private static void assertSame(MemoryTensors expected, MemoryTensors found) {
    assertEquals(
        new TreeSet<>(expected.tensors().stream().map(TensorInfo::toString).toList()),
        new TreeSet<>(found.tensors().stream().map(TensorInfo::toString).toList()));
    for (TensorInfo info : expected.tensors()) {
      assertArrayEquals(expected.bytes(info.name()), found.bytes(info.name()), info.name());
    }
  }

  @TestFactory
  List<DynamicTest> readsBackDenseModels(@TempDir Path directory) {
    List<Way> ways = new ArrayList<>();
    List<ParallelLayout> layouts =
        List.of(
            ParallelLayout.of(1, 2).withVirtualPipeline(4),
            ParallelLayout.of(2, 2).withVirtualPipeline(2),
            ParallelLayout.of(1, 3).withLayersOfChunks(List.of(1, 5, 2)),
            ParallelLayout.of(2, 2).withVirtualPipeline(2).withLayersOfChunks(List.of(1, 3, 4, 0)),
            ParallelLayout.of(8, 1));
    for (ParallelLayout layout : layouts) {
      for (LayerSpec spec : List.of(LayerSpec.LOCAL, LayerSpec.TRANSFORMER_ENGINE)) {
        ways.add(new Way(layout, spec, ExpertLayout.SEQUENTIAL));
      }
    }
    return tests(directory, ways, MemoryTensors.random(ModelShapes.dense(), 21), Map.of());
  }

  @TestFactory
  List<DynamicTest> readsBackModelsWithoutGateAndBeforeMegatronCore(@TempDir Path directory) {
    List<Way> ways = new ArrayList<>();
    for (ParallelLayout layout :
        List.of(ParallelLayout.of(4, 2), ParallelLayout.of(1, 2).withVirtualPipeline(2))) {
      for (LayerSpec spec : LayerSpec.values()) {
        ways.add(new Way(layout, spec, ExpertLayout.SEQUENTIAL));
      }
    }
    return tests(
        directory,
        ways,
        MemoryTensors.random(ModelShapes.plain(), 22),
        Map.of("swiglu", false, "untie_embeddings_and_output_weights", false));
  }

  @TestFactory
  List<DynamicTest> readsBackExperts(@TempDir Path directory) {
    List<Way> ways = new ArrayList<>();
    for (ParallelLayout layout :
        List.of(
            ParallelLayout.of(2, 1),
            ParallelLayout.of(1, 2).withExpertParallel(4),
            ParallelLayout.of(4, 2).withExpertParallel(2).withExpertTensorParallel(2),
            ParallelLayout.of(2, 1).withExpertParallel(8).withExpertTensorParallel(1))) {
      for (ExpertLayout experts : ExpertLayout.values()) {
        ways.add(new Way(layout, LayerSpec.TRANSFORMER_ENGINE, experts));
        if (experts != ExpertLayout.GROUPED) {
          ways.add(new Way(layout, LayerSpec.LOCAL, experts));
        }
      }
    }
    return tests(
        directory,
        ways,
        MemoryTensors.random(ModelShapes.experts(false, false), 23),
        Map.of("swiglu", true));
  }

  @TestFactory
  List<DynamicTest> readsBackLatentAttentionAndPredictions(@TempDir Path directory) {
    List<Way> ways = new ArrayList<>();
    for (ParallelLayout layout :
        List.of(
            ParallelLayout.of(1, 1),
            ParallelLayout.of(2, 2).withExpertParallel(2),
            ParallelLayout.of(4, 1))) {
      ways.add(new Way(layout, LayerSpec.LOCAL, ExpertLayout.SEQUENTIAL));
      ways.add(new Way(layout, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.GROUPED));
    }
    return tests(
        directory, ways, MemoryTensors.random(ModelShapes.experts(true, true), 24), LATENT);
  }

  private static List<DynamicTest> tests(
      Path directory,
      List<Way> ways,
      MemoryTensors model,
      Map<String, @Nullable Object> arguments) {
    List<DynamicTest> tests = new ArrayList<>();
    for (Way way : ways) {
      Path root = directory.resolve("case" + tests.size());
      tests.add(
          DynamicTest.dynamicTest(way.toString(), () -> roundTrip(root, model, way, arguments)));
    }
    return tests;
  }

  /** The keys of one rank's model, and the shapes; None for an extra state. */
  private static Map<String, String> keys(Path file, String chunk) throws IOException {
    Map<String, String> keys = new TreeMap<>();
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      PickleObject.PyDict root = (PickleObject.PyDict) reader.root();
      PickleObject.PyDict model =
          (PickleObject.PyDict) Objects.requireNonNull(root.get(chunk), file::toString);
      model
          .stringEntries()
          .forEach(
              (key, value) ->
                  keys.put(
                      key, value instanceof TensorReference tensor ? tensor.shape() + "" : "None"));
    }
    return keys;
  }

  @Test
  void namesExpertsAsEachKindOfLayerDoes(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(false, false), 25);
    ParallelLayout layout = ParallelLayout.of(2, 1).withExpertParallel(4);
    String mlp = "decoder.layers.1.mlp.";
    Map<ExpertLayout, List<String>> expected =
        Map.of(
            ExpertLayout.SEQUENTIAL,
            List.of(
                mlp + "experts.local_experts.1.linear_fc1._extra_state=None",
                mlp + "experts.local_experts.1.linear_fc1.weight=[8, 16]",
                mlp + "experts.local_experts.1.linear_fc2.weight=[16, 4]"),
            ExpertLayout.GROUPED,
            List.of(
                mlp + "experts.linear_fc1._extra_state=None",
                mlp + "experts.linear_fc1.weight1=[8, 16]",
                mlp + "experts.linear_fc2.weight0=[16, 4]"),
            ExpertLayout.LEGACY_GROUPED,
            List.of(mlp + "experts.weight1=[16, 16]", mlp + "experts.weight2=[8, 16]"));
    for (ExpertLayout experts : ExpertLayout.values()) {
      Path root = directory.resolve(experts.name());
      new Way(layout, LayerSpec.TRANSFORMER_ENGINE, experts).write(root, model, Map.of());
      Map<String, String> keys =
          keys(root.resolve("iter_0000001/mp_rank_01_003/model_optim_rng.pt"), "model");
      List<String> entries = keys.entrySet().stream().map(Object::toString).toList();
      assertTrue(
          entries.containsAll(Objects.requireNonNull(expected.get(experts))),
          () -> experts + " " + entries);
      assertTrue(
          entries.containsAll(
              List.of(
                  mlp + "router.expert_bias=[8]",
                  mlp + "shared_experts.gate_weight=[1, 16]",
                  mlp + "shared_experts.linear_fc1.weight=[24, 16]",
                  "decoder.layers.1.pre_mlp_layernorm.weight=[16]",
                  "decoder.layers.0.mlp.linear_fc1.layer_norm_weight=[16]",
                  "decoder.layers.0.self_attention.linear_qkv.layer_norm_weight=[16]")),
          entries::toString);
    }
  }

  /**
   * Element (expert x, input r, output c) of {@code weight1} is at x h w + r w + c for the width w
   * of this rank, which has its share of the gate half and of the up half.
   */
  @Test
  void laysGroupedExpertsOfTheOldKindOutTransposed(@TempDir Path root) throws IOException {
    int hidden = 2;
    int width = 4; // of the whole expert; each of two ranks has 2
    MemoryTensors model = new MemoryTensors();
    String layer = "decoder.layers.0.";
    for (TensorInfo info : ModelShapes.experts(false, false)) {
      if (!info.name().contains("experts") && !info.name().startsWith("decoder.layers.0.mlp")) {
        if (ParameterNames.layerOf(info.name()) <= 0) {
          model.put(info, new byte[(int) info.byteCount()]);
        }
      }
    }
    TensorInfo router =
        new TensorInfo(layer + "mlp.router.weight", DataType.F32, List.of(2L, (long) hidden));
    model.put(router, new byte[(int) router.byteCount()]);
    for (int expert = 0; expert < 2; expert++) {
      String prefix = layer + "mlp.experts.local_experts." + expert + ".linear_fc";
      // first[row, column] = 1000 expert + 10 row + column; second the same and 500 more
      ByteBuffer first = ByteBuffer.allocate(2 * width * hidden * 4).order(ByteOrder.LITTLE_ENDIAN);
      for (int row = 0; row < 2 * width; row++) {
        for (int column = 0; column < hidden; column++) {
          first.putFloat(1000 * expert + 10 * row + column);
        }
      }
      model.put(
          new TensorInfo(prefix + "1.weight", DataType.F32, List.of(2L * width, (long) hidden)),
          first.array());
      ByteBuffer second = ByteBuffer.allocate(hidden * width * 4).order(ByteOrder.LITTLE_ENDIAN);
      for (int row = 0; row < hidden; row++) {
        for (int column = 0; column < width; column++) {
          second.putFloat(1000 * expert + 500 + 10 * row + column);
        }
      }
      model.put(
          new TensorInfo(prefix + "2.weight", DataType.F32, List.of((long) hidden, (long) width)),
          second.array());
    }
    new Way(ParallelLayout.of(2, 1), LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.LEGACY_GROUPED)
        .write(root, model, Map.of());
    float[] first = floats(root, 1, layer + "mlp.experts.weight1");
    float[] second = floats(root, 1, layer + "mlp.experts.weight2");
    int[] rows = {2, 3, 6, 7}; // of rank 1: the second half of the gate, then of the up half
    for (int expert = 0; expert < 2; expert++) {
      for (int input = 0; input < hidden; input++) {
        for (int output = 0; output < 4; output++) {
          assertEquals(
              1000 * expert + 10 * rows[output] + input,
              first[expert * hidden * 4 + input * 4 + output]);
        }
      }
      for (int input = 0; input < 2; input++) {
        for (int output = 0; output < hidden; output++) {
          assertEquals(
              1000 * expert + 500 + 10 * output + (2 + input),
              second[expert * 2 * hidden + input * hidden + output]);
        }
      }
    }
  }

  private static float[] floats(Path root, int rank, String key) throws IOException {
    Path file = root.resolve("iter_0000001/mp_rank_0" + rank + "/model_optim_rng.pt");
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      PickleObject.PyDict top = (PickleObject.PyDict) reader.root();
      PickleObject.PyDict model = (PickleObject.PyDict) Objects.requireNonNull(top.get("model"));
      TensorReference tensor = (TensorReference) Objects.requireNonNull(model.get(key));
      ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
      reader.read(tensor, 0, data);
      float[] values = new float[data.capacity() / 4];
      data.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      return values;
    }
  }

  @Test
  void numbersLayersWithinEveryChunk(@TempDir Path root) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.dense(), 26);
    way(ParallelLayout.of(1, 2).withVirtualPipeline(2)).write(root, model, Map.of());
    Path first = root.resolve("iter_0000001/mp_rank_00_000/model_optim_rng.pt");
    Path last = root.resolve("iter_0000001/mp_rank_00_001/model_optim_rng.pt");
    // Chunks of two layers: stage 0 has layers 0, 1 and 4, 5.
    assertTrue(keys(first, "model0").containsKey("embedding.word_embeddings.weight"));
    assertTrue(keys(last, "model1").containsKey("output_layer.weight"));
    assertTrue(keys(last, "model1").containsKey("decoder.final_layernorm.weight"));
    try (TorchFileReader reader = TorchFileReader.open(first)) {
      PickleObject.PyDict top = (PickleObject.PyDict) reader.root();
      PickleObject.PyDict chunk = (PickleObject.PyDict) Objects.requireNonNull(top.get("model1"));
      TensorReference tensor =
          (TensorReference)
              Objects.requireNonNull(
                  chunk.get("decoder.layers.1.self_attention.linear_proj.weight"));
      ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
      reader.read(tensor, 0, data);
      assertArrayEquals(
          model.bytes("decoder.layers.5.self_attention.linear_proj.weight"), data.array());
    }
  }

  @Test
  void copiesTiedEmbeddingsToTheLastStageAndPredictions(@TempDir Path directory)
      throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(true, true), 27);
    model.remove("output_layer.weight");
    Map<String, @Nullable Object> arguments = new LinkedHashMap<>(LATENT);
    arguments.put("untie_embeddings_and_output_weights", false);
    Way way = way(ParallelLayout.of(1, 2));
    way.write(directory, model, arguments);
    Path last = directory.resolve("iter_0000001/mp_rank_00_001/model_optim_rng.pt");
    assertTrue(
        keys(last, "model")
            .keySet()
            .containsAll(List.of("output_layer.weight", "embedding.word_embeddings.weight")));
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(directory)) {
      assertSame(model, MemoryTensors.copyOf(checkpoint.fullTensors()));
      assertEquals(List.of(), checkpoint.differingReplicas());
    }
    // A last stage of another model: its copies are the embedding's no more.
    Path other = directory.resolve("other");
    MemoryTensors changed = MemoryTensors.copyOf(model);
    TensorInfo embedding = model.get("embedding.word_embeddings.weight");
    changed.put(embedding, new byte[(int) embedding.byteCount()]);
    way.write(other, changed, arguments);
    Files.copy(
        other.resolve("iter_0000001/mp_rank_00_001/model_optim_rng.pt"),
        last,
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(directory)) {
      List<String> differing = checkpoint.differingReplicas();
      assertEquals(2, differing.size(), differing::toString);
      assertTrue(
          differing.stream().anyMatch(text -> text.startsWith("output_layer.weight differs")),
          differing::toString);
    }
  }

  @Test
  void namesTheLayerOfAPredictionAsAsked(@TempDir Path root) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(true, true), 28);
    MegatronCheckpointWriter.create(root)
        .predictionModule("mtp_model_layer")
        .arguments(LATENT)
        .write(model);
    assertTrue(
        keys(root.resolve("iter_0000001/mp_rank_00/model_optim_rng.pt"), "model")
            .containsKey("mtp.layers.0.mtp_model_layer.mlp.router.weight"));
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
      assertSame(model, MemoryTensors.copyOf(checkpoint.fullTensors()));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> MegatronCheckpointWriter.create(root).predictionModule("other"));
  }

  @Test
  void tellsStagesFromExpertRanksWithoutArguments(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(false, false), 29);
    for (ParallelLayout layout :
        List.of(ParallelLayout.of(1, 2), ParallelLayout.of(1, 1).withExpertParallel(2))) {
      Path root = directory.resolve("p" + layout.pipelineModelParallelSize());
      way(layout).write(root, model, Map.of());
      for (int rank = 0; rank < 2; rank++) {
        rewrite(
            root.resolve("iter_0000001/mp_rank_00_00" + rank + "/model_optim_rng.pt"),
            entries -> entries.remove(new PickleObject.PyString("args")));
      }
      try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
        assertEquals(layout, checkpoint.layout());
        assertSame(model, MemoryTensors.copyOf(checkpoint.fullTensors()));
      }
    }
  }

  private interface Change {
    void apply(Map<PickleObject, PickleObject> entries);
  }

  /** Changes the top level of a rank's file and keeps the rest. */
  private static void rewrite(Path file, Change change) throws IOException {
    Path copy = Files.copy(file, file.resolveSibling("copy.pt"));
    try (TorchFileReader reader = TorchFileReader.open(copy)) {
      Map<PickleObject, PickleObject> entries =
          new LinkedHashMap<>(((PickleObject.PyDict) reader.root()).entries());
      change.apply(entries);
      PickleObject.PyDict root = new PickleObject.PyDict(false, entries);
      Map<String, TensorReference> tensors = new LinkedHashMap<>();
      collect(root, tensors);
      TorchFileWriter.write(
          file,
          root,
          (tensor, out) -> {
            ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
            reader.read(Objects.requireNonNull(tensors.get(tensor.name())), 0, data);
            out.write(data.flip());
          });
    }
    Files.delete(copy);
  }

  private static void collect(PickleObject value, Map<String, TensorReference> tensors) {
    if (value instanceof TensorReference tensor) {
      List<Long> all = List.of(tensor.storage().byteCount() / tensor.type().bytes());
      tensors.put(
          tensor.storage().key(),
          new TensorReference(tensor.type(), tensor.storage(), 0, all, List.of(1L), false, false));
    } else if (value instanceof PickleObject.PyDict dict) {
      dict.entries().values().forEach(item -> collect(item, tensors));
    }
  }

  /** Changes the model's dictionary in a rank's file. */
  private static void rewriteModel(Path file, Change change) throws IOException {
    rewrite(
        file,
        entries -> {
          PickleObject key = new PickleObject.PyString("model");
          if (entries.get(key) instanceof PickleObject.PyDict model) {
            Map<PickleObject, PickleObject> changed = new LinkedHashMap<>(model.entries());
            change.apply(changed);
            entries.put(key, new PickleObject.PyDict(true, changed));
          }
        });
  }

  private static String refusal(Path root) {
    return assertThrows(CorruptCheckpointException.class, () -> MegatronCheckpoint.open(root))
        .toString();
  }

  @Test
  void listsAllThatIsWrongInTheFiles(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(false, false), 30);
    Path root = directory.resolve("run");
    way(ParallelLayout.of(2, 1).withExpertParallel(2)).write(root, model, Map.of());
    String expert = "decoder.layers.3.mlp.experts.local_experts.3.linear_fc2.weight";
    String norm = "decoder.layers.2.pre_mlp_layernorm.weight";
    rewriteModel(
        root.resolve("iter_0000001/mp_rank_01_001/model_optim_rng.pt"),
        entries -> {
          entries.remove(new PickleObject.PyString(expert));
          PickleObject tensor = entries.remove(new PickleObject.PyString(norm));
          entries.put(new PickleObject.PyString("decoder.layers.2.strange.weight"), tensor);
        });
    String message = refusal(root);
    for (String part :
        List.of(
            expert + " is missing in mp_rank_01_001",
            norm + " is missing in mp_rank_01_001",
            "decoder.layers.2.strange.weight is in mp_rank_01_001",
            "no rule how tensor decoder.layers.2.strange.weight is split")) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void refusesMissingRanksAndChunks(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.dense(), 31);
    Path missing = directory.resolve("missing");
    way(ParallelLayout.of(2, 2)).write(missing, model, Map.of());
    Files.move(missing.resolve("iter_0000001/mp_rank_01_001"), missing.resolve("mp_rank_01_001"));
    assertTrue(refusal(missing).contains("mp_rank_01_001"));
    Path chunks = directory.resolve("chunks");
    way(ParallelLayout.of(1, 2).withVirtualPipeline(2))
        .write(chunks, model, Map.of("num_layers", 8L));
    rewrite(
        chunks.resolve("iter_0000001/mp_rank_00_001/model_optim_rng.pt"),
        entries -> entries.remove(new PickleObject.PyString("model1")));
    assertTrue(refusal(chunks).contains("mp_rank_00_001 holds 1 model chunks, not 2"));
    Path layers = directory.resolve("layers");
    way(ParallelLayout.of(1, 1)).write(layers, model, Map.of("num_layers", 9L));
    assertTrue(refusal(layers).contains("args.num_layers is 9, the files hold 8 layers"));
    Path gap = directory.resolve("gap");
    way(ParallelLayout.of(1, 1)).write(gap, model, Map.of());
    rewriteModel(
        gap.resolve("iter_0000001/mp_rank_00/model_optim_rng.pt"),
        entries -> entries.keySet().removeIf(key -> key.toString().contains("layers.3.")));
    assertTrue(refusal(gap).contains("holds the layers"));
  }

  @Test
  void refusesShapesThatDisagree(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(false, false), 32);
    Path root = directory.resolve("run");
    way(ParallelLayout.of(1, 1).withExpertParallel(2)).write(root, model, Map.of());
    rewriteModel(
        root.resolve("iter_0000001/mp_rank_00_001/model_optim_rng.pt"),
        entries -> {
          PickleObject router = new PickleObject.PyString("decoder.layers.1.mlp.router.weight");
          if (entries.get(router) instanceof TensorReference tensor) {
            entries.put(
                router,
                new TensorReference(
                    tensor.type(),
                    tensor.storage(),
                    0,
                    List.of(6L, (long) ModelShapes.HIDDEN),
                    tensor.strides(),
                    false,
                    false));
          }
        });
    assertTrue(refusal(root).contains("its router 6"));
  }

  @Test
  void listsAllThatCannotBeWritten(@TempDir Path root) throws IOException {
    MemoryTensors model = MemoryTensors.random(ModelShapes.experts(false, false), 33);
    model.remove("decoder.layers.2.mlp.experts.local_experts.7.linear_fc1.weight");
    model.put(
        new TensorInfo("decoder.layers.1.other.weight", DataType.BF16, List.of(1L)), new byte[2]);
    List<String> problems =
        MegatronCheckpointWriter.create(root)
            .layout(
                ParallelLayout.of(6, 1)
                    .withVirtualPipeline(3)
                    .withExpertParallel(3)
                    .withExpertTensorParallel(4))
            .problems(model);
    String all = String.join("\n", problems);
    for (String part :
        List.of(
            "a virtual pipeline needs more than one pipeline stage",
            "expert tensor parallel size 4 is no divisor of the tensor parallel size 6",
            "8 experts of layer decoder.layers.1. do not split over 3 expert ranks",
            "no rule how tensor decoder.layers.1.other.weight is split",
            "tensor embedding.word_embeddings.weight [32, 16] does not split over 6 tensor ranks",
            "8 layers do not split over 1 pipeline stages of 3 chunks")) {
      assertTrue(all.contains(part), () -> part + " not in\n" + all);
    }
    assertEquals(
        List.of("pipeline chunks of [1, 2] for 8 layers"),
        MegatronCheckpointWriter.create(root)
            .layout(ParallelLayout.of(1, 2).withLayersOfChunks(List.of(1, 2)))
            .problems(MemoryTensors.random(ModelShapes.dense(), 34)));
    List<String> legacy =
        MegatronCheckpointWriter.create(root)
            .layerSpec(LayerSpec.LEGACY)
            .arguments(Map.of("rotary_base", 1000000L))
            .problems(MemoryTensors.random(ModelShapes.dense(), 35));
    assertEquals(2 * ModelShapes.LAYERS + 1, legacy.size(), legacy::toString);
    try (Stream<Path> children = Files.list(root)) {
      assertEquals(List.of(), children.toList());
    }
  }

  @Test
  void checksItsSizes() {
    assertThrows(IllegalArgumentException.class, () -> ParallelLayout.of(0, 1));
    assertThrows(IllegalArgumentException.class, () -> ParallelLayout.of(1, 1001));
    assertThrows(
        IllegalArgumentException.class,
        () -> ParallelLayout.of(1, 2).withLayersOfChunks(List.of(1, 2, 3)));
    assertThrows(
        IllegalArgumentException.class,
        () -> ParallelLayout.of(1, 2).withLayersOfChunks(Arrays.asList(5, -1)));
  }
}
