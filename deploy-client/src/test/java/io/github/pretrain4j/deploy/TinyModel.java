package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A Hugging Face folder of a few kilobytes: 2 layers, hidden size 4, vocabulary 16, two shards. */
public final class TinyModel {
  private static final String CONFIG =
      """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 16,
       "hidden_size": 4, "num_hidden_layers": 2, "bos_token_id": 1, "eos_token_id": 2,
       "tie_word_embeddings": false, "torch_dtype": "float32", "rope_theta": 10000.0,
       "transformers_version": "4.39.3"}
      """;

  private TinyModel() {}

  /** Writes it to {@code directory}; another seed gives other weights. */
  public static Path write(Path directory, long seed) throws IOException {
    Files.createDirectories(directory);
    text(directory, "config.json", CONFIG);
    text(
        directory,
        "generation_config.json",
        "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"transformers_version\": \"4.39.3\"}");
    text(
        directory,
        "tokenizer_config.json",
        "{\"tokenizer_class\": \"LlamaTokenizer\", \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
    text(
        directory,
        "special_tokens_map.json",
        "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}}");
    Files.write(directory.resolve("tokenizer.model"), sentencePiece(16));
    text(directory, "README.md", "A model for tests.");
    Random random = new Random(seed);
    Map<String, List<Long>> first = new LinkedHashMap<>();
    first.put("model.embed_tokens.weight", List.of(16L, 4L));
    first.put("model.layers.0.input_layernorm.weight", List.of(4L));
    Map<String, List<Long>> second = new LinkedHashMap<>();
    second.put("model.layers.1.input_layernorm.weight", List.of(4L));
    second.put("lm_head.weight", List.of(16L, 4L));
    String one = "model-00001-of-00002.safetensors";
    String two = "model-00002-of-00002.safetensors";
    Files.write(directory.resolve(one), safetensors(first, random));
    Files.write(directory.resolve(two), safetensors(second, random));
    ObjectNode index = Json.mapper().createObjectNode();
    index.putObject("metadata").put("total_size", (64 + 4 + 4 + 64) * 4);
    ObjectNode map = index.putObject("weight_map");
    first.keySet().forEach(name -> map.put(name, one));
    second.keySet().forEach(name -> map.put(name, two));
    text(directory, "model.safetensors.index.json", index.toPrettyString());
    return directory;
  }

  public static void text(Path directory, String file, String text) throws IOException {
    Files.writeString(directory.resolve(file), text, StandardCharsets.UTF_8);
  }

  /** A SentencePiece model of that many pieces, without scores. */
  static byte[] sentencePiece(int pieces) {
    ByteBuffer bytes = ByteBuffer.allocate(pieces * 5);
    for (int i = 0; i < pieces; i++) {
      bytes.put(new byte[] {0x0a, 3, 0x0a, 1, (byte) ('a' + i)});
    }
    return bytes.array();
  }

  static byte[] safetensors(Map<String, List<Long>> shapes, Random random) {
    ObjectNode header = Json.mapper().createObjectNode();
    long at = 0;
    for (Map.Entry<String, List<Long>> entry : shapes.entrySet()) {
      long bytes = 4 * entry.getValue().stream().reduce(1L, Math::multiplyExact);
      ObjectNode tensor = header.putObject(entry.getKey()).put("dtype", "F32");
      entry.getValue().forEach(tensor.putArray("shape")::add);
      tensor.putArray("data_offsets").add(at).add(at + bytes);
      at += bytes;
    }
    return safetensors(header.toString(), (int) at, random);
  }

  static byte[] safetensors(String header, int dataBytes, Random random) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    byte[] data = new byte[dataBytes];
    random.nextBytes(data);
    return ByteBuffer.allocate(8 + json.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(data)
        .array();
  }
}
