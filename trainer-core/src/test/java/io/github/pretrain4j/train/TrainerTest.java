package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.train.TrainListener.Evaluation;
import io.github.pretrain4j.train.TrainListener.Iteration;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs of a tiny model, on the plain-Java device unless the test says otherwise. */
final class TrainerTest {
  /** What common parsers of Megatron logs look for. */
  private static final Pattern LINE =
      Pattern.compile(
          " \\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\] iteration +(\\d+)/ +(\\d+) \\| consumed samples: +(\\d+) \\|"
              + " elapsed time per iteration \\(ms\\): ([0-9.]+) \\| learning rate: (\\d\\.\\d{6}E[-+]\\d\\d) \\| global"
              + " batch size: +(\\d+) \\| lm loss: (\\d\\.\\d{6}E[-+]\\d\\d) \\| loss scale: 1\\.0 \\| grad norm:"
              + " (\\d+\\.\\d{3}) \\| number of skipped iterations:   0 \\| number of nan iterations:   0 \\|");

  private final Path directory;

  TrainerTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    TinyTraining.prepare(directory);
  }

  /** Remembers what it hears. */
  private static final class Recorder implements TrainListener {
    final List<Iteration> iterations = new ArrayList<>();
    final List<Evaluation> evaluations = new ArrayList<>();

    @Override
    public void iteration(Iteration report) {
      iterations.add(report);
    }

    @Override
    public void evaluation(Evaluation report) {
      evaluations.add(report);
    }
  }

  private Map<String, Object> options(String save) {
    return TinyTraining.options(directory, directory.resolve(save));
  }

  private static Trainer.Summary run(Map<String, Object> options, TrainListener... listeners)
      throws IOException {
    try (Trainer trainer = Trainer.create(TrainConfig.of(options), listeners)) {
      return trainer.run();
    }
  }

  @Test
  void lowersTheLossAndLogsAsMegatron() throws IOException {
    Map<String, Object> options = options("out");
    options.put("train_iters", 30);
    options.put("save_interval", 100);
    options.put("extra_valid_data_path", List.of("held=" + directory.resolve("held")));
    Path metrics = directory.resolve("metrics.jsonl");
    options.put("metrics_file", metrics.toString());
    StringWriter text = new StringWriter();
    Recorder recorder = new Recorder();
    TrainConfig config = TrainConfig.of(options);
    Trainer.Summary summary =
        run(options, recorder, new MegatronLog(new PrintWriter(text), Clock.systemUTC(), config));

    assertTrue(summary.finished());
    assertEquals(30, summary.iteration());
    assertEquals(120, summary.consumedSamples());
    double first = recorder.iterations.getFirst().loss();
    double last = recorder.iterations.getLast().loss();
    assertEquals(Math.log(TinyTraining.VOCABULARY), first, 0.05, "random weights know nothing");
    assertTrue(last < first - 1, first + " -> " + last);
    assertEquals(
        0, recorder.iterations.getFirst().learningRate(), "the warm-up's first update has rate 0");
    assertEquals(
        15,
        text.toString().lines().filter(line -> LINE.matcher(line).matches()).count(),
        text.toString());
    // Before training, at 4, 8 … 28, and at the end; validation and test only where Megatron
    // evaluates them.
    assertEquals(9, recorder.evaluations.stream().filter(e -> e.set().equals("held")).count());
    assertEquals(
        8, recorder.evaluations.stream().filter(e -> e.set().equals("validation")).count());
    assertEquals(1, recorder.evaluations.stream().filter(e -> e.set().equals("test")).count());
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(metrics)) {
      lines.add(new ObjectMapper().readTree(line));
    }
    assertEquals(
        30, lines.stream().filter(l -> l.get("kind").asText().equals("iteration")).count());
    assertEquals(
        last,
        lines.stream().filter(l -> l.has("grad_norm")).toList().getLast().get("loss").asDouble());
  }

  @Test
  void savesWhatMegatronSaves() throws IOException {
    run(options("out"));
    Path save = directory.resolve("out");
    assertEquals("8", Files.readString(save.resolve("latest_checkpointed_iteration.txt")));
    for (int iteration : new int[] {2, 4, 6, 8}) {
      assertTrue(Files.exists(TinyTraining.file(save, iteration)));
    }
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(save)) {
      checkpoint.verify();
      assertEquals(8, checkpoint.iteration());
      assertEquals(32L, checkpoint.arguments().get("consumed_train_samples"));
      assertEquals(16L, checkpoint.arguments().get("consumed_valid_samples"));
      assertEquals(16L, checkpoint.arguments().get("seq_length"));
      assertEquals(15, checkpoint.fullTensors().tensors().size());
    }
  }

  @Test
  void resumesBitForBit() throws IOException {
    run(options("straight"));
    Map<String, Object> options = options("resumed");
    options.put("exit_interval", 3);
    Recorder recorder = new Recorder();
    assertFalse(run(options, recorder).finished());
    assertEquals(3, recorder.iterations.size());
    assertFalse(run(options, recorder).finished());
    assertEquals(6, recorder.iterations.size());
    assertTrue(run(options, recorder).finished());
    assertEquals(8, recorder.iterations.size());
    assertSameFile(
        TinyTraining.file(directory.resolve("straight"), 8),
        TinyTraining.file(directory.resolve("resumed"), 8));
    assertTrue(run(options, recorder).finished(), "a finished run has nothing left to do");
    assertEquals(8, recorder.iterations.size());
  }

  private static void assertSameFile(Path expected, Path found) throws IOException {
    assertEquals(-1, Files.mismatch(expected, found), expected + " and " + found + " differ");
  }

  @Test
  void stopsOnRequestAndSaves() throws IOException {
    try (Trainer trainer = Trainer.create(TrainConfig.of(options("out")))) {
      trainer.stop();
      Trainer.Summary summary = trainer.run();
      assertFalse(summary.finished());
      assertEquals(1, summary.iteration());
      assertTrue(Files.exists(TinyTraining.file(directory.resolve("out"), 1)));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"java", "cpu"})
  void doesNotDependOnThreads(String backend) throws IOException {
    Map<String, Object> one = options("one");
    one.put("backend", backend);
    run(one);
    Map<String, Object> two = options("two");
    two.put("backend", backend);
    two.put("threads", 2);
    run(two);
    assertSameFile(
        TinyTraining.file(directory.resolve("one"), 8),
        TinyTraining.file(directory.resolve("two"), 8));
  }

  @Test
  void finetunesFromWeightsAlone() throws IOException {
    run(options("base"));
    Map<String, Object> options = options("tuned");
    options.put("load", directory.resolve("base").toString());
    options.put("finetune", true);
    options.remove("hf_config");
    options.put("use_checkpoint_args", true);
    options.put("lr", 1e-3);
    Recorder recorder = new Recorder();
    Trainer.Summary summary = run(options, recorder);
    assertEquals(8, summary.iteration());
    assertEquals(1, recorder.iterations.getFirst().iteration());
    assertTrue(recorder.iterations.getFirst().loss() < 4);
  }

  @Test
  void startsFromPretrainedWeightsAndThenResumesItsOwn() throws IOException {
    run(options("base"));
    Map<String, Object> options = options("tuned");
    options.put("pretrained_checkpoint", directory.resolve("base").toString());
    options.put("exit_interval", 4);
    assertEquals(4, run(options).iteration());
    assertEquals(8, run(options).iteration());
  }

  @Test
  void refusesToGoOnWithAnotherSchedule() throws IOException {
    Map<String, Object> options = options("out");
    options.put("exit_interval", 4);
    run(options);
    options.put("lr", 5e-3);
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> run(options));
    assertTrue(
        String.valueOf(e.getMessage()).contains("override_opt_param_scheduler"), e::getMessage);
    options.put("override_opt_param_scheduler", true);
    assertEquals(8, run(options).iteration());
  }

  @Test
  void asksForAFlagWhenTheCheckpointHasOnlyWeights() throws IOException {
    Map<String, Object> options = options("out");
    options.put("no_save_optim", true);
    options.put("exit_interval", 4);
    run(options);
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> run(options));
    assertTrue(String.valueOf(e.getMessage()).contains("no_load_optim"), e::getMessage);
    options.put("no_load_optim", true);
    assertEquals(8, run(options).iteration());
  }

  @Test
  void refusesTokenizersAndDataOfAnotherModel() throws IOException {
    Map<String, Object> tokens = options("out");
    TinyTraining.writeDocuments(directory.resolve("foreign"), 30, 200, 3);
    tokens.put("data_path", List.of(directory.resolve("foreign").toString()));
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> run(tokens));
    assertTrue(
        String.valueOf(e.getMessage()).contains("the data was made with another tokenizer"),
        e::getMessage);
    run(options("base"));
    Map<String, Object> other = options("base");
    other.put("vocab_size", 100);
    e = assertThrows(IllegalArgumentException.class, () -> run(other));
    assertTrue(
        String.valueOf(e.getMessage()).contains("vocab_size 100 is more than the model's 64 rows"),
        e::getMessage);
  }

  @Test
  void refusesAnotherArchitectureThanTheCheckpoints() throws IOException {
    run(options("out"));
    Files.writeString(
        directory.resolve("config.json"),
        TinyTraining.configJson("llama")
            .replace("\"intermediate_size\": 48", "\"intermediate_size\": 64"));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> run(options("out")));
    assertTrue(String.valueOf(e.getMessage()).contains("the checkpoint's model is"), e::getMessage);
  }

  @Test
  void reportsDamagedCheckpointsAndLeavesThemAlone() throws IOException {
    run(options("out"));
    Path file = TinyTraining.file(directory.resolve("out"), 8);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    CorruptCheckpointException e =
        assertThrows(CorruptCheckpointException.class, () -> run(options("out")));
    assertEquals(file, e.file());
    Files.delete(file);
    assertThrows(IOException.class, () -> run(options("out")));
    Files.writeString(
        directory.resolve("out").resolve("latest_checkpointed_iteration.txt"), "eight");
    assertThrows(CorruptCheckpointException.class, () -> run(options("out")));
    assertEquals(
        "eight",
        Files.readString(directory.resolve("out").resolve("latest_checkpointed_iteration.txt")));
  }

  @Test
  void reportsDivergence() throws IOException {
    Map<String, Object> options = options("out");
    options.put("lr", 1e30);
    options.put("lr_warmup_fraction", null);
    options.put("eval_iters", 0);
    assertThrows(DivergedException.class, () -> run(options));
  }

  @Test
  void trainsAFamilyThatOnlyTheTestsKnow() throws IOException {
    Files.writeString(directory.resolve("config.json"), TinyTraining.configJson("word-pair"));
    Map<String, Object> options = options("out");
    options.put("train_iters", 20);
    options.put("exit_interval", 10);
    options.put("lr", 3e-2);
    Recorder recorder = new Recorder();
    run(options, recorder);
    assertTrue(run(options, recorder).finished());
    assertEquals(20, recorder.iterations.size());
    assertTrue(recorder.iterations.getLast().loss() < recorder.iterations.getFirst().loss() - 1);
  }

  private static String refusal(Map<String, Object> options) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> run(options));
    return String.valueOf(e.getMessage());
  }

  @Test
  void listsEveryModelOptionThatContradictsConfigJson() {
    Map<String, Object> options = options("out");
    Map<String, Object> wrong =
        Map.of(
            "model_name",
            "qwen2",
            "ffn_hidden_size",
            64,
            "num_query_groups",
            4,
            "kv_channels",
            16,
            "max_position_embeddings",
            128,
            "rotary_base",
            500_000.0,
            "norm_epsilon",
            1e-6,
            "add_qkv_bias",
            true);
    options.putAll(wrong);
    String message = refusal(options);
    wrong.keySet().forEach(name -> assertTrue(message.contains(name + " is "), message));
    assertTrue(message.contains("ffn_hidden_size is 64, the model's is 48"), message);
  }

  @Test
  void takesModelOptionsThatRepeatConfigJson() throws IOException {
    Map<String, Object> options = options("out");
    options.put("ffn_hidden_size", 48);
    options.put("group_query_attention", true);
    options.put("num_query_groups", 2);
    options.put("norm_epsilon", 1e-5);
    options.put("rotary_base", 10_000);
    options.put("untie_embeddings_and_output_weights", true);
    Trainer.create(TrainConfig.of(options)).close();
  }

  @Test
  void comparesModelOptionsWithTheCheckpointsArguments() throws IOException {
    run(options("base"));
    Map<String, Object> options = options("base");
    options.remove("hf_config");
    options.put("use_checkpoint_args", true);
    options.put("ffn_hidden_size", 64);
    options.put("max_position_embeddings", 32);
    String message = refusal(options);
    assertTrue(message.contains("ffn_hidden_size is 64, the model's is 48"), message);
    assertTrue(message.contains("max_position_embeddings is 32, the model's is 64"), message);
  }

  @Test
  void resumesWithFewerOrSmallerEvaluations() throws IOException {
    Map<String, Object> options = options("out");
    options.put("eval_interval", 1);
    options.put("eval_iters", 6);
    options.put("exit_interval", 6);
    run(options);
    options.put("eval_interval", 4);
    options.put("eval_iters", 1);
    Recorder recorder = new Recorder();
    assertTrue(run(options, recorder).finished());
    assertEquals(
        2, recorder.evaluations.stream().filter(e -> e.set().equals("validation")).count());
  }

  @Test
  void refusesALoadWithoutCheckpointThatIsNotWhereItSaves() throws IOException {
    Map<String, Object> options = options("out");
    options.put("load", directory.resolve("typo").toString());
    String message = refusal(options);
    assertTrue(message.contains("typo: there is no checkpoint to load"), message);
    options.put("load", directory.resolve("x").resolve("..").resolve("out").toString());
    Trainer.create(TrainConfig.of(options)).close();
  }

  @Test
  void refusesIterationsWithoutATracker() throws IOException {
    run(options("out"));
    Files.delete(directory.resolve("out").resolve("latest_checkpointed_iteration.txt"));
    String message = refusal(options("out"));
    assertTrue(message.contains("iter_0000002, iter_0000004"), message);
    assertTrue(message.contains("ckpt_step"), message);
  }

  @Test
  void saysThatItStartsFromRandomWeights() throws IOException {
    Map<String, Object> options = options("out");
    StringWriter text = new StringWriter();
    TrainConfig config = TrainConfig.of(options);
    Trainer.create(config, new MegatronLog(new PrintWriter(text), Clock.systemUTC(), config))
        .close();
    assertEquals(
        List.of(
            "WARNING: could not find the metadata file "
                + directory.resolve("out").resolve("latest_checkpointed_iteration.txt"),
            "    will not load any checkpoints and will start from random"),
        text.toString().lines().limit(2).toList());
  }
}
