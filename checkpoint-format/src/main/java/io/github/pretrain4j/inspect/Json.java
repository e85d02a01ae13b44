package io.github.pretrain4j.inspect;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.TensorInfo;

/** How reports become JSON. */
final class Json {
  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private Json() {}

  static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  static void describe(ObjectNode node, TensorInfo info) {
    node.put("name", info.name()).put("type", info.type().torchName());
    info.shape().forEach(node.putArray("shape")::add);
    node.put("bytes", info.byteCount());
  }

  static String text(ObjectNode node) {
    try {
      return MAPPER.writeValueAsString(node) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of strings and numbers", e);
    }
  }
}
