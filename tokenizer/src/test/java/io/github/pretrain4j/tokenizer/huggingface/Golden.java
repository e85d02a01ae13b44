package io.github.pretrain4j.tokenizer.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;

/** What Hugging Face's tokenizers 0.23.2 answers, copied into the test resources. */
final class Golden {
  static final List<String> MODELS = List.of("hf-bpe-gpt2", "hf-bpe-llama3", "hf-bpe-qwen2");

  static final ObjectMapper JSON = new ObjectMapper();

  private Golden() {}

  static Path folder(String name) {
    try {
      return Path.of(Objects.requireNonNull(Golden.class.getResource("/golden/" + name)).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  static List<JsonNode> lines(Path folder, String file) throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve(file))) {
      nodes.add(JSON.readTree(line));
    }
    return nodes;
  }

  static int[] ints(JsonNode array) {
    return JSON.convertValue(array, int[].class);
  }

  static HuggingFaceTokenizer load(String name) throws IOException {
    return load(name, TokenizerOptions.defaults());
  }

  static HuggingFaceTokenizer load(String name, TokenizerOptions options) throws IOException {
    return HuggingFaceTokenizer.load(folder(name).resolve("tokenizer.json"), options);
  }

  static LongStream seeds(int count) {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, count) : LongStream.of(replay);
  }
}
