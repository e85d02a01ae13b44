package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.base.Splitter;
import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamilies;
import java.io.File;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code bin/p4j} and the three scripts as a user runs them: in processes of their own, on the
 * classes under test, with a Llama of 1000 ids and 16 channels.
 */
@Timeout(300)
class DistributionTest {

  // Set before the first test.
  private static Path folder = Path.of("");
  private static Path home = folder;
  private static Path model = folder;

  /** The outcome of a command. */
  private record Ended(int code, String out, String err) {}

  @BeforeAll
  static void prepare(@TempDir Path temporary) throws IOException {
    folder = temporary;
    home = distribution();
    model = tinyLlama();
  }

  /** The links' targets are not ours: they go before the folder does. */
  @AfterAll
  static void unlink() throws IOException {
    try (Stream<Path> files = Files.list(home.resolve("lib"))) {
      for (Path file : files.filter(Files::isSymbolicLink).toList()) {
        Files.delete(file);
      }
    }
  }

  /** The scripts beside a lib folder made of this test's class path; folders become jars. */
  private static Path distribution() throws IOException {
    Path target = folder.resolve("pretrain4j");
    Path scripts = Path.of("src/main/dist").toAbsolutePath();
    try (Stream<Path> files = Files.walk(scripts)) {
      for (Path file : files.toList()) {
        Path copy = target.resolve(scripts.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(file, copy);
          assertTrue(copy.toFile().setExecutable(true));
        }
      }
    }
    Path lib = Files.createDirectories(target.resolve("lib"));
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    int number = 0;
    for (String entry : Splitter.on(File.pathSeparator).omitEmptyStrings().split(classPath)) {
      Path path = Path.of(entry).toAbsolutePath();
      number++;
      if (path.endsWith("test-classes") || path.toString().endsWith("-tests.jar")) {
        continue;
      }
      if (Files.isDirectory(path)) {
        int code =
            ToolProvider.findFirst("jar")
                .orElseThrow()
                .run(
                    System.out,
                    System.err,
                    "--create",
                    "--file",
                    lib.resolve(number + ".jar").toString(),
                    "-C",
                    path.toString(),
                    ".");
        assertEquals(0, code, path.toString());
      } else if (Files.isRegularFile(path)) {
        Files.createSymbolicLink(lib.resolve(number + "-" + path.getFileName()), path);
      }
    }
    return target;
  }

  private static Path tinyLlama() throws IOException {
    Path target = Files.createDirectories(folder.resolve("tiny-llama"));
    String config =
        """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
          "vocab_size": 1000, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
          "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false,
          "bos_token_id": 1, "eos_token_id": 2
        }
        """;
    Files.writeString(target.resolve("config.json"), config);
    Files.writeString(target.resolve("generation_config.json"), "{\"eos_token_id\": 2}\n");
    Files.writeString(target.resolve("tokenizer_config.json"), "{\"add_bos_token\": true}\n");
    Files.writeString(target.resolve("README.md"), "# Tiny Llama\n");
    Files.writeString(target.resolve("special_tokens_map.json"), "{\"eos_token\": \"</s>\"}\n");
    Files.copy(
        SharedFiles.resource("cli/sp-bpe-bytefallback-1k.model"),
        target.resolve("tokenizer.model"));
    HuggingFaceConfig read = HuggingFaceConfig.read(target);
    ModelFamilies families = ModelFamilies.installed();
    List<TensorInfo> tensors =
        families.familyOf(read).weights(families.config(read)).huggingFaceTensors(DataType.F32);
    SafetensorsWriter.write(
        target.resolve("model.safetensors"),
        tensors,
        Map.of("format", "pt"),
        (tensor, out) -> {
          SplittableRandom random = new SplittableRandom(tensor.name().hashCode());
          ByteBuffer bytes =
              ByteBuffer.allocate(Math.toIntExact(tensor.byteCount()))
                  .order(ByteOrder.LITTLE_ENDIAN);
          while (bytes.hasRemaining()) {
            bytes.putFloat((float) random.nextDouble(-1, 1));
          }
          out.write(bytes.flip());
        });
    return target;
  }

  private static ProcessBuilder command(Map<String, String> environment, String... words) {
    ProcessBuilder builder = new ProcessBuilder(words);
    builder.directory(folder.toFile());
    builder.environment().putAll(environment);
    builder.environment().put("P4J_JAVA_HOME", System.getProperty("java.home"));
    builder
        .environment()
        .put("P4J_JAVA_OPTIONS", "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
    return builder;
  }

  private static Ended run(Map<String, String> environment, String... words)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(folder, "out", "");
    Path err = Files.createTempFile(folder, "err", "");
    Process process =
        command(environment, words)
            .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    try {
      assertTrue(process.waitFor(120, TimeUnit.SECONDS), Arrays.toString(words));
    } finally {
      process.destroyForcibly();
    }
    return new Ended(process.exitValue(), Files.readString(out), Files.readString(err));
  }

  private static Ended p4j(String... arguments) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of(home.resolve("bin/p4j").toString()));
    words.addAll(List.of(arguments));
    return run(Map.of(), words.toArray(String[]::new));
  }

  private static Ended script(String name, Map<String, String> environment)
      throws IOException, InterruptedException {
    return run(environment, "bash", home.resolve("scripts").resolve(name).toString());
  }

  private static List<String> tree(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> root.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void explainsItselfAndKnowsItsErrors() throws Exception {
    Ended help = p4j("help");
    assertEquals(0, help.code(), help.err());
    assertTrue(help.out().contains("\n  convert"), help.out());
    assertEquals("", help.err(), "no warning of a module that this step does not need");
    Ended step = p4j("help", "train");
    assertEquals(0, step.code(), step.err());
    assertTrue(step.out().contains("--train-iters"), step.out());
    assertEquals(2, p4j("covnert").code());
  }

  @Test
  void saysWhichJdkIsMissing() throws Exception {
    Ended wrong =
        run(
            Map.of(),
            "env",
            "P4J_JAVA_HOME=" + folder,
            "bash",
            home.resolve("bin/p4j").toString(),
            "version");
    assertEquals(3, wrong.code());
    assertEquals(
        "p4j: error: P4J_JAVA_HOME is " + folder + ", which is not a JDK 25\n", wrong.err());
  }

  @Test
  void runsThroughASymbolicLink() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("p4j-link"), home.resolve("bin/p4j"));
    Ended version = run(Map.of(), link.toString(), "version");
    assertEquals(0, version.code(), version.err());
    assertTrue(version.out().startsWith("p4j "), version.out());
  }

  @Test
  void preprocessesAsTheGuideDoes() throws Exception {
    Path corpus = Files.createDirectories(folder.resolve("corpus dir"));
    Files.copy(SharedFiles.resource("cli/docs2.jsonl"), corpus.resolve("docs 2.jsonl"));
    Path prefix = folder.resolve("data dir/docs2");
    Ended ended =
        script(
            "data_preprocess/preprocess_train_data.sh",
            Map.of(
                "INPUT", corpus.toString(),
                "OUTPUT_PREFIX", prefix.toString(),
                "TOKENIZER_MODEL_PATH", model.toString(),
                "WORKERS", "2",
                "JSON_KEYS", "text"));
    assertEquals(0, ended.code(), ended.err());
    assertEquals(
        List.of(
            "docs2_text_document.bin", "docs2_text_document.idx", "docs2_text_document.meta.json"),
        tree(folder.resolve("data dir")));
    assertEquals(39_202, Files.size(folder.resolve("data dir/docs2_text_document.bin")));
    Ended unset =
        script("data_preprocess/preprocess_train_data.sh", Map.of("INPUT", corpus.toString()));
    assertTrue(unset.code() != 0 && unset.err().contains("set OUTPUT_PREFIX"), unset.err());
  }

  @Test
  void convertsThereAndBackAsTheGuideDoes() throws Exception {
    Path megatron = folder.resolve("megatron");
    Ended there =
        script(
            "checkpoint_convert/convert_llama_hf2megatron.sh",
            Map.of(
                "HF_FORMAT_DIR", model.toString(),
                "TOKENIZER_MODEL", model.resolve("tokenizer.model").toString(),
                "MEGATRON_FORMAT_DIR", megatron.resolve("iter_0000001").toString(),
                "TENSOR_MODEL_PARALLEL", "1",
                "PIPELINE_MODEL_PARALLEL", "1"));
    assertEquals(0, there.code(), there.err());
    assertEquals(
        List.of("iter_0000001/mp_rank_00/model_optim_rng.pt", "latest_checkpointed_iteration.txt"),
        tree(megatron));
    assertEquals(
        "1", Files.readString(megatron.resolve("latest_checkpointed_iteration.txt")).strip());
    for (String input : List.of("", "iter_0000001")) {
      Path back = folder.resolve("back" + input);
      Ended returned =
          script(
              "checkpoint_convert/convert_llama_megatron2hf.sh",
              Map.of(
                  "MEGATRON_FORMAT_DIR", megatron.resolve(input).toString(),
                  "HF_FORMAT_DIR", back.toString(),
                  "REF_HF_FORMAT_DIR", model.toString(),
                  "TOKENIZER_MODEL", model.toString(),
                  "PIPELINE_MODEL_PARALLEL", "1",
                  "TENSOR_MODEL_PARALLEL", "1",
                  "HF_PIPELINE_MODEL_PARALLEL", "2"));
      assertEquals(0, returned.code(), returned.err());
      assertEquals(
          List.of(
              "README.md",
              "config.json",
              "generation_config.json",
              "pytorch_model-00001-of-00002.bin",
              "pytorch_model-00002-of-00002.bin",
              "pytorch_model.bin.index.json",
              "special_tokens_map.json",
              "tokenizer.model",
              "tokenizer_config.json"),
          tree(back));
      assertSameWeights(model, back);
    }
    generatesTheSame(megatron);
  }

  private static void assertSameWeights(Path expected, Path actual) throws IOException {
    try (HuggingFaceCheckpoint a = HuggingFaceCheckpoint.open(expected);
        HuggingFaceCheckpoint b = HuggingFaceCheckpoint.open(actual)) {
      Map<String, TensorInfo> left = new LinkedHashMap<>();
      a.tensors().forEach(tensor -> left.put(tensor.name(), tensor));
      assertEquals(left.keySet().size(), b.tensors().size());
      for (TensorInfo tensor : b.tensors()) {
        assertEquals(left.get(tensor.name()), tensor);
        ByteBuffer before = ByteBuffer.allocate(Math.toIntExact(tensor.byteCount()));
        ByteBuffer after = ByteBuffer.allocate(before.capacity());
        a.read(tensor.name(), 0, before);
        b.read(tensor.name(), 0, after);
        assertArrayEquals(before.array(), after.array(), tensor.name());
      }
    }
  }

  /** The Hugging Face folder and the Megatron checkpoint made from it say the same. */
  private static void generatesTheSame(Path megatron) throws Exception {
    String[] sampling = {
      "--prepend-bos",
      "true",
      "--prompt",
      "床前明月",
      "--max-tokens",
      "12",
      "--temperature",
      "0.8",
      "--top-k",
      "20",
      "--seed",
      "7"
    };
    List<String> fromHuggingFace =
        new ArrayList<>(List.of("generate", "--model", model.toString()));
    fromHuggingFace.addAll(List.of(sampling));
    List<String> fromMegatron =
        new ArrayList<>(
            List.of(
                "generate", "--model", megatron.toString(), "--tokenizer-model", model.toString()));
    fromMegatron.addAll(List.of(sampling));
    Ended one = p4j(fromHuggingFace.toArray(String[]::new));
    Ended two = p4j(fromMegatron.toArray(String[]::new));
    assertEquals(0, one.code(), one.err());
    assertEquals(0, two.code(), two.err());
    assertTrue(one.err().contains("12 tokens after"), one.err());
    assertEquals(one.out(), two.out(), () -> one.err() + two.err());
  }

  @Test
  void servesUntilItIsTold() throws Exception {
    Path portFile = folder.resolve("port");
    Path log = folder.resolve("serve.log");
    Process process =
        command(
                Map.of(),
                home.resolve("bin/p4j").toString(),
                "serve",
                "--model",
                model.toString(),
                "--port",
                "0",
                "--port-file",
                portFile.toString(),
                "--model-name",
                "tiny")
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try (HttpClient client = HttpClient.newHttpClient()) {
      String address = "http://127.0.0.1:" + awaitReady(client, process, portFile, log);
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(address + "/v1/completions"))
              .header("Content-Type", "application/json")
              .POST(
                  HttpRequest.BodyPublishers.ofString(
                      "{\"prompt\":\"hello\",\"max_tokens\":4,\"seed\":1}"))
              .build();
      String answer = client.send(request, BodyHandlers.ofString()).body();
      assertEquals(
          4,
          new JsonMapper().readTree(answer).path("usage").path("completion_tokens").asInt(),
          answer);
      process.destroy(); // SIGTERM
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertTrue(Files.readString(log).contains("serve: stopping"), Files.readString(log));
      assertTrue(Files.notExists(portFile), "the port file goes with the server");
    } finally {
      process.destroyForcibly();
    }
  }

  /** The whole way: what one step writes, the next one takes as it is. */
  @Test
  void trainsConvertsAndDeploys() throws Exception {
    Path corpus = folder.resolve("way.jsonl");
    Files.copy(SharedFiles.resource("cli/docs2.jsonl"), corpus);
    succeed(
        p4j(
            "preprocess",
            "--input",
            corpus.toString(),
            "--output-prefix",
            folder.resolve("way").toString(),
            "--tokenizer-type",
            "Llama2Tokenizer",
            "--tokenizer-model",
            model.toString(),
            "--append-eod"));
    Path trained = folder.resolve("trained");
    Ended training =
        succeed(
            p4j(
                "train",
                "--hf-config",
                model.resolve("config.json").toString(),
                "--tokenizer-type",
                "Llama2Tokenizer",
                "--tokenizer-model",
                model.resolve("tokenizer.model").toString(),
                "--data-path",
                folder.resolve("way_text_document").toString(),
                "--split",
                "100,0,0",
                "--seq-length",
                "32",
                "--micro-batch-size",
                "2",
                "--global-batch-size",
                "4",
                "--train-iters",
                "3",
                "--lr",
                "1e-3",
                "--eval-iters",
                "0",
                "--log-interval",
                "1",
                "--save-interval",
                "3",
                "--save",
                trained.toString()));
    assertTrue(training.out().contains("iteration        3/       3"), training.out());
    Path converted = folder.resolve("converted");
    succeed(
        p4j(
            "convert",
            "--to",
            "huggingface",
            "--input",
            trained.toString(),
            "--output",
            converted.toString(),
            "--reference",
            model.toString(),
            "--tokenizer-model",
            model.toString()));
    String store = folder.resolve("store").toString();
    String[] stop = {"deploy", "stop", "--target", "local", "--name", "way", "--store", store};
    try (HttpClient client = HttpClient.newHttpClient()) {
      Ended deployed =
          succeed(
              p4j(
                  "deploy",
                  "--target",
                  "local",
                  "--name",
                  "way",
                  "--store",
                  store,
                  "--model",
                  converted.toString(),
                  "--max-tokens",
                  "3",
                  "--json"));
      JsonNode report = new JsonMapper().readTree(deployed.out());
      String address = report.path("endpoint").path("base").asText();
      assertEquals(3, report.path("firstAnswer").path("completionTokens").asInt(), deployed.out());
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(address + "/v1/completions"))
              .header("Content-Type", "application/json")
              .POST(
                  HttpRequest.BodyPublishers.ofString(
                      "{\"model\":\"way\",\"prompt\":\"hello\",\"max_tokens\":4,\"seed\":1}"))
              .build();
      String answer = client.send(request, BodyHandlers.ofString()).body();
      assertEquals("way", new JsonMapper().readTree(answer).path("model").asText(), answer);
      succeed(p4j(stop));
      assertThrows(ConnectException.class, () -> client.send(request, BodyHandlers.discarding()));
    } finally {
      p4j(stop); // nothing to do unless something above has failed
    }
  }

  private static Ended succeed(Ended ended) {
    assertEquals(0, ended.code(), ended::err);
    return ended;
  }

  private static String awaitReady(HttpClient client, Process process, Path portFile, Path log)
      throws Exception {
    for (int i = 0; i < 600; i++) {
      assertTrue(process.isAlive(), () -> "ended early, see " + log);
      if (Files.exists(portFile)) {
        String port = Files.readString(portFile).strip();
        HttpRequest health =
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/health")).build();
        if (client.send(health, BodyHandlers.discarding()).statusCode() == 200) {
          return port;
        }
      }
      Thread.sleep(100);
    }
    throw new AssertionError(Files.readString(log));
  }
}
