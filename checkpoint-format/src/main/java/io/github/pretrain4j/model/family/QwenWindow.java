package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.TransformerConfig;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The sliding window of the Qwen families. It needs {@code use_sliding_window}, and then covers the
 * layers from {@code max_window_layers} on: none or all of them here, because a window on some
 * layers only has no place in {@link TransformerConfig}.
 */
final class QwenWindow {
  private static final int WINDOW_DEFAULT = 4096;
  private static final int FULL_LAYERS_DEFAULT = 28;

  private QwenWindow() {}

  /** {@code config} with the window that {@code source} says. */
  static TransformerConfig read(HuggingFaceConfig source, TransformerConfig config) {
    int window = window(source, config);
    List<String> layers = source.texts("layer_types");
    String all = window > 0 ? "sliding_attention" : "full_attention";
    if (!layers.isEmpty()
        && (layers.size() != config.numLayers() || !layers.stream().allMatch(all::equals))) {
      throw source.invalid("layer_types", all + " for each of " + config.numLayers() + " layers");
    }
    return config.withSlidingWindow(window);
  }

  private static int window(HuggingFaceConfig source, TransformerConfig config) {
    if (!source.flagOr("use_sliding_window", false)) {
      return 0;
    }
    int fullLayers = source.integerOr("max_window_layers", FULL_LAYERS_DEFAULT);
    if (fullLayers >= config.numLayers()) {
      return 0;
    }
    if (fullLayers > 0) {
      throw source.invalid("max_window_layers", "0 or at least " + config.numLayers());
    }
    return source.sizeOr("sliding_window", WINDOW_DEFAULT);
  }

  /** Writes what {@link #read} reads. */
  static void write(TransformerConfig config, Map<String, @Nullable Object> fields) {
    boolean window = config.slidingWindow() > 0;
    fields.put("use_sliding_window", window);
    fields.put("max_window_layers", window ? 0 : config.numLayers());
  }
}
