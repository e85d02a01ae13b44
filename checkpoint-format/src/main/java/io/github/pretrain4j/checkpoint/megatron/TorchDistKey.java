package io.github.pretrain4j.checkpoint.megatron;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a key of a {@code torch_dist} checkpoint means.
 *
 * <p>Keys are Megatron-Core's names with these differences: layers and experts that are stacked on
 * axes in front have no number, experts are under {@code experts.experts}, and norms are called as
 * in Transformer Engine's fused layers whatever the model was built of. Wrappers put {@code model.}
 * or {@code module.} in front.
 *
 * @param state {@code exp_avg}, {@code exp_avg_sq}, {@code fp32_param} (which the distributed
 *     optimizer calls {@code param}), …; empty for the model
 * @param parameterKey the key without what says that it is an optimizer's state
 * @param before canonical name up to the layer's number; all of it if there is no layer axis
 * @param between canonical name from there to the expert's number; all the rest if there is no
 *     expert axis
 * @param after the rest
 * @param layerAxis whether the layer's number comes from an axis
 * @param expertAxis whether the expert's number comes from an axis
 * @param half 0 or 1 if only the gate or only the up half of a gated layer, else -1
 */
record TorchDistKey(
    String state,
    String parameterKey,
    String before,
    String between,
    String after,
    boolean layerAxis,
    boolean expertAxis,
    int half) {
  private static final Pattern WRAPPER = Pattern.compile("(?:model\\.|module\\.)*");
  private static final Pattern STATE =
      Pattern.compile("(?:chained_\\d+\\.)?optimizer\\.state\\.([a-z0-9_]+)\\.(.+)");
  private static final Pattern LAYER =
      Pattern.compile("(decoder\\.layers\\.)(?:(\\d{1,9})\\.)?(.+)");
  private static final Pattern MTP_LAYER = Pattern.compile("(mtp\\.layers\\.\\d{1,9}\\.)(.+)");
  private static final Pattern MTP_INNER =
      Pattern.compile("(?:transformer_layer|mtp_model_layer)\\.(.+)");
  private static final Pattern EXPERT =
      Pattern.compile("mlp\\.experts\\.experts\\.(?:(\\d{1,9})\\.)?(linear_fc[12]\\..+)");
  private static final Pattern IGNORED =
      Pattern.compile("(?:.*\\.)?(?:_extra_state\\d*|rotary_pos_emb\\.inv_freq)(?:/shard_.*)?");

  /** Whether a tensor of that key is no parameter. */
  static boolean isIgnored(String key) {
    return IGNORED.matcher(key).matches();
  }

  /** Whether a key belongs to the state of an optimizer, in whatever form. */
  static boolean isOptimizer(String key) {
    return key.startsWith("optimizer.") || key.matches("chained_\\d+\\.optimizer\\..*");
  }

  /** The meaning of a key; null if it has none. */
  static @Nullable TorchDistKey parse(String key) {
    Matcher optimizer = STATE.matcher(key);
    String state = "";
    String name = key;
    if (optimizer.matches()) {
      state = optimizer.group(1).equals("param") ? "fp32_param" : optimizer.group(1);
      name = optimizer.group(2);
    }
    String parameter = name;
    Matcher wrapper = WRAPPER.matcher(name);
    if (wrapper.lookingAt()) {
      name = name.substring(wrapper.end());
    }
    int half = -1;
    if (name.endsWith("linear_fc1.weight_w") || name.endsWith("linear_fc1.bias_w")) {
      half = 0;
    } else if (name.endsWith("linear_fc1.weight_v") || name.endsWith("linear_fc1.bias_v")) {
      half = 1;
    }
    if (half >= 0) {
      name = name.substring(0, name.length() - 2);
    }
    Matcher layer = LAYER.matcher(name);
    if (layer.matches()) {
      boolean axis = layer.group(2) == null;
      String before = layer.group(1) + (axis ? "" : layer.group(2));
      return inLayer(state, parameter, before, ".", layer.group(3), axis, half);
    }
    Matcher mtp = MTP_LAYER.matcher(name);
    if (mtp.matches()) {
      Matcher inner = MTP_INNER.matcher(mtp.group(2));
      return inner.matches()
          ? inLayer(
              state,
              parameter,
              mtp.group(1) + "transformer_layer",
              ".",
              inner.group(1),
              false,
              half)
          : new TorchDistKey(state, parameter, name, "", "", false, false, half);
    }
    boolean known =
        name.startsWith("embedding.")
            || name.startsWith("decoder.final_layernorm.")
            || name.startsWith("output_layer.");
    return known ? new TorchDistKey(state, parameter, name, "", "", false, false, half) : null;
  }

  private static TorchDistKey inLayer(
      String state,
      String parameter,
      String before,
      String dot,
      String rest,
      boolean layerAxis,
      int half) {
    Matcher expert = EXPERT.matcher(rest);
    if (expert.matches()) {
      boolean axis = expert.group(1) == null;
      return new TorchDistKey(
          state,
          parameter,
          before,
          dot + "mlp.experts.local_experts." + (axis ? "" : expert.group(1)),
          "." + expert.group(2),
          layerAxis,
          axis,
          half);
    }
    return new TorchDistKey(
        state, parameter, before, dot + canonical(rest), "", layerAxis, false, half);
  }

  /** The local specification's name of a norm. */
  private static String canonical(String rest) {
    int fused = rest.indexOf(".layer_norm_");
    if (fused < 0) {
      return rest;
    }
    String parameter = rest.substring(fused + ".layer_norm_".length());
    return switch (rest.substring(0, fused)) {
      case "self_attention.linear_qkv" -> "input_layernorm." + parameter;
      case "mlp.linear_fc1" -> "pre_mlp_layernorm." + parameter;
      case "self_attention.linear_q_up_proj" -> "self_attention.q_layernorm." + parameter;
      case "self_attention.linear_kv_up_proj" -> "self_attention.kv_layernorm." + parameter;
      default -> rest;
    };
  }

  /** How many axes in front are not the parameter's own. */
  int stackedAxes() {
    return (layerAxis ? 1 : 0) + (expertAxis ? 1 : 0);
  }

  /** The canonical name; a number is used only if there is such an axis. */
  String name(long layer, long expert) {
    return before
        + (layerAxis ? Long.toString(layer) : "")
        + between
        + (expertAxis ? Long.toString(expert) : "")
        + after;
  }
}
