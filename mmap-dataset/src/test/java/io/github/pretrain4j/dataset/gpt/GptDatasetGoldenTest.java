package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.github.pretrain4j.dataset.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Samples and cache files against those that Megatron itself made. */
@SuppressWarnings("unchecked") // maps and lists of a JSON file whose shape is known
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class GptDatasetGoldenTest {
  private static final List<String> SPLITS = List.of("train", "valid", "test");

  @TempDir Path temporary;

  @TestFactory
  List<DynamicTest> servesMegatronsSamplesAndWritesItsCaches() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path root : Golden.roots()) {
      for (String version : List.of("head", "v060")) {
        Path cases = root.resolve("gptdata").resolve("cases_" + version + ".json");
        for (Object each : (List<Object>) Golden.json(cases)) {
          Case golden = new Case(root, version.equals("v060"), (Map<String, Object>) each);
          if (Files.isDirectory(golden.folder())) {
            tests.add(dynamicTest(root.getParent() + " " + golden.name(), () -> check(golden)));
          }
        }
      }
    }
    return tests;
  }

  /** One entry of a cases file. */
  private record Case(Path root, boolean core06, Map<String, Object> entry) {
    String name() {
      return (String) entry.get("name");
    }

    Path folder() {
      return root.resolve("gptdata").resolve(name());
    }

    Map<String, Object> config() {
      return (Map<String, Object>) entry.get("config");
    }

    SampleSplits build(Path cache) throws IOException {
      Function<String, Path> locate = path -> root.resolve("gptdata").resolve(path).normalize();
      List<Object> perSplit = (List<Object>) config().get("blend_per_split");
      if (perSplit != null) {
        Blend.PerSplit blends =
            new Blend.PerSplit(
                blend(perSplit.get(0)), blend(perSplit.get(1)), blend(perSplit.get(2)));
        return SampleSplits.buildPerSplit(locate, blends, dataset(cache), samples());
      }
      return SampleSplits.build(locate, blend(config().get("blend")), dataset(cache), samples());
    }

    /** Prefixes and weights, or the arguments of core 0.6. */
    private Blend blend(Object blend) {
      if (core06) {
        return Blend.parse((List<String>) blend);
      }
      List<String> prefixes = (List<String>) ((List<Object>) blend).get(0);
      List<Double> weights = (List<Double>) ((List<Object>) blend).get(1);
      List<Blend.Member> members = new ArrayList<>();
      for (int i = 0; i < prefixes.size(); i++) {
        members.add(new Blend.Member(prefixes.get(i), weights == null ? null : weights.get(i)));
      }
      return new Blend(members);
    }

    GptDatasetConfig dataset(Path cache) {
      List<String> tokenizer = (List<String>) entry.get("tokenizer_arguments");
      String type = tokenizer.get(1);
      String argument = tokenizer.get(3);
      TokenizerDescription description =
          switch (type) {
            case "NullTokenizer" -> TokenizerDescription.nullTokenizer(Integer.parseInt(argument));
            case "SentencePieceTokenizer" -> TokenizerDescription.sentencePiece(argument);
            case "GPTSentencePieceTokenizer" ->
                TokenizerDescription.sentencePieceOfCore06(argument);
            default -> throw new IllegalStateException(type);
          };
      int pad = argument.contains("usersym") ? 3 : GptDatasetConfig.NO_PAD;
      return GptDatasetConfig.of(
              (long) config().get("random_seed"),
              Math.toIntExact((long) config().get("sequence_length")),
              (String) config().get("split"))
          .withCache(cache, description)
          .withRules(core06 ? MegatronRules.CORE_0_6 : MegatronRules.CURRENT)
          .withEod(
              Math.toIntExact((long) entry.get("eod_id")),
              (boolean) config().get("reset_position_ids"),
              (boolean) config().get("reset_attention_mask"),
              (boolean) config().get("eod_mask_loss"))
          .withEnds(
              pad,
              (boolean) config().getOrDefault("add_extra_token_to_sequence", true),
              (boolean) config().getOrDefault("drop_last_partial_validation_sequence", true));
    }

    long[] samples() {
      return ((List<@Nullable Object>) entry.get("sizes_train_valid_test"))
          .stream().mapToLong(n -> n == null ? GptDataset.ONE_EPOCH : (long) n).toArray();
    }
  }

  private void check(Case golden) throws IOException {
    Path cache = temporary.resolve(golden.root().hashCode() + golden.name());
    try (SampleSplits splits = golden.build(cache)) {
      checkSamples(golden, splits);
    }
    checkCache(golden, cache);
    // Once more, from Megatron's own files.
    try (SampleSplits splits = golden.build(golden.folder().resolve("cache"))) {
      checkSamples(golden, splits);
    }
  }

  private static void checkSamples(Case golden, SampleSplits splits) throws IOException {
    List<@Nullable SampleDataset> datasets =
        Arrays.asList(splits.train(), splits.valid(), splits.test());
    Map<String, Object> expected = (Map<String, Object>) golden.entry().get("splits");
    for (int i = 0; i < SPLITS.size(); i++) {
      Map<String, Object> split = (Map<String, Object>) expected.get(SPLITS.get(i));
      SampleDataset dataset = datasets.get(i);
      if (split == null) {
        assertNull(dataset);
        continue;
      }
      assertNotNull(dataset);
      assertEquals(split.get("class").equals("BlendedDataset"), dataset instanceof BlendedDataset);
      assertEquals(split.get("length"), dataset.size());
      int saved = Math.toIntExact((long) split.get("samples_saved"));
      checkSaved(golden.folder().resolve(SPLITS.get(i)), dataset, saved);
      List<Object> datasetIds = (List<Object>) split.get("dataset_id");
      if (datasetIds != null) {
        for (int k = 0; k < saved; k++) {
          assertEquals(datasetIds.get(k), (long) ((BlendedDataset) dataset).datasetOf(k));
        }
      }
      List<Object> last = (List<Object>) split.get("last_sample_tokens");
      if (last != null) {
        assertArrayEquals(
            last.stream().mapToInt(id -> Math.toIntExact((long) id)).toArray(),
            dataset.sample(dataset.size() - 1).tokens());
      }
    }
  }

  private static void checkSaved(Path stem, SampleDataset dataset, int saved) throws IOException {
    int[] tokens = Golden.npy(Path.of(stem + "_tokens.npy"));
    int[] labels = Golden.npy(Path.of(stem + "_labels.npy"));
    int[] positions = Golden.npy(Path.of(stem + "_position_ids.npy"));
    int[] lossMask = Golden.npy(Path.of(stem + "_loss_mask.npy"));
    Path attentionFile = Path.of(stem + "_attention_mask_first3.npy");
    int[] attention = Files.exists(attentionFile) ? Golden.npy(attentionFile) : new int[0];
    for (int i = 0; i < saved; i++) {
      GptSample sample = dataset.sample(i);
      int length = sample.tokens().length;
      int from = i * length;
      assertArrayEquals(Arrays.copyOfRange(tokens, from, from + length), sample.tokens());
      assertArrayEquals(Arrays.copyOfRange(labels, from, from + length), sample.labels());
      assertArrayEquals(Arrays.copyOfRange(positions, from, from + length), sample.positionIds());
      for (int row = 0; row < length; row++) {
        assertEquals(lossMask[from + row], sample.lossMask()[row]);
        for (int column = 0; column < length; column++) {
          int at = (from + row) * length + column;
          if (at < attention.length) {
            boolean seen = column <= row && column >= sample.attentionStarts()[row];
            assertEquals(attention[at], seen ? 0 : 1);
          }
        }
      }
    }
  }

  private static void checkCache(Case golden, Path cache) throws IOException {
    TreeSet<String> expected = new TreeSet<>();
    for (Object file : (List<Object>) golden.entry().get("cache_files")) {
      String name = (String) file;
      expected.add(name);
      assertArrayEquals(
          Files.readAllBytes(golden.folder().resolve("cache").resolve(name)),
          Files.readAllBytes(cache.resolve(name)),
          name);
    }
    try (Stream<Path> files = Files.list(cache)) {
      TreeSet<String> found = new TreeSet<>();
      files.forEach(file -> found.add(file.getFileName().toString()));
      assertEquals(expected, found);
    }
  }
}
