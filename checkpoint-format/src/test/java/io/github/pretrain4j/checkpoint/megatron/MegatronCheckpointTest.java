package io.github.pretrain4j.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CheckpointWriteException;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.SharedFiles;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.MemoryTensors;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

final class MegatronCheckpointTest {
  private static final TransformerConfig CONFIG =
      TransformerConfig.builder()
          .family("test")
          .numLayers(4)
          .hiddenSize(16)
          .ffnHiddenSize(24)
          .numAttentionHeads(8)
          .numQueryGroups(4)
          .kvChannels(6)
          .vocabSize(32)
          .maxPositionEmbeddings(64)
          .qkvBias(true)
          .build();

  private static MemoryTensors model(TransformerConfig config, long seed) {
    return MemoryTensors.random(
        WeightMapping.llamaLayout(config).megatronTensors(DataType.BF16), seed);
  }

  private static MegatronCheckpointWriter writer(Path root) {
    return MegatronCheckpointWriter.create(root).arguments(MegatronArguments.of(CONFIG));
  }

  private static void assertHolds(MemoryTensors expected, Path path) throws IOException {
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(path)) {
      MemoryTensors found = MemoryTensors.copyOf(checkpoint.fullTensors());
      for (TensorInfo info : expected.tensors()) {
        assertEquals(info, found.get(info.name()));
        assertArrayEquals(expected.bytes(info.name()), found.bytes(info.name()), info.name());
      }
      assertEquals(List.of(), checkpoint.differingReplicas());
      checkpoint.verify();
    }
  }

  @TestFactory
  List<DynamicTest> readsBackWhatItSplit(@TempDir Path directory) {
    List<DynamicTest> tests = new ArrayList<>();
    for (LayerSpec spec : LayerSpec.values()) {
      for (int[] size : new int[][] {{1, 1}, {4, 1}, {1, 4}, {2, 2}}) {
        for (boolean tied : new boolean[] {false, true}) {
          Path root = directory.resolve("case" + tests.size());
          tests.add(
              DynamicTest.dynamicTest(
                  spec + " TP" + size[0] + " PP" + size[1] + (tied ? " tied" : ""),
                  () -> {
                    MemoryTensors model = model(CONFIG.withTiedEmbeddings(tied), size[0]);
                    writer(root).parallel(size[0], size[1]).layerSpec(spec).write(model);
                    assertHolds(model, root);
                    assertHolds(model, root.resolve("iter_0000001"));
                    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
                      assertEquals(
                          model.tensors().size() + (tied && size[1] > 1 ? 1 : 0),
                          checkpoint.fullTensors().tensors().size());
                      assertEquals(size[0], checkpoint.tensorModelParallelSize());
                      assertEquals(size[1], checkpoint.pipelineModelParallelSize());
                    }
                  }));
        }
      }
    }
    return tests;
  }

  @Test
  void readsAnyRangeOfASplitTensor(@TempDir Path root) throws IOException {
    MemoryTensors model = model(CONFIG, 3);
    writer(root).parallel(4, 1).write(model);
    Random random = new Random(4);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
      for (TensorInfo info : model.tensors()) {
        int size = (int) info.byteCount();
        for (int i = 0; i < 10; i++) {
          int from = random.nextInt(size);
          int length = random.nextInt(size - from + 1);
          ByteBuffer part = ByteBuffer.allocate(length + 2).position(1).limit(length + 1);
          checkpoint.fullTensors().read(info.name(), from, part);
          assertEquals(length + 1, part.position());
          assertArrayEquals(
              Arrays.copyOfRange(model.bytes(info.name()), from, from + length),
              Arrays.copyOfRange(part.array(), 1, length + 1));
        }
      }
    }
  }

  @Test
  void keepsTheStateOfARun(@TempDir Path root) throws IOException {
    TensorInfo moment = new TensorInfo("optimizer/0/exp_avg", DataType.F32, List.of(2L, 3L));
    Map<String, PickleObject> state =
        Map.of(
            "optimizer",
            PickleObject.PyDict.of(Map.of("exp_avg", TensorReference.contiguous(moment))),
            "opt_param_scheduler",
            PickleObject.PyDict.of(Map.of("max_lr", PickleObject.of(1e-4))));
    byte[] data = new byte[24];
    new Random(5).nextBytes(data);
    writer(root)
        .iteration(120)
        .extraState(
            state,
            (tensor, out) -> {
              assertEquals(moment, tensor);
              out.write(ByteBuffer.wrap(data));
            })
        .write(model(CONFIG, 5));
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
      assertEquals(120, checkpoint.iteration());
      assertFalse(checkpoint.isRelease());
      assertTrue(checkpoint.extraState("optimizer") instanceof PickleObject.PyDict);
      if (checkpoint.extraState("optimizer") instanceof PickleObject.PyDict optimizer
          && optimizer.get("exp_avg") instanceof TensorReference reference) {
        ByteBuffer read = ByteBuffer.allocate(24);
        checkpoint.read(reference, 0, read);
        assertArrayEquals(data, read.array());
      }
      assertEquals(state.get("opt_param_scheduler"), checkpoint.extraState("opt_param_scheduler"));
      assertEquals(false, checkpoint.arguments().get("no_save_optim"));
      assertEquals(
          CONFIG, MegatronArguments.config(checkpoint.directory(), checkpoint.arguments(), null));
    }
    assertThrows(
        IllegalArgumentException.class,
        () ->
            writer(root)
                .parallel(2, 1)
                .extraState(state, (tensor, out) -> {})
                .write(model(CONFIG, 5)));
  }

  @Test
  void showsTheCheckpointBeforeUntilTheNewOneIsComplete(@TempDir Path root) throws IOException {
    MemoryTensors first = model(CONFIG, 6);
    writer(root).iteration(10).write(first);
    MemoryTensors second = model(CONFIG, 7);
    // Killed while writing: a partial directory. Killed before the tracker: a complete one.
    Files.createDirectories(root.resolve(".iter_0000020.partial/mp_rank_00"));
    Files.createDirectories(root.resolve("iter_0000020/mp_rank_00_000"));
    assertHolds(first, root);
    assertThrows(
        IOException.class,
        () ->
            writer(root)
                .iteration(20)
                .extraState(
                    Map.of(
                        "rng_state",
                        TensorReference.contiguous(
                            new TensorInfo("rng", DataType.U8, List.of(1L)))),
                    (tensor, out) -> {
                      throw new IOException("No space left on device");
                    })
                .write(second));
    assertHolds(first, root);
    writer(root).iteration(20).write(second);
    assertHolds(second, root);
    assertHolds(first, root.resolve("iter_0000010"));
    assertEquals(
        List.of("iter_0000010", "iter_0000020", "latest_checkpointed_iteration.txt"),
        children(root));
  }

  @Test
  void replacesTheLatestCheckpointInOneStepOrNotAtAll(@TempDir Path root) throws IOException {
    writer(root).iteration(10).write(model(CONFIG, 8));
    MemoryTensors again = model(CONFIG, 9);
    writer(root).iteration(10).write(again);
    assertHolds(again, root);
    assertThrows(
        FileAlreadyExistsException.class,
        () -> writer(root).iteration(10).parallel(2, 1).write(model(CONFIG, 10)));
    assertHolds(again, root);
    MemoryTensors release = model(CONFIG, 11);
    writer(root).release().parallel(2, 1).write(release);
    assertHolds(release, root);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(root)) {
      assertTrue(checkpoint.isRelease());
      assertEquals(0, checkpoint.iteration());
    }
  }

  private static List<String> children(Path directory) throws IOException {
    try (Stream<Path> children = Files.list(directory)) {
      return children.map(child -> child.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void namesTheFileForWhichTheDiskIsFull(@TempDir Path root) throws IOException {
    MemoryTensors first = model(CONFIG, 15);
    writer(root).iteration(10).write(first);
    // What is written beside this file goes to a device without room.
    Path rank = root.resolve(".iter_0000020.partial/mp_rank_01");
    MegatronCheckpointWriter writer =
        writer(root)
            .iteration(20)
            .parallel(2, 1)
            .onProgress(
                bytes -> {
                  try {
                    if (!Files.exists(rank)) {
                      Files.createDirectories(rank);
                      Files.createSymbolicLink(
                          rank.resolve(".model_optim_rng.pt.tmp"), Path.of("/dev/full"));
                    }
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                });
    CheckpointWriteException e =
        assertThrows(CheckpointWriteException.class, () -> writer.write(model(CONFIG, 16)));
    assertTrue(e.file().endsWith("mp_rank_01/model_optim_rng.pt"), e::toString);
    assertEquals(0, e.byteOffset());
    assertHolds(first, root);
    Files.createSymbolicLink(
        root.resolve(".latest_checkpointed_iteration.txt.tmp"), Path.of("/dev/full"));
    e =
        assertThrows(
            CheckpointWriteException.class,
            () -> writer(root).iteration(20).write(model(CONFIG, 16)));
    assertTrue(e.file().endsWith("latest_checkpointed_iteration.txt"), e::toString);
    assertHolds(first, root);
    assertEquals(
        List.of("iter_0000010", "iter_0000020", "latest_checkpointed_iteration.txt"),
        children(root));
  }

  @Test
  void refusesAnIterationThatIsNotItsDirectorys(@TempDir Path root) throws IOException {
    writer(root).iteration(10).write(model(CONFIG, 17));
    Path directory = Files.move(root.resolve("iter_0000010"), root.resolve("iter_0000011"));
    CorruptCheckpointException e =
        assertThrows(CorruptCheckpointException.class, () -> MegatronCheckpoint.open(directory));
    assertEquals("iteration", e.what());
    assertEquals("11", e.expected());
    assertEquals("10", e.found());
    for (PickleObject wrong :
        List.of(
            PickleObject.none(),
            PickleObject.of("11"),
            PickleObject.of(-11),
            new PickleObject.PyInt(BigInteger.TWO.pow(70)))) {
      assertIterationRefused(directory, Map.of("iteration", wrong));
    }
    assertIterationRefused(directory, Map.of());
  }

  private static void assertIterationRefused(Path directory, Map<String, PickleObject> entries)
      throws IOException {
    Map<String, PickleObject> root = new LinkedHashMap<>(entries);
    root.put("checkpoint_version", PickleObject.of(3.0));
    root.put("model", PickleObject.PyDict.ordered(Map.of()));
    TorchFileWriter.write(
        directory.resolve("mp_rank_00/model_optim_rng.pt"),
        PickleObject.PyDict.of(root),
        (tensor, out) -> {});
    CorruptCheckpointException e =
        assertThrows(CorruptCheckpointException.class, () -> MegatronCheckpoint.open(directory));
    assertEquals("iteration", e.what());
  }

  @Test
  void listsAllThatDoesNotSplit(@TempDir Path root) throws IOException {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> writer(root).parallel(3, 3).write(model(CONFIG, 12)));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.contains("embedding.word_embeddings.weight [32, 16]"), message);
    assertTrue(message.contains("4 layers do not split over 3"), message);
    assertEquals(List.of(), children(root));
  }

  @Test
  void namesTheReplicasThatDiffer(@TempDir Path directory) throws IOException {
    Path one = directory.resolve("one");
    Path two = directory.resolve("two");
    writer(one).parallel(2, 1).write(model(CONFIG, 13));
    writer(two).parallel(2, 1).write(model(CONFIG, 14));
    String file = "iter_0000001/mp_rank_01/model_optim_rng.pt";
    Files.write(one.resolve(file), Files.readAllBytes(two.resolve(file)));
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(one)) {
      // Four layers with two norms each, and the final one.
      assertEquals(9, checkpoint.differingReplicas().size());
    }
  }

  /**
   * What Megatron's own training loop saved: optimizer, scheduler and generators, opaque to us but
   * all there.
   */
  @TestFactory
  List<DynamicTest> readsWhatATrainingRunSaved() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    Optional<Path> shared = SharedFiles.root();
    if (shared.isPresent()) {
      Path run = shared.get().resolve("megatron_train/llama_tp1pp1/torch_fp32");
      tests.add(
          DynamicTest.dynamicTest(
              "llama_tp1pp1",
              () -> {
                try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(run)) {
                  assertEquals(20, checkpoint.iteration());
                  assertNotNull(checkpoint.extraState("optimizer"));
                  assertNotNull(checkpoint.extraState("opt_param_scheduler"));
                  assertNotNull(checkpoint.extraState("rng_state"));
                  assertEquals(
                      List.of(512L, 64L),
                      checkpoint.fullTensors().get("output_layer.weight").shape());
                }
              }));
    }
    return tests;
  }
}
