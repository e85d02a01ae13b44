package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The nested dictionary of a model before Megatron-Core: one level for a part of the model, flat
 * names within the encoder.
 */
final class LegacyDictionary {
  private static final String ENCODER = "language_model.encoder.";

  private LegacyDictionary() {}

  /** From keys joined by dots. */
  static PickleObject.PyDict of(Map<String, PickleObject> flat) {
    Map<String, Object> tree = new LinkedHashMap<>();
    flat.forEach(
        (key, value) -> {
          if (key.startsWith(ENCODER)) {
            Map<String, Object> encoder = child(child(tree, "language_model"), "encoder");
            encoder.put(key.substring(ENCODER.length()), value);
            return;
          }
          Map<String, Object> node = tree;
          int from = 0;
          for (int dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', from)) {
            node = child(node, key.substring(from, dot));
            from = dot + 1;
          }
          node.put(key.substring(from), value);
        });
    return freeze(tree);
  }

  @SuppressWarnings("unchecked") // what child() put there is such a map
  private static Map<String, Object> child(Map<String, Object> node, String key) {
    return (Map<String, Object>) node.computeIfAbsent(key, name -> new LinkedHashMap<>());
  }

  private static PickleObject.PyDict freeze(Map<String, Object> node) {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    node.forEach(
        (key, value) -> {
          if (value instanceof PickleObject leaf) {
            entries.put(key, leaf);
          } else {
            entries.put(key, freeze(child(node, key)));
          }
        });
    return PickleObject.PyDict.of(entries);
  }
}
