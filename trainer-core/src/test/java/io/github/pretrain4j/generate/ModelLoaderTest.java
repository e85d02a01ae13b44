package io.github.pretrain4j.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamilies;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real models of Hugging Face's and Megatron's making, and what transformers computes with them.
 */
class ModelLoaderTest {

  private static final Path LLAMA = SharedFiles.resource("golden/hf/llama");

  /** Ids of the recorded models. */
  private static final int VOCABULARY = 512;

  /** fp32 sums in another order move these logits by up to 6e-6. */
  private static final float TOLERANCE = 2e-5f;

  private static final ModelLoader.Options OPTIONS = ModelLoader.Options.defaults();

  private static Generator load(Path model, ModelLoader.Options options) throws IOException {
    return ModelLoader.load(model, new ByteTokenizer(VOCABULARY), options);
  }

  @Test
  void cachedLogitsAreThoseOfTransformers() throws IOException {
    comparesWithTransformers(LLAMA);
  }

  @Test
  void generatingWithTheCacheIsRecomputingEverything() throws IOException {
    comparesWithRecomputation(LLAMA.resolve("safetensors"));
  }

  @TestFactory
  List<DynamicTest> otherFamilies() {
    List<DynamicTest> tests = new ArrayList<>();
    SharedFiles.golden()
        .ifPresent(
            golden -> {
              for (String name :
                  List.of(
                      "llama-tied", "mistral", "qwen2", "llama-rope-linear", "llama-rope-llama3")) {
                Path folder = golden.resolve("hf").resolve(name);
                tests.add(DynamicTest.dynamicTest(name, () -> comparesWithTransformers(folder)));
                tests.add(
                    DynamicTest.dynamicTest(
                        name + " recomputed",
                        () -> comparesWithRecomputation(folder.resolve("safetensors"))));
              }
            });
    return tests;
  }

  /** Megatron's own files: the same weights, however they are split, give the same bits. */
  @TestFactory
  List<DynamicTest> megatronCheckpoints() {
    List<DynamicTest> tests = new ArrayList<>();
    SharedFiles.golden()
        .ifPresent(
            golden -> {
              for (String layout : List.of("tp1pp1", "tp1pp2", "tp2pp1", "tp2pp2")) {
                Path checkpoint = golden.resolve("megatron").resolve("llama_mcore_local_" + layout);
                tests.add(DynamicTest.dynamicTest(layout, () -> sameBits(checkpoint)));
              }
            });
    return tests;
  }

  private static void sameBits(Path checkpoint) throws IOException {
    try (Generator ours = load(LLAMA.resolve("safetensors"), OPTIONS);
        Generator theirs = load(checkpoint, OPTIONS.withFamily("llama"));
        NextTokenModel.Session a = ours.model().open();
        NextTokenModel.Session b = theirs.model().open()) {
      int[] prompt = {1, 77, 300, 5, 511};
      assertArrayEquals(a.append(prompt), b.append(prompt));
    }
  }

  /** Token by token over the cache, against transformers' logits of the whole sequence. */
  private static void comparesWithTransformers(Path folder) throws IOException {
    try (SafetensorsReader reference =
            SafetensorsReader.open(folder.resolve("reference.safetensors"));
        Generator generator = load(folder.resolve("safetensors"), OPTIONS)) {
      List<Long> shape = reference.get("input_ids").shape();
      int length = Math.toIntExact(shape.get(1));
      long[] ids = longs(reference, "input_ids");
      float[] expected = floats(reference, "logits");
      for (int sequence = 0; sequence < shape.get(0); sequence++) {
        try (NextTokenModel.Session session = generator.model().open()) {
          for (int t = 0; t < length; t++) {
            int row = sequence * length + t;
            float[] logits = session.append(new int[] {Math.toIntExact(ids[row])});
            float[] wanted = Arrays.copyOfRange(expected, row * VOCABULARY, (row + 1) * VOCABULARY);
            assertArrayEquals(wanted, logits, TOLERANCE, "position " + t);
            assertEquals(greatest(wanted), new Sampler(SamplingConfig.greedy(1)).next(logits, 0));
          }
        }
      }
    }
  }

  private static int greatest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private static void comparesWithRecomputation(Path model) throws IOException {
    int[] prompt = {1, 42, 7, 400, 99};
    SamplingConfig sampling = new SamplingConfig(1, 40, 0.95, 5, 24, List.of());
    try (Generator generator = load(model, OPTIONS)) {
      Generation cached = generator.generate(prompt, sampling, text -> true);
      List<Integer> context = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
      List<Integer> recomputed = new ArrayList<>();
      Sampler sampler = new Sampler(sampling);
      while (recomputed.size() < cached.tokens().size()) {
        try (NextTokenModel.Session session = generator.model().open()) {
          float[] logits = session.append(context.stream().mapToInt(Integer::intValue).toArray());
          int next = sampler.next(logits, recomputed.size());
          recomputed.add(next);
          context.add(next);
        }
      }
      assertEquals(recomputed, cached.tokens());
      assertEquals(cached, generator.generate(prompt, sampling, text -> true));
    }
  }

  @Test
  void aTokenizerWithMoreIdsThanTheEmbeddingHasRowsIsRefused() {
    MismatchedModelException e =
        assertThrows(
            MismatchedModelException.class,
            () -> ModelLoader.load(LLAMA.resolve("safetensors"), new ByteTokenizer(513), OPTIONS));
    assertEquals(
        LLAMA.resolve("safetensors")
            + ": tokenizer: expected at most 512 ids, the rows of the embedding, found 513",
        e.getMessage());
  }

  @Test
  void aSentencePieceModelWithFewerIdsThanTheVocabularyIsRefused(@TempDir Path folder)
      throws IOException {
    Path model = folder.resolve("model");
    Files.createDirectories(model);
    String config = Files.readString(LLAMA.resolve("safetensors/config.json"));
    Files.writeString(
        model.resolve("config.json"),
        config.replaceFirst("\"vocab_size\": \\d+", "\"vocab_size\": 1001"));
    HuggingFaceConfig source = HuggingFaceConfig.read(model);
    List<TensorInfo> tensors =
        ModelFamilies.find("llama")
            .weights(ModelFamilies.installed().config(source))
            .huggingFaceTensors(DataType.F32);
    SafetensorsWriter.write(
        model.resolve("model.safetensors"),
        tensors,
        Map.of("format", "pt"),
        (tensor, out) -> out.write(ByteBuffer.allocate(Math.toIntExact(tensor.byteCount()))));
    Path tokenizer = folder.resolve("tokenizer.model");
    Files.copy(SharedFiles.resource("cli/sp-bpe-bytefallback-1k.model"), tokenizer);
    ModelLoader.Options options = OPTIONS.withTokenizer(tokenizer);
    MismatchedModelException e =
        assertThrows(MismatchedModelException.class, () -> ModelLoader.load(model, options));
    assertEquals(
        model
            + ": tokenizer: expected 1001 ids, the model's vocabulary, found 1000: this is another"
            + " model's tokenizer.model; give the one it was trained with",
        e.getMessage());
    Files.writeString(folder.resolve("added_tokens.json"), "{\"<extra>\": 1000}");
    ModelLoader.load(model, options).close();
  }

  @Test
  void idsAboveTheTokenizersAreNeverGenerated() throws IOException {
    try (Generator generator =
        ModelLoader.load(LLAMA.resolve("safetensors"), new ByteTokenizer(300), OPTIONS)) {
      assertEquals(300, generator.vocabularySize());
      SamplingConfig hot = new SamplingConfig(50, 0, 1, 1, 200, List.of());
      Generation said = generator.generate(new int[] {1}, hot, text -> true);
      assertEquals(List.of(), said.tokens().stream().filter(id -> id >= 300).toList());
    }
  }

  @Test
  void wrongOptionsAreRefused() {
    Path model = LLAMA.resolve("safetensors");
    assertThrows(IllegalArgumentException.class, () -> ModelLoader.load(LLAMA, OPTIONS));
    ModelLoader.Options tooLong = new ModelLoader.Options(null, null, "auto", 1, 4097, null);
    assertThrows(IllegalArgumentException.class, () -> load(model, tooLong));
    ModelLoader.Options nowhere = new ModelLoader.Options(null, null, "abacus", 1, null, null);
    assertThrows(IllegalArgumentException.class, () -> load(model, nowhere));
  }

  private static float[] floats(SafetensorsReader reader, String name) throws IOException {
    float[] values = new float[Math.toIntExact(reader.get(name).elementCount())];
    bytes(reader, name).asFloatBuffer().get(values);
    return values;
  }

  private static long[] longs(SafetensorsReader reader, String name) throws IOException {
    long[] values = new long[Math.toIntExact(reader.get(name).elementCount())];
    bytes(reader, name).asLongBuffer().get(values);
    return values;
  }

  private static ByteBuffer bytes(SafetensorsReader reader, String name) throws IOException {
    TensorInfo info = reader.get(name);
    ByteBuffer buffer =
        ByteBuffer.allocate(Math.toIntExact(info.byteCount())).order(ByteOrder.LITTLE_ENDIAN);
    reader.read(name, 0, buffer);
    return buffer.flip().order(ByteOrder.LITTLE_ENDIAN);
  }
}
