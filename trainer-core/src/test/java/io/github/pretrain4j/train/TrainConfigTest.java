package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.optim.LearningRateDecay;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Options as flags, as JSON, their defaults, and what is refused. */
final class TrainConfigTest {
  private static final String[] SCRIPT = {
    "--num-layers",
    "2",
    "--hidden-size",
    "64",
    "--num-attention-heads",
    "4",
    "--group-query-attention",
    "--num-query-groups",
    "2",
    "--ffn-hidden-size",
    "96",
    "--max-position-embeddings",
    "128",
    "--position-embedding-type",
    "rope",
    "--normalization",
    "RMSNorm",
    "--swiglu",
    "--disable-bias-linear",
    "--untie-embeddings-and-output-weights",
    "--attention-dropout",
    "0",
    "--hidden-dropout",
    "0.0",
    "--seq-length",
    "128",
    "--micro-batch-size",
    "2",
    "--global-batch-size",
    "8",
    "--train-iters",
    "100",
    "--lr",
    "1.0e-4",
    "--min-lr",
    "1e-5",
    "--lr-decay-style",
    "cosine",
    "--lr-warmup-fraction",
    ".01",
    "--clip-grad",
    "1.",
    "--weight-decay",
    "0.1",
    "--adam-beta2",
    "0.95",
    "--data-path",
    "corpus_text_document",
    "--split",
    "949,50,1",
    "--tokenizer-type",
    "Llama2Tokenizer",
    "--tokenizer-model",
    "tokenizer.model",
    "--override-opt_param-scheduler",
    "--eval-iters",
    "0"
  };

  @Test
  void readsFlagsOfAMegatronScript() throws IOException {
    TrainConfig config = TrainConfig.parse(SCRIPT);
    assertEquals(4, config.run().microBatches());
    assertEquals(List.of("corpus_text_document"), config.data().dataPath());
    assertEquals("949,50,1", config.data().split());
    assertEquals(Path.of("tokenizer.model"), config.data().tokenizerModel());
    assertTrue(config.optimizer().overrideOptParamScheduler());
    assertEquals(1.0, config.optimizer().clipGrad());
    assertEquals(LearningRateDecay.COSINE, config.schedule().lrDecayStyle());
    assertEquals(8.0, config.schedule().lrWarmupSteps());
    assertEquals(800, config.schedule().lrDecaySteps());
    assertEquals(1234, config.run().seed());
  }

  @Test
  void readsBackTheJsonItWrites(@TempDir Path directory) throws IOException {
    TrainConfig config = TrainConfig.parse(SCRIPT);
    Path file = Files.writeString(directory.resolve("train.json"), config.toJson());
    assertEquals(config, TrainConfig.read(file));
    TrainConfig other = TrainConfig.parse("--config", file.toString(), "--lr", "2e-4");
    assertEquals(2e-4, other.optimizer().lr(), "a flag wins over the file");
    assertEquals(config.run(), other.run());
  }

  @Test
  void suggestsTheNearestNameForAnUnknownOption() {
    assertMessage(
        "unknown option micro_batchsize; did you mean micro_batch_size?", "--micro-batchsize", "2");
    assertMessage("option bf16 of Megatron is not supported yet (training is in fp32)", "--bf16");
    assertMessage("unexpected argument 'train'", "train");
  }

  @Test
  void refusesUnknownAndDuplicateNamesInAFile(@TempDir Path directory) throws IOException {
    Path unknown = Files.writeString(directory.resolve("a.json"), "{\"micro_batch_sise\": 2}");
    assertMessage("did you mean micro_batch_size?", "--config", unknown.toString());
    Path twice = Files.writeString(directory.resolve("b.json"), "{\"lr\": 1, \"lr\": 2}");
    assertMessage("Duplicate", "--config", twice.toString());
    Path wrong = Files.writeString(directory.resolve("c.json"), "{\"seq_length\": \"many\"}");
    assertMessage("option seq_length", "--config", wrong.toString());
    Path text = Files.writeString(directory.resolve("d.json"), "{\"split\": 3}");
    assertMessage("option split: expected text, found 3", "--config", text.toString());
  }

  @Test
  void refusesValuesOfTheWrongKind() {
    assertMessage("--seq-length: expected int, found 'long'", "--seq-length", "long");
    assertMessage("option seq_length", "--seq-length", "12.5");
    assertMessage("--lr needs a value", "--lr");
  }

  @Test
  void listsEveryInvalidCombinationInOneMessage() {
    String message =
        assertMessage(
            "",
            "--num-layers",
            "2",
            "--micro-batch-size",
            "3",
            "--global-batch-size",
            "8",
            "--lr",
            "1e-5",
            "--attention-dropout",
            "0.1",
            "--save",
            "out",
            "--tensor-model-parallel-size",
            "2",
            "--optimizer",
            "sgd");
    for (String part :
        List.of(
            "hidden_size is missing",
            "normalization must be given as RMSNorm",
            "attention_dropout must be 0, is 0.1",
            "the data must be named once",
            "seq_length must be given and positive",
            "global_batch_size 8 is not a multiple of micro_batch_size 3",
            "exactly one of train_iters and train_samples",
            "save and save_interval go together",
            "tensor_model_parallel_size must be 1",
            "optimizer must be adam, is sgd",
            "tokenizer_type Llama2Tokenizer needs tokenizer_model")) {
      assertTrue(message.contains(part), () -> part + "\nis not in\n" + message);
    }
  }

  @Test
  void takesMegatronsWaysToNameTheData() {
    Map<String, Object> options = TinyTraining.options(Path.of("d"), Path.of("s"));
    options.put("data_path", List.of("30", "a", "70", "b"));
    TrainConfig.of(options);
    assertDataFault(options, "no weight", "data_path", List.of("x", "a", "70", "b"));
    assertDataFault(options, "given: data_path; data_args_path", "data_args_path", "f");
    assertDataFault(options, "given: data_path; train_data_path", "train_data_path", List.of("a"));
    assertDataFault(options, "dataloader_type must be one of", "dataloader_type", "external");
    assertDataFault(options, "must not be negative", "mid_level_dataset_surplus", -0.1);
    options.put("dataloader_type", "cyclic");
    assertDataFault(options, "change_blend needs", "change_blend", true);
    options.put("data_path", List.of());
    options.put("valid_data_path", List.of("v"));
    options.put("train_data_path", List.of("30", "a", "70", "b"));
    TrainConfig.of(options);
  }

  private static void assertDataFault(
      Map<String, Object> options, String part, String name, Object value) {
    Map<String, Object> faulty = new LinkedHashMap<>(options);
    faulty.put(name, value);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> TrainConfig.of(faulty));
    assertTrue(String.valueOf(e.getMessage()).contains(part), e::getMessage);
  }

  @Test
  void describesEveryOption() {
    List<String> lines = TrainConfig.usage();
    assertTrue(lines.size() > 80, lines::toString);
    assertTrue(lines.stream().noneMatch(line -> line.contains("null")), lines::toString);
  }

  private static String assertMessage(String part, String... flags) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> TrainConfig.parse(flags));
    String message = e.getMessage();
    assertNotNull(message);
    assertTrue(message.contains(part), message);
    return message;
  }

  @Test
  void refusesRunsOfNoIterationOrMoreThanFit() {
    assertRunFault("train_samples 3 is less than one batch of 4", "train_samples", 3);
    assertRunFault("more than 2^31 - 1 iterations", "train_samples", 1L << 40);
    assertRunFault("more than 2^31 - 1 samples", "eval_iters", Integer.MAX_VALUE);
    assertRunFault("more than 2^31 - 1 tokens", "seq_length", Integer.MAX_VALUE);
  }

  private static void assertRunFault(String part, String name, Number value) {
    Map<String, Object> options = TinyTraining.options(Path.of("d"), Path.of("s"));
    options.put(name, value);
    if (name.equals("train_samples")) {
      options.remove("train_iters");
    }
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> TrainConfig.of(options));
    assertTrue(String.valueOf(e.getMessage()).contains(part), e::getMessage);
  }

  @Test
  void acceptsOptionsOfMegatronThatChangeNothingAndListsThem() throws IOException {
    List<String> flags = new ArrayList<>(List.of(SCRIPT));
    flags.addAll(List.of("--use-flash-attn", "--use-mcore-models", "--transformer-impl", "local"));
    flags.addAll(
        List.of("--num-workers", "2", "--distributed-backend=nccl", "--rotary-percent", "1"));
    flags.addAll(List.of("--attention-softmax-in-fp32", "--ckpt-format", "torch"));
    assertEquals(TrainConfig.parse(SCRIPT), TrainConfig.parse(flags.toArray(String[]::new)));
    assertTrue(
        TrainConfig.usage().stream()
            .anyMatch(line -> line.startsWith("--use-flash-attn  no effect")));
  }

  @Test
  void refusesOptionsOfMegatronThatWouldChangeSomething() {
    assertMessage("option ckpt_format of Megatron is not supported yet", "--ckpt-format", "zarr");
    assertMessage("option rotary_percent of Megatron is not", "--rotary-percent", "0.5");
    assertMessage("option distributed_backend", "--distributed-backend", "gloo");
    assertMessage("option window_size of Megatron is not supported yet", "--window-size", "9,0");
    assertMessage("option mock_data of Megatron", "--mock-data");
    assertMessage("--num-workers needs a value", "--num-workers");
    String message = assertMessage("unknown option frobnicate", "--frobnicate");
    assertFalse(message.contains("did you mean"), message);
  }

  @Test
  void refusesWhatComesAfterTheEnd(@TempDir Path directory) throws IOException {
    assertMessage("--config needs a value", "--lr", "1", "--config");
    assertMessage("--seq-length: expected int, found '12 13'", "--seq-length", "12 13");
    Path more = Files.writeString(directory.resolve("a.json"), "{\"lr\": 1} {}");
    assertMessage("a.json: not JSON", "--config", more.toString());
    Path twice = Files.writeString(directory.resolve("b.json"), "{\"min_lr\": 1, \"min-lr\": 2}");
    assertMessage("Duplicate option min_lr", "--config", twice.toString());
  }
}
