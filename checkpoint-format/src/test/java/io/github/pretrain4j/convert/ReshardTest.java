package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Megatron to Megatron: other ranks, other names, other padding. */
final class ReshardTest {
  private static ConversionReport reshard(Path input, Path output, ConversionTarget.Megatron target)
      throws IOException {
    return Conversion.run(ConversionConfig.of(input, output, target), ConversionListener.NONE);
  }

  /** Each from the one before, so that every pair of neighbours is a reshard. */
  private static List<ConversionTarget.Megatron> targets() {
    return List.of(
        ConversionTarget.Megatron.of(2, 1).withLayerSpec(LayerSpec.LOCAL),
        ConversionTarget.Megatron.of(1, 4).withLayerSpec(LayerSpec.TRANSFORMER_ENGINE),
        ConversionTarget.Megatron.of(ParallelLayout.of(2, 2).withVirtualPipeline(2)),
        ConversionTarget.Megatron.of(ParallelLayout.of(1, 3).withLayersOfChunks(List.of(1, 2, 1))),
        ConversionTarget.Megatron.of(2, 2).withLayerSpec(LayerSpec.LEGACY),
        ConversionTarget.Megatron.of(1, 1).withRelease(true));
  }

  @TestFactory
  List<DynamicTest> givesTheSameModelOverAnyRanks(@TempDir Path directory) {
    List<DynamicTest> tests = new ArrayList<>();
    List<ConversionTarget.Megatron> targets = targets();
    for (int i = 0; i < targets.size(); i++) {
      ConversionTarget.Megatron target = targets.get(i);
      Path input =
          i == 0 ? GoldenModels.megatronLlama() : directory.resolve(Integer.toString(i - 1));
      Path output = directory.resolve(Integer.toString(i));
      tests.add(
          DynamicTest.dynamicTest(
              i + " " + target.layout(),
              () -> {
                ConversionReport report = reshard(input, output, target);
                assertTrue(report.roundTrips());
                assertEquals(target.layout(), report.target().layout());
                try (MegatronCheckpoint expected =
                        MegatronCheckpoint.open(GoldenModels.megatronLlama());
                    MegatronCheckpoint written = MegatronCheckpoint.open(output)) {
                  MegatronGoldenTest.assertSame(
                      MemoryTensors.copyOf(expected.fullTensors()), written.fullTensors());
                  assertEquals(target.release(), written.isRelease());
                }
              }));
    }
    return tests;
  }

  @Test
  void padsAnewForOtherRanksAndKeepsTheArguments(@TempDir Path directory) throws IOException {
    Path source = directory.resolve("source");
    Conversion.run(
        ConversionConfig.of(
            GoldenModels.llama(),
            source,
            ConversionTarget.Megatron.of(2, 1).withMakeVocabSizeDivisibleBy(300)),
        ConversionListener.NONE);
    ConversionReport report =
        reshard(source, directory.resolve("out"), ConversionTarget.Megatron.of(1, 2));
    assertEquals(600, report.source().vocabularyRows());
    assertEquals(600, report.target().vocabularyRows());
    report =
        reshard(
            source,
            directory.resolve("other"),
            ConversionTarget.Megatron.of(1, 1).withMakeVocabSizeDivisibleBy(128));
    assertEquals(512, report.target().vocabularyRows());
    try (MegatronCheckpoint before = MegatronCheckpoint.open(source);
        MegatronCheckpoint after = MegatronCheckpoint.open(directory.resolve("other"))) {
      Map<String, Object> expected = new TreeMap<>(before.arguments());
      Map<String, Object> found = new TreeMap<>(after.arguments());
      for (String changed :
          List.of(
              "tensor_model_parallel_size",
              "expert_tensor_parallel_size",
              "world_size",
              "make_vocab_size_divisible_by",
              "padded_vocab_size")) {
        expected.remove(changed);
        found.remove(changed);
      }
      assertEquals(expected, found);
    }
  }

  @Test
  void doesNotGuessWhatIsPadding(@TempDir Path directory) throws IOException {
    Path source = directory.resolve("source");
    try (MegatronCheckpoint golden = MegatronCheckpoint.open(GoldenModels.megatronLlama())) {
      Map<String, @Nullable Object> arguments = new TreeMap<>(golden.arguments());
      arguments.remove("vocab_size"); // which real runs leave to the tokenizer
      MegatronCheckpointWriter.create(source).arguments(arguments).write(golden.fullTensors());
    }
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                reshard(
                    source,
                    directory.resolve("out"),
                    ConversionTarget.Megatron.of(2, 1).withMakeVocabSizeDivisibleBy(300)));
    assertTrue(e.problems().get(0).contains("does not record its vocabulary's size"), e::toString);
    ConversionReport report =
        Conversion.run(
            ConversionConfig.of(
                    source,
                    directory.resolve("out"),
                    ConversionTarget.Megatron.of(2, 1).withMakeVocabSizeDivisibleBy(300))
                .withVocabSize(512),
            ConversionListener.NONE);
    assertEquals(600, report.target().vocabularyRows());
  }

  @Test
  void refusesRanksThatDoNotFit(@TempDir Path directory) {
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                reshard(
                    GoldenModels.megatronLlama(),
                    directory.resolve("out"),
                    ConversionTarget.Megatron.of(4, 3)));
    assertTrue(
        e.problems().contains("num_query_groups 2 does not divide over 4 tensor ranks"),
        e::toString);
    assertTrue(Files.notExists(directory.resolve("out")));
  }
}
