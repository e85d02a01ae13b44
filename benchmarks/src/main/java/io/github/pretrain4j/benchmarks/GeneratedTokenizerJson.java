package io.github.pretrain4j.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A small byte-level tokenizer in the manner of Qwen2, with merges learned from {@link
 * GeneratedText} in the simplest way: for a benchmark that runs everywhere.
 */
final class GeneratedTokenizerJson {
  static final String FILE_NAME = "tokenizer.json";

  private static final int MERGES = 400;
  private static final int TRAINING_BYTES = 40_000;
  private static final String PATTERN =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private GeneratedTokenizerJson() {}

  /** Writes the file into a folder. */
  static Path write(Path folder) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode vocabulary = mapper.createObjectNode();
    for (int b = 0; b < 256; b++) {
      vocabulary.put(character(b), b);
    }
    ArrayNode merges = mapper.createArrayNode();
    for (List<String> pair : learn()) {
      String merged = pair.get(0) + pair.get(1);
      if (!vocabulary.has(merged)) {
        vocabulary.put(merged, vocabulary.size());
      }
      merges.addArray().add(pair.get(0)).add(pair.get(1));
    }
    ObjectNode root = mapper.createObjectNode().put("version", "1.0");
    root.putArray("added_tokens");
    root.putObject("normalizer").put("type", "NFC");
    ArrayNode steps =
        root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
    ObjectNode split = steps.addObject().put("type", "Split");
    split.putObject("pattern").put("Regex", PATTERN);
    split.put("behavior", "Isolated").put("invert", false);
    steps.add(byteLevel(mapper));
    root.set("post_processor", byteLevel(mapper));
    root.set("decoder", byteLevel(mapper));
    ObjectNode model = root.putObject("model").put("type", "BPE");
    model.set("vocab", vocabulary);
    model.set("merges", merges);
    return Files.writeString(folder.resolve(FILE_NAME), root.toString());
  }

  private static ObjectNode byteLevel(ObjectMapper mapper) {
    return mapper
        .createObjectNode()
        .put("type", "ByteLevel")
        .put("add_prefix_space", false)
        .put("trim_offsets", false)
        .put("use_regex", false);
  }

  /** The most frequent pair, again and again. */
  private static List<List<String>> learn() {
    Map<List<String>, Integer> words = new HashMap<>();
    String text = new GeneratedText(2).sentence(TRAINING_BYTES);
    for (String word : text.split("(?= )", -1)) {
      List<String> symbols = new ArrayList<>();
      for (byte b : word.getBytes(StandardCharsets.UTF_8)) {
        symbols.add(character(b & 0xFF));
      }
      words.merge(symbols, 1, Integer::sum);
    }
    List<List<String>> learned = new ArrayList<>();
    while (learned.size() < MERGES) {
      Map<List<String>, Integer> counts = new HashMap<>();
      words.forEach(
          (symbols, count) -> {
            for (int i = 0; i + 1 < symbols.size(); i++) {
              counts.merge(List.copyOf(symbols.subList(i, i + 2)), count, Integer::sum);
            }
          });
      List<String> best =
          counts.entrySet().stream()
              .max(
                  Map.Entry.<List<String>, Integer>comparingByValue()
                      .thenComparing(entry -> String.join(" ", entry.getKey())))
              .orElseThrow()
              .getKey();
      learned.add(best);
      Map<List<String>, Integer> merged = new HashMap<>();
      words.forEach((symbols, count) -> merged.merge(merge(symbols, best), count, Integer::sum));
      words = merged;
    }
    return learned;
  }

  private static List<String> merge(List<String> symbols, List<String> pair) {
    List<String> merged = new ArrayList<>();
    for (int i = 0; i < symbols.size(); i++) {
      if (i + 1 < symbols.size() && symbols.subList(i, i + 2).equals(pair)) {
        merged.add(pair.get(0) + pair.get(1));
        i++;
      } else {
        merged.add(symbols.get(i));
      }
    }
    return merged;
  }

  /** The printable character that stands for a byte in such vocabularies. */
  private static String character(int b) {
    int moved = 256;
    for (int i = 0; i <= b; i++) {
      boolean printable = (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;
      if (i == b) {
        return Character.toString(printable ? i : moved);
      }
      moved += printable ? 0 : 1;
    }
    throw new IllegalArgumentException("byte " + b);
  }
}
