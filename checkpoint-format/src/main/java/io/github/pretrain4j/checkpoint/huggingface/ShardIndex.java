package io.github.pretrain4j.checkpoint.huggingface;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which shard holds which tensor: {@code {"metadata": {…}, "weight_map": {tensor: file}}}.
 *
 * @param weightMap in the order of the file
 * @param totalSize as declared; null if absent or not a whole number
 */
record ShardIndex(
    Map<String, String> weightMap, @Nullable Long totalSize, @Nullable Long totalParameters) {
  private static final long MAX_BYTES = 256 << 20;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  ShardIndex {
    weightMap = Collections.unmodifiableMap(new LinkedHashMap<>(weightMap));
  }

  /** The shards, sorted by name, which is their order. */
  List<String> files() {
    return new ArrayList<>(new TreeSet<>(weightMap.values()));
  }

  List<String> tensorsOf(String file) {
    return weightMap.entrySet().stream()
        .filter(entry -> entry.getValue().equals(file))
        .map(Map.Entry::getKey)
        .toList();
  }

  static ShardIndex read(Path file) throws IOException {
    if (Files.size(file) > MAX_BYTES) {
      throw new CorruptCheckpointException(
          file, 0, "index size", "at most " + MAX_BYTES + " bytes", Files.size(file));
    }
    JsonNode root;
    try {
      // As text, since Jackson takes bytes for UTF-16 or UTF-32 when zeros are among them.
      root =
          JSON.readTree(
              StandardCharsets.UTF_8
                  .newDecoder()
                  .decode(ByteBuffer.wrap(Files.readAllBytes(file)))
                  .toString());
    } catch (CharacterCodingException e) {
      throw (CorruptCheckpointException)
          new CorruptCheckpointException(file, 0, "index", "UTF-8", "other bytes").initCause(e);
    } catch (JsonProcessingException e) {
      long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getCharOffset());
      throw (CorruptCheckpointException)
          new CorruptCheckpointException(file, at, "index", "JSON", e.getOriginalMessage())
              .initCause(e);
    }
    JsonNode map = root.path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw new CorruptCheckpointException(
          file, 0, "weight_map", "an object of tensors and files", map.getNodeType());
    }
    Map<String, String> weightMap = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      String shard = entry.getValue().asText();
      if (!entry.getValue().isTextual() || !isPlainName(shard)) {
        throw new CorruptCheckpointException(
            file,
            0,
            "weight_map of " + entry.getKey(),
            "the name of a file here",
            entry.getValue());
      }
      weightMap.put(entry.getKey(), shard);
    }
    JsonNode metadata = root.path("metadata");
    return new ShardIndex(
        weightMap, whole(metadata.path("total_size")), whole(metadata.path("total_parameters")));
  }

  private static @Nullable Long whole(JsonNode number) {
    return number.isIntegralNumber() && number.canConvertToLong() ? number.longValue() : null;
  }

  private static boolean isPlainName(String name) {
    return !name.isEmpty()
        && !name.startsWith(".")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c < ' ' || c == ':');
  }

  /**
   * As transformers writes it: two spaces, sorted keys, everything beyond ASCII escaped, a line
   * feed at the end.
   */
  byte[] toJson() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter(
                Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER))
            .withObjectIndenter(new DefaultIndenter("  ", "\n"));
    JsonFactory factory = JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    try (JsonGenerator json = factory.createGenerator(out)) {
      json.setPrettyPrinter(printer);
      json.writeStartObject();
      json.writeObjectFieldStart("metadata");
      if (totalParameters != null) {
        json.writeNumberField("total_parameters", totalParameters);
      }
      if (totalSize != null) {
        json.writeNumberField("total_size", totalSize);
      }
      json.writeEndObject();
      json.writeObjectFieldStart("weight_map");
      for (Map.Entry<String, String> entry : new TreeMap<>(weightMap).entrySet()) {
        json.writeStringField(entry.getKey(), entry.getValue());
      }
      json.writeEndObject();
      json.writeEndObject();
    }
    out.write('\n');
    return out.toByteArray();
  }
}
