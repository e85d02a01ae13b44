package io.github.pretrain4j.tokenizer.huggingface;

import java.util.List;
import java.util.Map;

/**
 * A JSON value with the byte at which it begins: for the small parts of a file, where a message
 * should say where.
 *
 * @param kind what it is
 * @param byteOffset where it begins
 * @param text of a string or a number, otherwise empty
 * @param elements of an array, otherwise empty
 * @param members of an object in their order, otherwise empty
 */
record JsonValue(
    Kind kind,
    int byteOffset,
    String text,
    List<JsonValue> elements,
    Map<String, JsonValue> members) {

  /** What JSON knows. */
  enum Kind {
    NULL,
    BOOLEAN,
    NUMBER,
    STRING,
    ARRAY,
    OBJECT
  }

  static JsonValue nothing(int byteOffset) {
    return new JsonValue(Kind.NULL, byteOffset, "null", List.of(), Map.of());
  }

  static JsonValue bool(int byteOffset, boolean value) {
    return new JsonValue(Kind.BOOLEAN, byteOffset, Boolean.toString(value), List.of(), Map.of());
  }

  static JsonValue number(int byteOffset, String text) {
    return new JsonValue(Kind.NUMBER, byteOffset, text, List.of(), Map.of());
  }

  static JsonValue string(int byteOffset, String text) {
    return new JsonValue(Kind.STRING, byteOffset, text, List.of(), Map.of());
  }

  static JsonValue array(int byteOffset, List<JsonValue> elements) {
    return new JsonValue(Kind.ARRAY, byteOffset, "", elements, Map.of());
  }

  static JsonValue object(int byteOffset, Map<String, JsonValue> members) {
    return new JsonValue(Kind.OBJECT, byteOffset, "", List.of(), members);
  }

  boolean isNull() {
    return kind == Kind.NULL;
  }

  boolean isTrue() {
    return kind == Kind.BOOLEAN && text.equals("true");
  }

  /** What it is, for a message. */
  String describe() {
    return switch (kind) {
      case NULL, BOOLEAN, NUMBER -> text;
      case STRING -> "\"" + text + "\"";
      case ARRAY -> "an array";
      case OBJECT -> "an object";
    };
  }
}
