package io.github.pretrain4j.tokenizer.sentencepiece;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The golden folders copied into the test resources: models made by SentencePiece 0.2.2's trainer,
 * and what its C++ library answers for them.
 */
final class Golden {
  static final List<String> SMALL =
      List.of("sp-bpe-bytefallback-1k", "sp-bpe-nodummy-usersym", "sp-unigram-2k");

  /** Models of some hundred pieces for what those do not have; also with places in the text. */
  static final List<String> TINY =
      List.of(
          "sp-bpe-rules-suffix",
          "sp-bpe-unused",
          "sp-char-bytefallback",
          "sp-unigram-suffix",
          "sp-unigram-usersym-bytefallback",
          "sp-word");

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

  static int[] ids(JsonNode line) {
    return JSON.convertValue(line.get("ids"), int[].class);
  }
}
