package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.Damage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class TrainingDataTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 15) : LongStream.of(replay);
  }

  private static Blend blend(String arguments) {
    return Blend.parse(List.of(arguments.split(" ")));
  }

  @ParameterizedTest
  @CsvSource({
    "30 A 70 B, 40",
    "A B, 20",
    "A B, 1000",
    "A B, -1",
    "A, 60",
    "A, -1",
    "5 A, 60",
    "1 A 1 A 2 B, 50"
  })
  void theFirstPhaseIsMegatronsDataset(String arguments, long samples) throws IOException {
    corpora();
    GptDatasetConfig config = GptDatasetConfig.of(1234, 8, "80,10,10");
    DataLedger ledger =
        DataLedger.start(config, blend(arguments), samples, BatchSchedule.constant(4));
    try (SampleSplits splits =
            SampleSplits.build(temporary::resolve, blend(arguments), config, samples, 0, 0);
        TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      SampleDataset train = splits.train();
      assertNotNull(train);
      assertEquals(train.size(), data.size());
      for (long i = 0; i < train.size(); i++) {
        assertArrayEquals(train.sample(i).tokens(), data.sample(i).tokens());
        assertEquals(train.origin(i), data.origin(i));
      }
    }
  }

  /** Whatever blends follow each other: every dataset gives its samples one after the other. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void aChangedBlendNeitherLosesNorRepeatsASample(long seed) throws IOException {
    corpora();
    Random random = new Random(seed);
    String[] blends = {"30 A 70 B", "A", "1 B 2 C", "2 C 1 A 1 B", "A C", "1 B", "1 A 1 A"};
    GptDatasetConfig config =
        GptDatasetConfig.of(seed, 1 + random.nextInt(9), random.nextBoolean() ? "9,1,0" : null);
    if (random.nextBoolean()) {
      config = config.withCache(temporary.resolve("cache"), TokenizerDescription.NONE);
    }
    int batch = 1 + random.nextInt(4);
    DataLedger ledger =
        DataLedger.start(
            config,
            blend(blends[random.nextInt(blends.length - 3)]),
            30 + random.nextInt(50),
            BatchSchedule.constant(batch));
    long iteration = 0;
    for (int change = 0; change < 3; change++) {
      try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
        long left = data.size() / batch - iteration;
        iteration += random.nextInt((int) left + 1);
        ledger =
            data.change(
                iteration,
                blend(blends[random.nextInt(blends.length)]),
                1 + random.nextInt(150),
                BatchSchedule.constant(batch));
      }
    }
    DataLedger stored = DataLedger.parse(ledger.json(), Path.of("ledger.json"));
    assertEquals(ledger, stored);
    try (TrainingData data = TrainingData.open(temporary::resolve, stored, config)) {
      Map<DataLedger.DatasetName, Long> counts = new HashMap<>();
      int phase = 0;
      for (long i = 0; i < data.size(); i++) {
        while (phase + 1 < ledger.phases().size()
            && ledger.phases().get(phase + 1).firstSample() <= i) {
          phase++;
        }
        for (DataLedger.DatasetState state : data.consumed(i)) {
          assertEquals(counts.getOrDefault(state.name(), 0L), state.consumed());
        }
        SampleOrigin origin = data.origin(i);
        DataLedger.DatasetName name =
            ledger.phases().get(phase).datasets().get(origin.dataset()).name();
        long place = counts.merge(name, 1L, Long::sum) - 1;
        GptDataset first = data.dataset(name);
        long epoch =
            (first.tokenCount() - (config.addExtraTokenToSequence() ? 1 : 0)) / config.seqLength();
        long beyond = place - first.size();
        assertEquals(beyond < 0 ? 0 : 1 + beyond / epoch, origin.pass());
        assertEquals(beyond < 0 ? place : beyond % epoch, origin.datasetSample());
      }
    }
  }

  @Test
  void passesFollowAnOrderThatIsUsedUp() throws IOException {
    corpora();
    GptDatasetConfig config = GptDatasetConfig.of(7, 8, null);
    DataLedger ledger =
        DataLedger.start(config, blend("A"), GptDataset.ONE_EPOCH, BatchSchedule.constant(1));
    try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      assertEquals(19, data.size());
      ledger = data.change(19, blend("A"), 40, BatchSchedule.constant(1));
    }
    try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      assertEquals(59, data.size());
      for (int pass = 1; pass <= 2; pass++) {
        GptDatasetConfig reseeded = config.withSeed((7 + pass * 0x9e3779b9L) & 0xffffffffL);
        try (SampleSplits splits =
            SampleSplits.buildPerSplit(
                temporary::resolve,
                new Blend.PerSplit(blend("A"), null, null),
                reseeded,
                GptDataset.ONE_EPOCH,
                0,
                0)) {
          for (int i = 0; i < 19; i++) {
            assertArrayEquals(
                splits.train().sample(i).tokens(), data.sample(19L * pass + i).tokens());
          }
        }
      }
    }
  }

  @Test
  void namesTheTokensOfASample() throws IOException {
    corpora();
    GptDatasetConfig config = GptDatasetConfig.of(1234, 8, "80,10,10");
    DataLedger ledger = DataLedger.start(config, blend("30 A 70 B"), 40, BatchSchedule.constant(4));
    try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      for (long i = 0; i < data.size(); i++) {
        SampleOrigin origin = data.origin(i);
        List<Integer> tokens = new ArrayList<>();
        boolean inA = origin.prefix().endsWith("A");
        for (SampleOrigin.Part part : origin.parts()) {
          assertEquals(part.sequence(), part.document());
          for (int k = 0; k < part.length(); k++) {
            int at = part.offset() + k;
            int sequence = (int) part.sequence();
            tokens.add((inA ? 31 * sequence + at : 500 + 17 * sequence + at) % 900);
          }
        }
        assertArrayEquals(
            tokens.stream().mapToInt(Integer::intValue).toArray(), data.sample(i).tokens());
      }
    }
  }

  @Test
  void countsIterationsThroughARamp() {
    BatchSchedule ramp = new BatchSchedule(8, new BatchSchedule.Rampup(2, 2, 30));
    GptDatasetConfig config = GptDatasetConfig.of(1, 8, "1");
    DataLedger ledger = DataLedger.start(config, blend("A"), 100, ramp);
    // Three increments of 10 samples each: 2 2 2 2 2, 4 4 4 (to 22), 6 6 (to 34), then 8.
    long consumed = 0;
    int[] batches = {2, 2, 2, 2, 2, 4, 4, 4, 6, 6, 8, 8};
    for (int i = 0; i < batches.length; i++) {
      DataLedger.SampleRange range = ledger.samplesOf(i + 1);
      assertEquals(new DataLedger.SampleRange(consumed, consumed + batches[i]), range);
      consumed += batches[i];
      assertEquals(consumed, ledger.samplesAfter(i + 1));
    }
    assertThrows(IllegalArgumentException.class, () -> ledger.samplesOf(0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new BatchSchedule(8, new BatchSchedule.Rampup(3, 2, 30)));
  }

  /** Counts to the token, by brute force. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void plansWhatARunWouldRepeatAndDrop(long seed) throws IOException {
    corpora();
    Random random = new Random(seed);
    GptDatasetConfig config = GptDatasetConfig.of(seed, 1 + random.nextInt(9), "9,1,0");
    int samples = 20 + random.nextInt(60);
    String[] blends = {"30 A 70 B", "A", "1 B 2 C", "A C"};
    Blend old = blend(blends[random.nextInt(blends.length)]);
    Blend next = blend(blends[random.nextInt(blends.length)]);
    DataLedger ledger = DataLedger.start(config, old, samples, BatchSchedule.constant(1));
    long at = random.nextInt(20);
    long total = at + 1 + random.nextInt(80);
    BlendPlan plan = BlendPlan.of(temporary::resolve, ledger, config, next, at, total);
    DataLedger changed;
    Map<String, List<Long>> before = new HashMap<>();
    Map<String, List<Long>> exact = new HashMap<>();
    Map<String, List<Long>> plain = new HashMap<>();
    try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      collect(data, 0, at, before);
      changed = data.change(at, next, total - at, BatchSchedule.constant(1));
    }
    try (TrainingData data = TrainingData.open(temporary::resolve, changed, config);
        SampleSplits megatron = SampleSplits.build(temporary::resolve, next, config, total, 0, 0)) {
      collect(data, at, Math.min(total, data.size()), exact);
      collect(megatron.train(), at, Math.min(total, megatron.train().size()), plain);
    }
    check(plan.exact(), before, exact);
    check(plan.plain(), before, plain);
    assertEquals(at, plan.firstSample());
    assertEquals(
        total - at, plan.exact().stream().mapToLong(BlendPlan.Row::plannedSamples).sum(), "all");
  }

  private static void check(
      List<BlendPlan.Row> rows, Map<String, List<Long>> before, Map<String, List<Long>> later) {
    for (BlendPlan.Row row : rows) {
      String name = row.dataset().prefix();
      List<Long> first = before.getOrDefault(name, List.of());
      List<Long> second = later.getOrDefault(name, List.of());
      Set<Long> seen = new HashSet<>(first);
      long repeated = second.stream().filter(token -> !seen.add(token)).count();
      assertEquals(first.size(), row.consumedTokens());
      assertEquals(second.size(), row.plannedTokens());
      assertEquals(repeated, row.repeatedTokens());
      assertEquals(row.epochTokens() - seen.size(), row.neverSeenTokens());
    }
  }

  private static void collect(
      SampleDataset data, long from, long to, Map<String, List<Long>> tokens) throws IOException {
    for (long i = from; i < to; i++) {
      SampleOrigin origin = data.origin(i);
      List<Long> list =
          tokens.computeIfAbsent(
              origin.prefix().getFileName().toString(), name -> new ArrayList<>());
      for (SampleOrigin.Part part : origin.parts()) {
        for (int k = 0; k < part.length(); k++) {
          list.add(part.sequence() << 32 | part.offset() + k);
        }
      }
    }
  }

  @Test
  void refusesAnotherConfigurationAndOtherCounts() throws IOException {
    corpora();
    GptDatasetConfig config = GptDatasetConfig.of(1, 8, "1");
    DataLedger ledger = DataLedger.start(config, blend("30 A 70 B"), 40, BatchSchedule.constant(4));
    for (GptDatasetConfig other :
        List.of(
            config.withSeed(2),
            GptDatasetConfig.of(1, 9, "1"),
            GptDatasetConfig.of(1, 8, "2"),
            config.withEnds(-1, false, true))) {
      assertThrows(
          IllegalArgumentException.class,
          () -> TrainingData.open(temporary::resolve, ledger, other));
    }
    DataLedger changed;
    try (TrainingData data = TrainingData.open(temporary::resolve, ledger, config)) {
      changed = data.change(5, blend("B"), 40, BatchSchedule.constant(4));
      assertEquals(5, data.position(5).iteration());
      assertEquals(20, data.position(5).samples());
      DataLedger positioned = changed.at(data.position(5));
      assertEquals(positioned, DataLedger.parse(positioned.json(), Path.of("x")));
    }
    String wrong = changed.json().replace("\"consumed\": 14", "\"consumed\": 13");
    assertTrue(!wrong.equals(changed.json()));
    DataLedger tampered = DataLedger.parse(wrong, Path.of("x"));
    assertThrows(
        IllegalArgumentException.class,
        () -> TrainingData.open(temporary::resolve, tampered, config));
  }

  @Test
  void aDamagedLedgerIsAnError() throws IOException {
    GptDatasetConfig config = GptDatasetConfig.of(1, 8, "1");
    byte[] bytes =
        DataLedger.start(
                config,
                blend("0.5 A 1.5 B"),
                40,
                new BatchSchedule(8, new BatchSchedule.Rampup(2, 2, 30)))
            .json()
            .getBytes(StandardCharsets.UTF_8);
    Path file = temporary.resolve("ledger.json");
    for (Damage damage : Damage.values()) {
      Files.write(file, damage.apply(bytes, new Random(3)));
      assertThrows(CorruptDatasetException.class, () -> DataLedger.read(file), damage.name());
    }
    Random random = new Random(4);
    for (int flip = 0; flip < 500; flip++) {
      byte[] flipped = bytes.clone();
      int bit = random.nextInt(8 * bytes.length);
      flipped[bit / 8] ^= (byte) (1 << (bit % 8));
      Files.write(file, flipped);
      try {
        DataLedger.read(file); // another ledger, if the bit was a digit's or a letter's
      } catch (CorruptDatasetException | java.nio.charset.CharacterCodingException e) {
        assertNotNull(e.getMessage() == null ? "" : e.getMessage());
      }
    }
  }

  private void corpora() throws IOException {
    Corpora.write(temporary.resolve("A"), 20, i -> 3 + 7 * i % 11, (i, k) -> (31 * i + k) % 900);
    Corpora.write(
        temporary.resolve("B"), 15, i -> 5 + 3 * i % 7, (i, k) -> (500 + 17 * i + k) % 900);
    Corpora.write(temporary.resolve("C"), 30, i -> i % 6, (i, k) -> i + k);
  }
}
