package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.Damage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class BlendTest {
  @TempDir Path temporary;

  @BeforeEach
  void corpora() throws IOException {
    Corpora.a(temporary);
    Corpora.b(temporary);
  }

  private static Blend blend(String arguments) {
    return Blend.parse(List.of(arguments.split(" ")));
  }

  private Path cache() {
    return temporary.resolve("cache");
  }

  private GptDatasetConfig config(String split) {
    return GptDatasetConfig.of(1234, 8, split)
        .withCache(cache(), TokenizerDescription.nullTokenizer(1000));
  }

  private void assertIndex(String hash, String split, String... md5s)
      throws IOException, GeneralSecurityException {
    String stem = hash + "-BlendedDataset-" + split + "-";
    List<String> found = new ArrayList<>();
    for (String name : List.of("dataset_index.npy", "dataset_sample_index.npy")) {
      byte[] bytes = Files.readAllBytes(cache().resolve(stem + name));
      found.add(HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(bytes)));
    }
    assertEquals(List.of(md5s), found);
  }

  @Test
  void vectorOfAWeightedBlend() throws IOException, GeneralSecurityException {
    try (SampleSplits splits =
        SampleSplits.build(
            temporary::resolve,
            blend("30 A_text_document 70 B_text_document"),
            config("80,10,10"),
            30,
            4,
            2)) {
      assertEquals(30, splits.train().size());
      assertEquals(5, splits.valid().size());
      assertEquals(3, splits.test().size());
      assertArrayEquals(new long[] {9, 21}, ((BlendedDataset) splits.train()).consumed(30));
      assertArrayEquals(new long[] {2, 3}, ((BlendedDataset) splits.train()).consumed(5));
    }
    assertIndex(
        "9129b8b210ef59094291e9e17108bf96",
        "train",
        "b52f93bea8b9328c50c1593dec4b8b50",
        "f0966b12e9caf430512c855f0c6a5f1d");
    assertIndex(
        "9035607329816350a4851ac24989b484",
        "valid",
        "a238f822a4b3259429d885a1d5bd219f",
        "d5d4aab51671e607cbe0fe64e130f3e6");
    assertIndex(
        "e4e6a384ea773e219d7df38fb39bcb67",
        "test",
        "1b14a655b0ea6cd5297da6fa5a090e57",
        "99a73736bbac0bf7498e65c217254ea6");
    for (String hash :
        List.of(
            "f453283352c417f39cdf3b2e8ed52b69-GPTDataset-train",
            "b61e46798cf12c3e339756849010533a-GPTDataset-train",
            "be5acbc602fc00c80ad4b1ffa9d2ce82-GPTDataset-valid",
            "8541fec9a4392df6fb851baab3af965a-GPTDataset-valid",
            "4e1796c13d62f56bea5c5006bb840b6e-GPTDataset-test",
            "23edd04f8c025f725ab81f971e0fd77a-GPTDataset-test")) {
      assertTrue(Files.exists(cache().resolve(hash + "-description.txt")), hash);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "20, 20, 7945da7b94d5ddc199da9470df700208",
    "-1, 33, c6546cc594fa6f04e0c249b724f009f1",
    "1000, 33, a478e70361ab6ec18c99d711e7aa3d02"
  })
  void vectorsOfWeightlessBlends(long samples, long size, String hash) throws IOException {
    try (SampleSplits splits =
        SampleSplits.build(
            temporary::resolve,
            blend("A_text_document B_text_document"),
            config("100,0,0"),
            samples,
            0,
            0)) {
      BlendedDataset train = (BlendedDataset) splits.train();
      assertEquals(size, train.size());
      assertNull(splits.valid());
      assertEquals(hash, IndexCache.hash(train.description()));
      int[] order = {
        0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0,
        1, 0
      };
      for (int i = 0; i < size; i++) {
        assertEquals(order[i], train.datasetOf(i));
      }
    }
  }

  @Test
  void readsMegatronsArguments() {
    assertEquals(
        new Blend(List.of(new Blend.Member("a", 30.0), new Blend.Member("b", 0.5))),
        Blend.parse(List.of("30", " a ", "5e-1", "b")));
    assertEquals(
        List.of("30", "a", "70"),
        Blend.parse(List.of("30", "a", "70")).members().stream()
            .map(Blend.Member::prefix)
            .toList());
    assertEquals(
        List.of("a", "b"),
        Blend.parse(List.of("a", "b")).members().stream().map(Blend.Member::prefix).toList());
    // As in Megatron, where only a weight after a prefix without one is found out.
    assertNull(Blend.parse(List.of("30", "a", "b", "c")).members().get(0).weight());
    assertThrows(IllegalArgumentException.class, () -> Blend.parse(List.of("a", "b", "30", "c")));
    assertEquals(10.0, Blend.parse(List.of("1_0", "a")).members().get(0).weight());
    for (String bad : List.of("0", "-1", "nan", "inf", "Infinity")) {
      assertThrows(
          IllegalArgumentException.class, () -> Blend.parse(List.of(bad, "a", "1", "b")), bad);
    }
    // Not numbers to Python: prefixes then.
    assertEquals(2, Blend.parse(List.of("1d", "a")).members().size());
    assertEquals(2, Blend.parse(List.of("0x1p3", "a")).members().size());
    assertThrows(IllegalArgumentException.class, () -> Blend.parse(List.of()));
  }

  @Test
  void readsArgumentFiles() throws IOException {
    Path words = Files.writeString(temporary.resolve("words"), " 30 a\n\t70  b \n");
    assertEquals(Blend.parse(List.of("30", "a", "70", "b")), Blend.read(words));
    Path json =
        Files.writeString(
            temporary.resolve("json"),
            "{\"train\": [\"1\", \"a\", \"2\", \"b\"], \"valid\": \"c d\", \"test\": null}");
    Blend.PerSplit blends = Blend.readPerSplit(json);
    assertEquals(Blend.parse(List.of("1", "a", "2", "b")), blends.train());
    assertEquals(Blend.parse(List.of("c", "d")), blends.valid());
    assertNull(blends.test());
    for (String bad :
        List.of(
            "",
            "[]",
            "{\"train\": 3, \"valid\": null, \"test\": null}",
            "{\"train\": [3], \"valid\": null, \"test\": null}",
            "{\"train\": null, \"valid\": null}",
            "{\"train\": null, \"valid\": null, \"test\": null, \"tset\": null}",
            "{\"train\": nul")) {
      Files.writeString(json, bad);
      assertThrows(CorruptDatasetException.class, () -> Blend.readPerSplit(json), bad);
    }
  }

  @Test
  void weightsNeedANumberOfSamples() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            SampleSplits.build(
                temporary::resolve,
                blend("1 A_text_document 2 B_text_document"),
                config("1"),
                GptDataset.ONE_EPOCH,
                0,
                0));
  }

  @Test
  void aValidationSetForEachDataset() throws IOException {
    Blend blend =
        blend(temporary.resolve("A_text_document") + " " + temporary.resolve("B_text_document"));
    List<GptDataset> sets =
        SampleSplits.validationSets(
            blend, GptDatasetConfig.of(1234, 8, null), GptDataset.ONE_EPOCH);
    assertEquals(19, sets.get(0).size());
    assertEquals(14, sets.get(1).size());
    sets.forEach(GptDataset::close);
  }

  private SampleSplits build(long samples) throws IOException {
    return SampleSplits.build(
        temporary::resolve,
        blend("30 A_text_document 70 B_text_document"),
        config("1"),
        samples,
        0,
        0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"description.txt", "dataset_index.npy", "dataset_sample_index.npy"})
  void aDamagedCacheIsAnErrorNotAnotherOrder(String name) throws IOException {
    List<GptSample> right = new ArrayList<>();
    try (SampleSplits splits = build(60)) {
      for (int i = 0; i < splits.train().size(); i++) {
        right.add(splits.train().sample(i));
      }
    }
    Path file;
    try (Stream<Path> files = Files.list(cache())) {
      file =
          files
              .filter(each -> each.toString().contains("Blended"))
              .filter(each -> each.toString().endsWith("-" + name))
              .findFirst()
              .orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(file);
    for (Damage damage : Damage.values()) {
      Files.write(file, damage.apply(bytes, new Random(1)));
      CorruptDatasetException e =
          assertThrows(CorruptDatasetException.class, () -> build(60), damage.name());
      assertEquals(file, e.file());
    }
    Random random = new Random(2);
    for (int flip = 0; flip < 100; flip++) {
      int bit = random.nextInt(8 * bytes.length);
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << (bit % 8));
      Files.write(file, damaged);
      try (SampleSplits splits = build(60)) {
        for (int i = 0; i < right.size(); i++) {
          assertArrayEquals(right.get(i).tokens(), splits.train().sample(i).tokens(), "bit " + bit);
        }
      } catch (CorruptDatasetException e) {
        assertEquals(
            file.getFileName().toString().replaceAll("-[a-z_]*\\..*", ""),
            e.file().getFileName().toString().replaceAll("-[a-z_]*\\..*", ""));
      }
    }
    Files.delete(file);
    build(60).close();
    assertArrayEquals(bytes, Files.readAllBytes(file));
  }

  /** What a writer leaves that was killed: files beside, a lock that nobody holds. */
  @Test
  void whatAKilledBuilderLeavesIsNoCache() throws IOException {
    build(60).close();
    List<Path> files;
    try (Stream<Path> list = Files.list(cache())) {
      files = list.sorted().toList();
    }
    List<byte[]> contents = new ArrayList<>();
    for (Path file : files) {
      contents.add(Files.readAllBytes(file));
    }
    for (Path file : files) {
      Files.move(file, file.resolveSibling(file.getFileName() + ".0123456789abcdef.partial"));
      String stem = file.getFileName().toString().replaceAll("-[a-z_]*\\.(npy|txt)$", "-");
      Files.write(
          file.resolveSibling(stem + "building.lock"), "left".getBytes(StandardCharsets.UTF_8));
      build(60).close();
      for (int i = 0; i < files.size(); i++) {
        assertArrayEquals(contents.get(i), Files.readAllBytes(files.get(i)));
      }
      try (Stream<Path> list = Files.list(cache())) {
        assertTrue(list.noneMatch(each -> each.toString().endsWith(".lock")));
      }
    }
  }

  @Test
  void manyBuildersLeaveOneCache() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Long>> builders = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        builders.add(
            () -> {
              try (SampleSplits splits = build(500)) {
                return splits.train().size();
              }
            });
      }
      for (Future<Long> future : threads.invokeAll(builders)) {
        assertEquals(500, future.get());
      }
    } finally {
      threads.shutdown();
    }
    TreeSet<String> ends = new TreeSet<>();
    try (Stream<Path> files = Files.list(cache())) {
      files.forEach(file -> ends.add(file.getFileName().toString().substring(33)));
      assertEquals(7, ends.size(), ends.toString());
    }
    assertNotNull(ends.floor("BlendedDataset-train-description.txt"));
  }

  /** Megatron's names say neither whether samples share a token nor what a dataset holds. */
  @Test
  void aCacheOfOtherSamplesOrAnotherDatasetIsAnError() throws IOException {
    Blend a = blend("A_text_document");
    SampleSplits.build(temporary::resolve, a, config("1"), 40, 0, 0).close();
    CorruptDatasetException otherSamples =
        assertThrows(
            CorruptDatasetException.class,
            () ->
                SampleSplits.build(
                    temporary::resolve, a, config("1").withEnds(-1, false, true), 40, 0, 0));
    assertTrue(otherSamples.getMessage().contains("delete the file"), otherSamples.getMessage());
    // As many sequences and tokens, in another order.
    Corpora.write(
        temporary.resolve("A_text_document"),
        20,
        i -> 3 + 7 * (19 - i) % 11,
        (i, k) -> (31 * i + k) % 900);
    CorruptDatasetException rewritten =
        assertThrows(
            CorruptDatasetException.class,
            () -> SampleSplits.build(temporary::resolve, a, config("1"), 40, 0, 0));
    assertTrue(rewritten.file().toString().endsWith("sample_index.npy"));
  }

  @Test
  void anUnwritableCacheIsAClearErrorAndAReadableOneIsEnough() throws IOException {
    Path file = Files.writeString(temporary.resolve("file"), "no directory");
    GptDatasetConfig config =
        GptDatasetConfig.of(1, 8, "1").withCache(file, TokenizerDescription.NONE);
    assertThrows(
        IOException.class,
        () -> SampleSplits.build(temporary::resolve, blend("A_text_document"), config, 9, 0, 0));
  }

  /** Entries of 64 bits, as some releases and very large datasets have them. */
  @Test
  void readsSampleIndicesOf64Bits() throws IOException {
    List<int[]> right = new ArrayList<>();
    Blend a = blend("A_text_document");
    try (SampleSplits splits = SampleSplits.build(temporary::resolve, a, config("1"), 40, 0, 0)) {
      for (int i = 0; i < splits.train().size(); i++) {
        right.add(splits.train().sample(i).tokens());
      }
    }
    List<Path> arrays;
    try (Stream<Path> files = Files.list(cache())) {
      arrays = files.filter(each -> each.toString().matches(".*-s[ah].*_index.npy")).toList();
    }
    assertEquals(2, arrays.size());
    for (Path file : arrays) {
      byte[] bytes = Files.readAllBytes(file);
      String dict = new String(bytes, 0, 128, StandardCharsets.ISO_8859_1);
      byte[] wide = new byte[128 + 2 * (bytes.length - 128)];
      byte[] header = dict.replaceAll("<[iu]4", "<i8").getBytes(StandardCharsets.ISO_8859_1);
      System.arraycopy(header, 0, wide, 0, 128);
      for (int i = 0; i < (bytes.length - 128) / 4; i++) {
        System.arraycopy(bytes, 128 + 4 * i, wide, 128 + 8 * i, 4);
      }
      Files.write(file, wide);
    }
    try (SampleSplits splits = SampleSplits.build(temporary::resolve, a, config("1"), 40, 0, 0)) {
      for (int i = 0; i < right.size(); i++) {
        assertArrayEquals(right.get(i), splits.train().sample(i).tokens());
      }
    }
  }

  @Test
  void masksDocumentsByTheSequencesOfASample() throws IOException {
    GptDatasetConfig config =
        GptDatasetConfig.of(1234, 16, "100,0,0").withInterDocumentMasking(true);
    try (SampleSplits splits =
        SampleSplits.build(temporary::resolve, blend("A_text_document"), config, 9, 0, 0)) {
      GptSample sample = splits.train().sample(0);
      assertArrayEquals(new int[] {0, 1, 11, 15, 16}, sample.cuSeqlens());
      assertEquals(10, sample.maxSeqlen());
      assertArrayEquals(
          new int[] {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 0}, sample.positionIds());
      assertArrayEquals(
          new int[] {0, 1, 11, 15, 16, 17, 27, 31, 32},
          GptSample.cuSeqlens(List.of(sample, sample)));
    }
  }
}
