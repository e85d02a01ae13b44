package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.convert.VocabularyGrowth.MeanOfPieces;
import io.github.pretrain4j.convert.VocabularyGrowth.Noise;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class VocabularyGrowthTest {
  private static final int HIDDEN = 64;
  private static final MeanOfPieces PIECES =
      new MeanOfPieces(512, List.of(List.of(3), List.of(1, 2, 2), List.of(511, 0)));

  private static MemoryTensors grow(Path output, ConversionTarget target, VocabularyGrowth growth)
      throws IOException {
    ConversionReport report =
        Conversion.run(
            ConversionConfig.of(GoldenModels.llama(), output, target).withGrowth(growth),
            ConversionListener.NONE);
    assertTrue(report.roundTrips());
    assertEquals(515, Objects.requireNonNull(report.config()).vocabSize());
    if (target instanceof ConversionTarget.HuggingFace) {
      try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(output)) {
        return MemoryTensors.copyOf(written);
      }
    }
    try (MegatronCheckpoint written = MegatronCheckpoint.open(output)) {
      assertEquals(515L, written.arguments().get("vocab_size"));
      return MemoryTensors.copyOf(written.fullTensors());
    }
  }

  private static float[] row(byte[] matrix, int row) {
    float[] values = new float[HIDDEN];
    ByteBuffer.wrap(matrix, row * HIDDEN * Float.BYTES, HIDDEN * Float.BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(values);
    return values;
  }

  @Test
  void makesNewRowsOfTheirPiecesOnBothSides(@TempDir Path directory) throws IOException {
    MemoryTensors old = GoldenModels.load(GoldenModels.llama(), DataType.F32);
    VocabularyGrowth growth = new VocabularyGrowth(null, PIECES);
    MemoryTensors huggingFace =
        grow(directory.resolve("hf"), ConversionTarget.HuggingFace.DEFAULT, growth);
    MemoryTensors megatron =
        grow(directory.resolve("megatron"), ConversionTarget.Megatron.of(2, 2), growth);
    assertEquals(515, HuggingFaceConfig.read(directory.resolve("hf")).size("vocab_size"));
    for (String name : List.of("model.embed_tokens.weight", "lm_head.weight")) {
      byte[] before = old.bytes(name);
      byte[] after = huggingFace.bytes(name);
      assertEquals(515 * HIDDEN * Float.BYTES, after.length);
      assertArrayEquals(before, Arrays.copyOf(after, before.length));
      assertArrayEquals(row(before, 3), row(after, 512));
      float[] mean = new float[HIDDEN];
      for (int i = 0; i < HIDDEN; i++) {
        mean[i] = (float) (((double) row(before, 1)[i] + row(before, 2)[i] * 2.0) / 3);
      }
      assertArrayEquals(mean, row(after, 513));
      byte[] padded =
          megatron.bytes(
              name.equals("lm_head.weight")
                  ? "output_layer.weight"
                  : "embedding.word_embeddings.weight");
      assertEquals(768 * HIDDEN * Float.BYTES, padded.length);
      assertArrayEquals(after, Arrays.copyOf(padded, after.length));
      assertArrayEquals(row(after, 514), row(padded, 767));
    }
  }

  @Test
  void makesTheSameNoiseInEveryForm(@TempDir Path directory) throws IOException {
    VocabularyGrowth growth = new VocabularyGrowth(515, new Noise(7, 0.02));
    MemoryTensors huggingFace =
        grow(directory.resolve("hf"), ConversionTarget.HuggingFace.DEFAULT, growth);
    MemoryTensors megatron =
        grow(directory.resolve("megatron"), ConversionTarget.Megatron.of(1, 2), growth);
    byte[] embedding = huggingFace.bytes("model.embed_tokens.weight");
    assertArrayEquals(
        embedding,
        Arrays.copyOf(megatron.bytes("embedding.word_embeddings.weight"), embedding.length));
    byte[] output = huggingFace.bytes("lm_head.weight");
    assertFalse(Arrays.equals(row(embedding, 512), row(output, 512)));
    double squares = 0;
    for (int row = 512; row < 515; row++) {
      assertFalse(row > 512 && Arrays.equals(row(embedding, row), row(embedding, row - 1)));
      for (float value : row(embedding, row)) {
        squares += (double) value * value;
      }
    }
    // 192 draws: the root of the mean square is within 20 % of the deviation at 4 sigma.
    assertEquals(0.02, Math.sqrt(squares / (3 * HIDDEN)), 0.004);
  }

  @Test
  void refusesPiecesThatDoNotFit(@TempDir Path directory) throws IOException {
    for (VocabularyGrowth wrong :
        List.of(
            new VocabularyGrowth(516, PIECES),
            new VocabularyGrowth(511, new Noise(1, 0.02)),
            new VocabularyGrowth(null, new MeanOfPieces(500, List.of(List.of(1)))),
            new VocabularyGrowth(null, new MeanOfPieces(null, List.of(List.of(512)))))) {
      ConversionException e =
          assertThrows(
              ConversionException.class,
              () ->
                  Conversion.run(
                      ConversionConfig.of(
                              GoldenModels.llama(),
                              directory.resolve("out"),
                              ConversionTarget.HuggingFace.DEFAULT)
                          .withGrowth(wrong),
                      ConversionListener.NONE));
      assertEquals(1, e.problems().size(), e::toString);
      assertFalse(Files.exists(directory.resolve("out")));
    }
  }

  @Test
  void readsPiecesByOrderOrById(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("pieces.json");
    Files.writeString(file, "[[3], [1, 2]]");
    assertEquals(
        new MeanOfPieces(null, List.of(List.of(3), List.of(1, 2))), MeanOfPieces.read(file));
    Files.writeString(file, "{\"513\": [1, 2], \"512\": [3]}");
    assertEquals(
        new MeanOfPieces(512, List.of(List.of(3), List.of(1, 2))), MeanOfPieces.read(file));
    for (String wrong :
        List.of(
            "",
            "3",
            "[3]",
            "[[]]",
            "[[-1]]",
            "[[1.5]]",
            "{\"5\": [1], \"7\": [1]}",
            "{\"a\": [1]}",
            "[[1]")) {
      Files.writeString(file, wrong);
      assertThrows(CorruptCheckpointException.class, () -> MeanOfPieces.read(file), wrong);
    }
  }
}
