package io.github.pretrain4j.quickstart;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableMap;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Trains a small base model on English sources, post-pretrains it on Chinese ones through the
 * Megatron round trip, deploys it locally and reports what each step made and proved.
 *
 * <p>Arguments: the distribution, the directory with {@code english.jar} and {@code chinese.jar},
 * and a working directory, which is emptied first.
 */
public final class Quickstart {
  private static final int VOCABULARY = 4096;
  private static final int SEQUENCE_LENGTH = 256;
  private static final int BASE_ITERATIONS = 130;
  private static final int POST_ITERATIONS = 100;
  private static final int SAVE_INTERVAL = 40;
  private static final int KILL_AFTER_ITERATION = 50;
  private static final String CHECKPOINT_FILE =
      "checkpoints/iter_%07d/mp_rank_00/model_optim_rng.pt".formatted(POST_ITERATIONS);
  private static final String PROMPT = "/**\n * 获取";
  private static final Duration KILL_DEADLINE = Duration.ofMinutes(5);

  private static final List<Steps.Step> PLAN =
      List.of(
          new Steps.Step("corpus: the Java files of two sources jars, one JSON line each", 2),
          new Steps.Step("tokenizer: SentencePiece BPE learned from the English part", 10),
          new Steps.Step("step 1: JSONL to Megatron's .bin and .idx", 8),
          new Steps.Step("a base model: English, from random weights", 65),
          new Steps.Step("step 2: Hugging Face to Megatron, TP 2 x PP 2", 5),
          new Steps.Step("step 3: post-pretrain on Chinese", 55),
          new Steps.Step("the same run again, ended by kill -9 in the middle, then resumed", 65),
          new Steps.Step("step 4: Megatron to Hugging Face, two shards", 5),
          new Steps.Step("step 5: import, serve, wait until ready, ask", 10));

  private final PrintStream out;
  private final Path text;
  private final Path work;
  private final P4j p4j;
  private final Steps steps;
  private final ObjectMapper json = new ObjectMapper();
  private final List<List<String>> made = new ArrayList<>();
  private final List<List<String>> proved = new ArrayList<>();

  private Quickstart(Path home, Path text, Path work, PrintStream out) {
    this.out = out;
    this.text = text;
    this.work = work;
    this.p4j = new P4j(home, work, out);
    this.steps = new Steps(PLAN, out);
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments.length != 3) {
      throw new IllegalArgumentException("expected: DISTRIBUTION TEXT-DIRECTORY WORKING-DIRECTORY");
    }
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    new Quickstart(
            Path.of(arguments[0]).toRealPath(),
            Path.of(arguments[1]).toRealPath(),
            Path.of(arguments[2]).toAbsolutePath().normalize(),
            out)
        .run();
  }

  private void run() throws IOException, InterruptedException {
    stopServer();
    if (Files.exists(work)) {
      MoreFiles.deleteRecursively(work, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    for (String directory : List.of("corpus", "base", "data", "logs", "post", "killed")) {
      Files.createDirectories(work.resolve(directory));
    }
    steps.begin();
    writeCorpora();
    steps.begin();
    trainTokenizer();
    steps.begin();
    preprocess();
    steps.begin();
    RunMetrics base = trainBase();
    steps.begin();
    convertToMegatron();
    steps.begin();
    RunMetrics before = evaluateStart();
    RunMetrics post = postPretrain();
    steps.begin();
    killAndResume();
    steps.begin();
    convertToHuggingFace();
    steps.begin();
    String answerBefore = generate("base-hf");
    String answerAfter = deployAndAsk();
    report(base, before, post, answerBefore, answerAfter);
  }

  // ---- the steps ----

  private void writeCorpora() throws IOException {
    SourceCorpus corpus = new SourceCorpus();
    for (Map.Entry<String, String> part :
        ImmutableMap.of("en", "english.jar", "zh", "chinese.jar").entrySet()) {
      SourceCorpus.Written written =
          corpus.write(text.resolve(part.getValue()), work.resolve("corpus"), part.getKey());
      made(
          "corpus/" + part.getKey() + "_{train,valid}.jsonl",
          "%,d documents to train on, %,d held out, %,d bytes"
              .formatted(written.trainDocuments(), written.validDocuments(), written.bytes()));
    }
  }

  private void trainTokenizer() throws IOException, InterruptedException {
    run(
        "tokenizer",
        List.of(
            "tokenizer",
            "train",
            "--input=corpus/en_train.jsonl",
            "--output=base/tokenizer.model",
            "--vocab-size=" + VOCABULARY));
    made(
        "base/tokenizer.model",
        VOCABULARY + " pieces, SHA-256 " + shortHash("base/tokenizer.model"));
  }

  private void preprocess() throws IOException, InterruptedException {
    for (String part : List.of("en_train", "en_valid", "zh_train", "zh_valid")) {
      run(
          "preprocess-" + part,
          List.of(
              "preprocess",
              "--input=corpus/" + part + ".jsonl",
              "--output-prefix=data/" + part,
              "--tokenizer-type=Llama2Tokenizer",
              "--tokenizer-model=base/tokenizer.model",
              "--append-eod",
              "--workers=2"));
      String bin = "data/" + part + "_text_document.bin";
      made(
          bin,
          "%,d tokens, SHA-256 %s".formatted(Files.size(work.resolve(bin)) / 2, shortHash(bin)));
    }
  }

  private RunMetrics trainBase() throws IOException, InterruptedException {
    writeModelFolder(work.resolve("base"));
    run(
        "train-base",
        trainArguments(
            "en",
            "",
            List.of(
                "--train-iters=" + BASE_ITERATIONS,
                "--lr=2e-3",
                "--hf-config=base",
                "--save=base-megatron",
                "--save-interval=" + BASE_ITERATIONS,
                "--metrics-file=base.jsonl")));
    return RunMetrics.read(work.resolve("base.jsonl"));
  }

  /** Runs a conversion and notes the proof that its report ends with. */
  private void convert(String name, List<String> arguments)
      throws IOException, InterruptedException {
    String report = run(name, arguments);
    proved(
        name,
        report
            .lines()
            .map(String::strip)
            .filter(line -> line.startsWith("proof: "))
            .map(line -> line.substring("proof: ".length()))
            .findFirst()
            .orElseThrow(
                () -> new IOException(name + ": expected a proof in the report, found none")));
  }

  /** What a Hugging Face folder has beside its weights; the tokenizer is there already. */
  private void writeModelFolder(Path folder) throws IOException {
    ObjectNode config = json.createObjectNode().put("model_type", "llama");
    config.putArray("architectures").add("LlamaForCausalLM");
    config.put("vocab_size", VOCABULARY).put("hidden_size", 256).put("intermediate_size", 704);
    config.put("num_hidden_layers", 4).put("num_attention_heads", 4).put("num_key_value_heads", 2);
    config.put("max_position_embeddings", 2 * SEQUENCE_LENGTH).put("rms_norm_eps", 1e-5);
    config.put("rope_theta", 10000.0).put("hidden_act", "silu").put("torch_dtype", "float32");
    config.put("tie_word_embeddings", false).put("bos_token_id", 1).put("eos_token_id", 2);
    config.put("transformers_version", "4.39.3");
    write(folder.resolve("config.json"), config);
    ObjectNode special = json.createObjectNode();
    special.put("bos_token", "<s>").put("eos_token", "</s>").put("unk_token", "<unk>");
    write(folder.resolve("special_tokens_map.json"), special);
    write(
        folder.resolve("tokenizer_config.json"),
        special
            .deepCopy()
            .put("tokenizer_class", "LlamaTokenizer")
            .put("add_bos_token", true)
            .put("add_eos_token", false)
            .put("model_max_length", 2 * SEQUENCE_LENGTH));
    write(
        folder.resolve("generation_config.json"),
        json.createObjectNode().put("bos_token_id", 1).put("eos_token_id", 2));
  }

  private void write(Path file, ObjectNode content) throws IOException {
    json.writerWithDefaultPrettyPrinter().writeValue(file.toFile(), content);
  }

  private void convertToMegatron() throws IOException, InterruptedException {
    convert(
        "convert-base",
        List.of(
            "convert",
            "--to=huggingface",
            "--input=base-megatron",
            "--output=base-hf",
            "--reference=base"));
    convert(
        "convert-to-megatron",
        List.of(
            "convert",
            "--to=megatron",
            "--input=base-hf",
            "--output=post-start",
            "--tokenizer-model=base/tokenizer.model",
            "--tensor-model-parallel-size=2",
            "--pipeline-model-parallel-size=2"));
  }

  private RunMetrics evaluateStart() throws IOException, InterruptedException {
    run("evaluate-start", postArguments("", "--skip-train", "--metrics-file=before.jsonl"));
    return RunMetrics.read(work.resolve("before.jsonl"));
  }

  private RunMetrics postPretrain() throws IOException, InterruptedException {
    P4j there = p4j.in(work.resolve("post"));
    there.run(log("train-post"), postRunArguments());
    return RunMetrics.read(work.resolve("post/metrics.jsonl"));
  }

  private void killAndResume() throws IOException, InterruptedException {
    Path killed = work.resolve("killed");
    P4j there = p4j.in(killed);
    Process process = there.start(log("train-killed"), postRunArguments());
    long deadline = System.nanoTime() + KILL_DEADLINE.toNanos();
    while (!reached(killed.resolve("metrics.jsonl"), KILL_AFTER_ITERATION)) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        process.destroyForcibly();
        throw new IOException(
            "the run to be killed ended or stood still; see logs/train-killed.log");
      }
      Thread.sleep(100);
    }
    process.destroyForcibly().waitFor();
    out.println("  killed with SIGKILL after iteration " + KILL_AFTER_ITERATION);
    there.run(log("train-resumed"), postRunArguments());
    String uninterrupted = shortHash("post/" + CHECKPOINT_FILE);
    String resumed = shortHash("killed/" + CHECKPOINT_FILE);
    if (!uninterrupted.equals(resumed)) {
      throw new IOException(
          "resumed run: expected checkpoint " + uninterrupted + ", found " + resumed);
    }
    proved(
        "killed and resumed = uninterrupted",
        "last checkpoint (weights, Adam moments, schedule) is the same file, SHA-256 " + resumed);
  }

  private void convertToHuggingFace() throws IOException, InterruptedException {
    convert(
        "convert-to-huggingface",
        List.of(
            "convert",
            "--to=huggingface",
            "--input=post/checkpoints",
            "--output=model",
            "--reference=base-hf",
            "--format=bin",
            "--num-shards=2"));
    made("model/", "a Hugging Face folder: config, tokenizer, two shards and their index");
  }

  private String generate(String model) throws IOException, InterruptedException {
    return p4j.run(
        log("generate-" + model),
        List.of(
            "generate",
            "--model=" + model,
            "--prompt=" + PROMPT,
            "--max-tokens=64",
            "--temperature=0"));
  }

  private String deployAndAsk() throws IOException, InterruptedException {
    try {
      return run(
          "deploy",
          List.of(
              "deploy",
              "--target=local",
              "--model=model",
              "--name=quickstart",
              "--store=store",
              "--prompt=" + PROMPT,
              "--max-tokens=48"));
    } finally {
      stopServer();
    }
  }

  private void stopServer() throws IOException, InterruptedException {
    if (Files.exists(work.resolve("store"))) {
      run("stop", List.of("deploy", "stop", "--name=quickstart", "--store=store"));
    }
  }

  // ---- command lines ----

  /** What a run of step 3 is told; its directory says which of the two runs it is. */
  private static List<String> postRunArguments() {
    return postArguments(
        "../",
        "--load=checkpoints",
        "--save=checkpoints",
        "--save-interval=" + SAVE_INTERVAL,
        "--metrics-file=metrics.jsonl");
  }

  private static List<String> postArguments(String root, String... more) {
    return trainArguments(
        "zh",
        root,
        Stream.concat(
                Stream.of(
                    "--train-iters=" + POST_ITERATIONS,
                    "--lr=1e-3",
                    "--pretrained-checkpoint=" + root + "post-start",
                    "--use-checkpoint-args"),
                Stream.of(more))
            .toList());
  }

  private static List<String> trainArguments(String part, String root, List<String> more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--data-path=" + root + "data/" + part + "_train_text_document",
                "--split=100,0,0",
                "--extra-valid-data-path",
                "en=" + root + "data/en_valid_text_document",
                "zh=" + root + "data/zh_valid_text_document",
                "--tokenizer-model=" + root + "base/tokenizer.model",
                "--seq-length=" + SEQUENCE_LENGTH,
                "--micro-batch-size=8",
                "--global-batch-size=8",
                "--min-lr=1e-4",
                "--lr-decay-style=cosine",
                "--lr-warmup-iters=10",
                "--weight-decay=0.1",
                "--adam-beta2=0.95",
                "--log-interval=20",
                "--eval-interval=" + SAVE_INTERVAL,
                "--eval-iters=10"));
    arguments.addAll(more);
    return arguments;
  }

  // ---- what is told ----

  private void report(
      RunMetrics base, RunMetrics before, RunMetrics post, String answerBefore, String answerAfter)
      throws IOException {
    List<List<String>> losses =
        List.of(
            List.of("held-out Chinese", loss(before, "zh"), loss(post, "zh")),
            List.of("held-out English (forgetting)", loss(before, "en"), loss(post, "en")));
    Path page = work.resolve("report.html");
    new ReportPage()
        .heading("Loss, nats per token")
        .chart(
            new LossChart(
                List.of(
                    new LossChart.Curve("training, Chinese", "#b8c4ce", post.trainCurve(5)),
                    new LossChart.Curve("held-out Chinese", "#d1495b", curve(before, post, "zh")),
                    new LossChart.Curve("held-out English", "#2e6f95", curve(before, post, "en")))))
        .table(List.of("set", "before", "after"), losses)
        .heading("The base model's training")
        .chart(
            new LossChart(
                List.of(
                    new LossChart.Curve("training, English", "#b8c4ce", base.trainCurve(5)),
                    new LossChart.Curve(
                        "held-out English", "#2e6f95", base.evaluationCurve("en")))))
        .heading("Proved")
        .table(List.of("claim", "how"), proved)
        .heading("Made")
        .table(List.of("file", "what"), made)
        .heading("One completion")
        .paragraph("Before, the base model:")
        .preformatted(answerBefore.strip())
        .paragraph("After, what the deployed server answered:")
        .preformatted(answerAfter.strip())
        .write(
            page,
            "pretrain4j quickstart",
            "%d iterations of post-pretraining at %,.0f tokens/s; all steps in %s"
                .formatted(post.lastIteration(), post.tokensPerSecond(), steps.elapsedClock()));
    out.println("\nMade");
    made.forEach(row -> out.printf("  %-40s %s%n", row.get(0), row.get(1)));
    out.println("Proved");
    proved.forEach(row -> out.printf("  %-40s %s%n", row.get(0), row.get(1)));
    out.printf("Loss (nats per token)%25s%10s%n", "before", "after");
    losses.forEach(row -> out.printf("  %-32s %11s%10s%n", row.get(0), row.get(1), row.get(2)));
    out.println("Completion of '/** * 获取', before:\n" + indent(answerBefore));
    out.println("and after, from the deployed server:\n" + indent(answerAfter));
    out.printf(
        "Post-pretraining ran at %,.0f tokens/s. All in %s. Curves: %s%n",
        post.tokensPerSecond(), steps.elapsedClock(), page.toUri());
  }

  private static List<LossChart.Point> curve(RunMetrics before, RunMetrics post, String set)
      throws IOException {
    List<LossChart.Point> points = new ArrayList<>();
    points.add(new LossChart.Point(0, before.finalLoss(set)));
    points.addAll(post.evaluationCurve(set));
    return points;
  }

  private static String loss(RunMetrics run, String set) throws IOException {
    return "%.4f".formatted(run.finalLoss(set));
  }

  private static String indent(String answer) {
    return answer.strip().indent(4).stripTrailing();
  }

  private void made(String file, String what) {
    made.add(List.of(file, what));
  }

  private void proved(String claim, String how) {
    proved.add(List.of(claim, how));
  }

  private String run(String name, List<String> arguments) throws IOException, InterruptedException {
    return p4j.run(log(name), arguments);
  }

  private Path log(String name) {
    return work.resolve("logs").resolve(name + ".log");
  }

  private String shortHash(String file) throws IOException {
    return MoreFiles.asByteSource(work.resolve(file))
        .hash(Hashing.sha256())
        .toString()
        .substring(0, 16);
  }

  private static boolean reached(Path metrics, int iteration) throws IOException {
    return Files.exists(metrics)
        && Files.readString(metrics).contains("\"iteration\":" + iteration + ",");
  }
}
