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
          if (golden.isSingleDataset()) {
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

    boolean isSingleDataset() {
      return paths() != null;
    }

    /** The dataset of each split; null for a blend, and for the blended split of a mixed case. */
    @Nullable String @Nullable [] paths() {
      List<Object> perSplit = (List<Object>) config().get("blend_per_split");
      if (perSplit != null) {
        return perSplit.stream().map(Case::only).toArray(String[]::new);
      }
      String path = core06 ? only(List.of(config().get("blend"))) : only(config().get("blend"));
      return path == null ? null : new @Nullable String[] {path, path, path};
    }

    private static @Nullable String only(Object blend) {
      List<Object> paths = (List<Object>) ((List<Object>) blend).get(0);
      return paths.size() == 1 ? (String) paths.get(0) : null;
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
          .withCache(
              cache,
              description,
              core06
                  ? GptDatasetConfig.CacheNaming.WITHOUT_SPLIT
                  : GptDatasetConfig.CacheNaming.WITH_SPLIT)
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
    @Nullable String[] paths = golden.paths();
    try (GptDataset.Splits splits = build(golden, cache)) {
      checkSamples(golden, splits, paths);
    }
    checkCache(golden, cache, paths);
    // Once more, from Megatron's own files.
    try (GptDataset.Splits splits = build(golden, golden.folder().resolve("cache"))) {
      checkSamples(golden, splits, paths);
    }
  }

  private static GptDataset.Splits build(Case golden, Path cache) throws IOException {
    return GptDataset.build(
        path -> golden.root().resolve("gptdata").resolve(path).normalize(),
        golden.paths(),
        golden.dataset(cache),
        golden.samples());
  }

  private static void checkSamples(Case golden, GptDataset.Splits splits, @Nullable String[] paths)
      throws IOException {
    List<@Nullable GptDataset> datasets =
        Arrays.asList(splits.train(), splits.valid(), splits.test());
    Map<String, Object> expected = (Map<String, Object>) golden.entry().get("splits");
    for (int i = 0; i < SPLITS.size(); i++) {
      Map<String, Object> split = (Map<String, Object>) expected.get(SPLITS.get(i));
      GptDataset dataset = datasets.get(i);
      if (paths[i] == null || split == null) {
        assertNull(dataset);
        continue;
      }
      assertNotNull(dataset);
      assertEquals(split.get("length"), dataset.size());
      int saved = Math.toIntExact((long) split.get("samples_saved"));
      checkSaved(golden.folder().resolve(SPLITS.get(i)), dataset, saved);
      List<Object> last = (List<Object>) split.get("last_sample_tokens");
      assertArrayEquals(
          last.stream().mapToInt(id -> Math.toIntExact((long) id)).toArray(),
          dataset.sample(dataset.size() - 1).tokens());
    }
  }

  private static void checkSaved(Path stem, GptDataset dataset, int saved) throws IOException {
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

  private static void checkCache(Case golden, Path cache, @Nullable String[] paths)
      throws IOException {
    TreeSet<String> expected = new TreeSet<>();
    for (Object file : (List<Object>) golden.entry().get("cache_files")) {
      String name = (String) file;
      boolean blended =
          name.contains("Blended") || (paths[0] == null && name.contains("GPTDataset-train"));
      if (!blended) {
        expected.add(name);
        assertArrayEquals(
            Files.readAllBytes(golden.folder().resolve("cache").resolve(name)),
            Files.readAllBytes(cache.resolve(name)),
            name);
      }
    }
    try (Stream<Path> files = Files.list(cache)) {
      TreeSet<String> found = new TreeSet<>();
      files.forEach(file -> found.add(file.getFileName().toString()));
      assertEquals(expected, found);
    }
  }
}
