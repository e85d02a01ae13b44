package io.github.pretrain4j.checkpoint.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CheckpointWriteException;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.SharedFiles;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Directories we write are read back; directories of transformers are read and written again. */
class HuggingFaceCheckpointTest {
  private static final List<TensorInfo> TENSORS =
      List.of(
          new TensorInfo("model.embed_tokens.weight", DataType.BF16, List.of(16L, 8L)),
          new TensorInfo("model.layers.0.mlp.up_proj.weight", DataType.F32, List.of(4L, 8L)),
          new TensorInfo("model.norm.weight", DataType.F32, List.of(8L)),
          new TensorInfo("lm_head.weight", DataType.BF16, List.of(16L, 8L)));

  private final Path temporary;

  HuggingFaceCheckpointTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  /** Bytes that depend on the name. */
  private static final TensorContent CONTENT =
      (tensor, out) -> out.write(ByteBuffer.wrap(bytesOf(tensor)));

  private static byte[] bytesOf(TensorInfo tensor) {
    byte[] bytes = new byte[(int) tensor.byteCount()];
    new Random(tensor.name().hashCode()).nextBytes(bytes);
    return bytes;
  }

  private static byte[] read(TensorSource source, String name) throws IOException {
    byte[] bytes = new byte[(int) source.get(name).byteCount()];
    source.read(name, 0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private void assertHolds(Path directory, WeightFormat format, int fileCount) throws IOException {
    assertHolds(directory, format, fileCount, 0);
  }

  private void assertHolds(Path directory, WeightFormat format, int fileCount, int warnings)
      throws IOException {
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(directory)) {
      assertEquals(format, checkpoint.format());
      assertEquals(fileCount, checkpoint.files().size());
      assertEquals(warnings, checkpoint.warnings().size(), checkpoint.warnings().toString());
      assertEquals(TENSORS.size(), checkpoint.tensors().size());
      for (TensorInfo tensor : TENSORS) {
        assertEquals(tensor, checkpoint.find(tensor.name()));
        assertArrayEquals(bytesOf(tensor), read(checkpoint, tensor.name()));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void readsBackEveryNumberOfShards(WeightFormat format) throws IOException {
    for (int shards = 1; shards <= TENSORS.size(); shards++) {
      Path directory = temporary.resolve("model" + shards);
      List<Path> files =
          HuggingFaceWriter.create(directory, format, new ShardRule.Count(shards))
              .write(TENSORS, CONTENT);
      assertEquals(shards, files.size());
      assertEquals(shards + (shards > 1 ? 1 : 0), names(directory).size());
      assertHolds(directory, format, shards);
    }
    assertEquals(TENSORS.size(), names(temporary).size(), "nothing is left beside");
  }

  @Test
  void namesShardsAsTheGuideDoes() throws IOException {
    Path directory = temporary.resolve("model");
    HuggingFaceWriter.create(directory, WeightFormat.TORCH, new ShardRule.Count(2))
        .write(TENSORS, CONTENT);
    assertEquals(
        List.of(
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
            "pytorch_model.bin.index.json"),
        names(directory));
  }

  @Test
  void refusesMoreShardsThanTensorsAndLeavesNothing() throws IOException {
    HuggingFaceWriter writer =
        HuggingFaceWriter.create(
            temporary.resolve("model"), WeightFormat.TORCH, new ShardRule.Count(5));
    assertThrows(IllegalArgumentException.class, () -> writer.write(TENSORS, CONTENT));
    assertEquals(List.of(), names(temporary));
  }

  @Test
  void failedWriteLeavesNothing() throws IOException {
    HuggingFaceWriter writer =
        HuggingFaceWriter.create(
            temporary.resolve("model"), WeightFormat.TORCH, new ShardRule.Count(3));
    TensorContent failing =
        (tensor, out) -> {
          if (tensor.name().equals("lm_head.weight")) {
            throw new IOException("cannot be read");
          }
          CONTENT.write(tensor, out);
        };
    assertThrows(IOException.class, () -> writer.write(TENSORS, failing));
    assertEquals(List.of(), names(temporary));
  }

  @Test
  void namesTheFileForWhichTheDiskIsFull() throws IOException {
    for (WeightFormat format : WeightFormat.values()) {
      for (String full :
          List.of(format.shardFile(2, 2), format.indexFile(), "config.json", "tokenizer.model")) {
        HuggingFaceWriter writer =
            HuggingFaceWriter.create(temporary.resolve("model"), format, new ShardRule.Count(2))
                .file("config.json", new byte[] {1})
                .file("tokenizer.model", new byte[] {2});
        // What is written beside this file goes to a device without room.
        Path link = temporary.resolve(".model.tmp").resolve("." + full + ".tmp");
        TensorContent content =
            (tensor, out) -> {
              if (tensor.equals(TENSORS.get(0))) {
                Files.createSymbolicLink(link, Path.of("/dev/full"));
              }
              CONTENT.write(tensor, out);
            };
        CheckpointWriteException e =
            assertThrows(CheckpointWriteException.class, () -> writer.write(TENSORS, content));
        assertEquals(full, e.file().getFileName().toString());
        assertEquals(0, e.byteOffset());
        assertTrue(String.valueOf(e.getMessage()).contains(full + ": cannot write at byte 0: "));
        assertEquals(List.of(), names(temporary));
      }
    }
  }

  @Test
  void refusesADirectoryThatHoldsFiles() throws IOException {
    Path directory = Files.createDirectory(temporary.resolve("model"));
    Files.writeString(directory.resolve("notes.txt"), "mine");
    HuggingFaceWriter writer =
        HuggingFaceWriter.create(directory, WeightFormat.TORCH, new ShardRule.Count(1));
    assertThrows(FileAlreadyExistsException.class, () -> writer.write(TENSORS, CONTENT));
    assertEquals(List.of("notes.txt"), names(directory));
    assertEquals(List.of("model"), names(temporary));
  }

  @Test
  void followsASymbolicLinkAndKeepsIt() throws IOException {
    Path real = Files.createDirectory(temporary.resolve("real"));
    Path link = Files.createSymbolicLink(temporary.resolve("model"), real);
    HuggingFaceWriter.create(link, WeightFormat.TORCH, new ShardRule.Count(1))
        .write(TENSORS, CONTENT);
    assertTrue(Files.isSymbolicLink(link));
    assertHolds(real, WeightFormat.TORCH, 1);
    Files.createSymbolicLink(temporary.resolve(".other.tmp"), real);
    HuggingFaceWriter other =
        HuggingFaceWriter.create(
            temporary.resolve("other"), WeightFormat.TORCH, new ShardRule.Count(1));
    assertThrows(FileAlreadyExistsException.class, () -> other.write(TENSORS, CONTENT));
    assertHolds(real, WeightFormat.TORCH, 1);
  }

  @Test
  void copiesCompanionsButNoWeights() throws IOException {
    Path reference = Files.createDirectory(temporary.resolve("reference"));
    for (String name :
        List.of(
            "config.json",
            "tokenizer.model",
            "modeling_x.py",
            "README.md",
            "model.safetensors",
            "pytorch_model.bin.index.json",
            "other.bin",
            ".gitattributes")) {
      Files.writeString(reference.resolve(name), "old");
    }
    Path directory = temporary.resolve("model");
    HuggingFaceWriter.create(directory, WeightFormat.SAFETENSORS, new ShardRule.Count(1))
        .companionsFrom(reference)
        .file("config.json", "new".getBytes(StandardCharsets.UTF_8))
        .write(TENSORS, CONTENT);
    assertEquals(
        List.of(
            "README.md", "config.json", "model.safetensors", "modeling_x.py", "tokenizer.model"),
        names(directory));
    assertEquals("new", Files.readString(directory.resolve("config.json")));
    assertEquals("old", Files.readString(directory.resolve("tokenizer.model")));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            HuggingFaceWriter.create(directory, WeightFormat.TORCH, new ShardRule.Count(1))
                .file("../x", new byte[0]));
  }

  @Test
  void refusesAnIndexThatContradictsTheShards() throws IOException {
    Path directory = temporary.resolve("model");
    HuggingFaceWriter.create(directory, WeightFormat.SAFETENSORS, new ShardRule.Count(2))
        .write(TENSORS, CONTENT);
    Path index = directory.resolve("model.safetensors.index.json");
    String good = Files.readString(index);
    for (String bad :
        List.of(
            "",
            "{}",
            "[]",
            good.substring(0, good.length() / 2),
            good + "{}",
            good.replace("model.norm.weight", "model.norm.bias"),
            good.replace("model-00002-of-00002.safetensors", "../x.safetensors"),
            good.replace("\"model-00002-of-00002.safetensors\"", "2"),
            good.replace("model.norm.weight", "lm_head.weight"))) {
      Files.writeString(index, bad);
      assertThrows(
          CorruptCheckpointException.class, () -> HuggingFaceCheckpoint.open(directory), bad);
    }
    Files.writeString(
        index,
        good.replaceFirst("\"total_size\" : ?[0-9]+|\"total_size\": [0-9]+", "\"total_size\": 1"));
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(directory)) {
      assertEquals(1, checkpoint.warnings().size());
    }
    Files.writeString(index, good);
    Files.delete(directory.resolve("model-00002-of-00002.safetensors"));
    assertThrows(NoSuchFileException.class, () -> HuggingFaceCheckpoint.open(directory));
    Files.delete(index);
    assertThrows(NoSuchFileException.class, () -> HuggingFaceCheckpoint.open(directory));
  }

  /** A zero byte near the start makes a JSON reader take the rest for UTF-16 or UTF-32. */
  @ParameterizedTest
  @ValueSource(strings = {"{ }\0 \0\0\0", "{\0\0\0\0\0!t", "\0\0\0{\0\0", "{\0\"\0", "\u00ff{}"})
  void refusesAnIndexInAnotherEncoding(String text) throws IOException {
    Path index = temporary.resolve("model.safetensors.index.json");
    Files.writeString(index, text, StandardCharsets.ISO_8859_1);
    CorruptCheckpointException refused =
        assertThrows(CorruptCheckpointException.class, () -> HuggingFaceCheckpoint.open(temporary));
    assertEquals(index, refused.file());
  }

  @Test
  void prefersTheFormatsInTheOrderOfTransformers() throws IOException {
    Path directory = temporary.resolve("model");
    HuggingFaceWriter.create(directory, WeightFormat.TORCH, new ShardRule.Count(2))
        .write(TENSORS, CONTENT);
    assertHolds(directory, WeightFormat.TORCH, 2);
    SafetensorsWriter.write(directory.resolve("model.safetensors"), TENSORS, Map.of(), CONTENT);
    assertHolds(directory, WeightFormat.SAFETENSORS, 1);
  }

  /** New names for files and, in the index, for what it names. */
  private Path renamed(WeightFormat format, int shards, boolean index, String from, String to)
      throws IOException {
    Path directory = temporary.resolve("renamed" + format + shards + index + to.hashCode());
    HuggingFaceWriter.create(directory, format, new ShardRule.Count(shards))
        .write(TENSORS, CONTENT);
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".json")) {
          String text = Files.readString(file).replaceAll(from, to);
          Files.delete(file);
          if (index) {
            Files.writeString(directory.resolve(name.replace(".json", ".fp16.json")), text);
          }
        } else {
          Files.move(file, directory.resolve(name.replaceAll(from, to)));
        }
      }
    }
    return directory;
  }

  @ParameterizedTest
  @EnumSource(WeightFormat.class)
  void findsOddNamesIfOnlyOneCanBeMeant(WeightFormat format) throws IOException {
    String stem = format.stem();
    Path variant = renamed(format, 1, false, "^" + stem, stem + ".fp16");
    Path shards = renamed(format, 3, false, "-0000(\\d)-of-00003", "-$1-of-3");
    Path index = renamed(format, 3, true, "-0000(\\d)-of-00003", ".fp16-0000$1-of-00003");
    for (Path directory : List.of(variant, shards, index)) {
      assertHolds(directory, format, directory.equals(variant) ? 1 : 3, 1);
    }
    Files.copy(
        variant.resolve(stem + ".fp16" + format.extension()),
        variant.resolve(stem + ".bf16" + format.extension()));
    CorruptCheckpointException two =
        assertThrows(CorruptCheckpointException.class, () -> HuggingFaceCheckpoint.open(variant));
    assertTrue(two.found().contains(".fp16") && two.found().contains(".bf16"), two.found());
    Files.delete(shards.resolve(stem + "-2-of-3" + format.extension()));
    assertThrows(NoSuchFileException.class, () -> HuggingFaceCheckpoint.open(shards));
    Files.delete(index.resolve(stem + ".fp16-00002-of-00003" + format.extension()));
    assertThrows(NoSuchFileException.class, () -> HuggingFaceCheckpoint.open(index));
  }

  @Test
  void refusesATensorThatTwoUnindexedFilesHold() throws IOException {
    Path directory = renamed(WeightFormat.SAFETENSORS, 3, false, "-0000(\\d)-of-00003", "-$1-of-3");
    Files.copy(
        directory.resolve("model-1-of-3.safetensors"),
        directory.resolve("model-2-of-3.safetensors"),
        StandardCopyOption.REPLACE_EXISTING);
    assertThrows(CorruptCheckpointException.class, () -> HuggingFaceCheckpoint.open(directory));
  }

  @Test
  void dealsOutBySizeAsTransformersDoes() {
    List<TensorInfo> tensors = new ArrayList<>();
    for (long size : new long[] {10, 95, 40, 50, 200, 10, 1}) {
      tensors.add(new TensorInfo("t" + tensors.size(), DataType.U8, List.of(size)));
    }
    List<List<String>> shards =
        ShardPlan.of(tensors, new ShardRule.MaxSize(100)).stream()
            .map(shard -> shard.stream().map(TensorInfo::name).toList())
            .toList();
    assertEquals(
        List.of(
            List.of("t0"), List.of("t1"), List.of("t4"), List.of("t2", "t3", "t5"), List.of("t6")),
        shards);
  }

  @Test
  void dealsOutByCountWithoutEmptyShards() {
    Random random = new Random(1);
    for (int round = 0; round < 500; round++) {
      List<TensorInfo> tensors = new ArrayList<>();
      int count = 1 + random.nextInt(12);
      for (int i = 0; i < count; i++) {
        tensors.add(
            new TensorInfo(
                "t" + i, DataType.U8, List.of((long) random.nextInt(1 << random.nextInt(20)))));
      }
      int shardCount = 1 + random.nextInt(count);
      List<List<TensorInfo>> shards = ShardPlan.of(tensors, new ShardRule.Count(shardCount));
      assertEquals(shardCount, shards.size());
      assertTrue(shards.stream().noneMatch(List::isEmpty));
      assertEquals(tensors, shards.stream().flatMap(List::stream).toList());
    }
    List<TensorInfo> equal =
        Collections.nCopies(8, new TensorInfo("t", DataType.F32, List.of(100L)));
    assertEquals(
        List.of(2, 2, 2, 2),
        ShardPlan.of(equal, new ShardRule.Count(4)).stream().map(List::size).toList());
  }

  @Test
  void parsesSizes() {
    assertEquals(5_000_000_000L, ShardRule.MaxSize.parse("5GB").bytes());
    assertEquals(1_500L, ShardRule.MaxSize.parse("1.5kb").bytes());
    assertEquals(1234L, ShardRule.MaxSize.parse("1234").bytes());
    for (String bad : List.of("", "GB", "-1GB", "1XB", "0", "99999999999999TB")) {
      assertThrows(IllegalArgumentException.class, () -> ShardRule.MaxSize.parse(bad), bad);
    }
  }

  @TestFactory
  @Tag("shared")
  List<DynamicTest> rewritesDirectoriesOfTransformersByteForByte() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path index : SharedFiles.golden("hf", ".index.json")) {
      Path directory = Objects.requireNonNull(index.getParent());
      tests.add(DynamicTest.dynamicTest(directory.toString(), () -> rewrite(directory)));
    }
    return tests;
  }

  private void rewrite(Path directory) throws IOException {
    Path copy = Files.createTempDirectory(temporary, "copy");
    try (HuggingFaceCheckpoint source = HuggingFaceCheckpoint.open(directory)) {
      assertEquals(List.of(), source.warnings());
      assertFalse(source.tensors().isEmpty());
      HuggingFaceWriter.create(copy, WeightFormat.TORCH, new ShardRule.Count(3))
          .companionsFrom(directory)
          .write(source.tensors(), TensorContent.copyOf(source));
      try (HuggingFaceCheckpoint again = HuggingFaceCheckpoint.open(copy)) {
        assertEquals(source.tensors().size(), again.tensors().size());
        for (TensorInfo tensor : source.tensors()) {
          assertEquals(tensor, again.find(tensor.name()));
          assertTrue(
              Arrays.equals(read(source, tensor.name()), read(again, tensor.name())),
              tensor.name());
        }
      }
      if (source.format() == WeightFormat.SAFETENSORS) {
        assertSameSafetensors(directory, source);
      }
    }
  }

  /** Dealt out as in the original, every shard and the index must come out byte for byte. */
  private void assertSameSafetensors(Path directory, HuggingFaceCheckpoint source)
      throws IOException {
    ShardIndex index = ShardIndex.read(directory.resolve("model.safetensors.index.json"));
    assertArrayEquals(
        Files.readAllBytes(directory.resolve("model.safetensors.index.json")), index.toJson());
    for (Path file : source.files()) {
      List<TensorInfo> tensors = new ArrayList<>();
      for (String name : index.tensorsOf(file.getFileName().toString())) {
        tensors.add(source.get(name));
      }
      Collections.shuffle(tensors, new Random(1));
      Path copy = temporary.resolve("copy.safetensors");
      SafetensorsWriter.write(copy, tensors, Map.of("format", "pt"), TensorContent.copyOf(source));
      assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(copy), file.toString());
    }
  }
}
