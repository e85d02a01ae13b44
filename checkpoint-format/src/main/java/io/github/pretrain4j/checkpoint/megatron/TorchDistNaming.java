package io.github.pretrain4j.checkpoint.megatron;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which key of a {@code torch_dist} checkpoint a canonical name goes to, and where on its axes: the
 * inverse of {@link TorchDistKey}.
 */
final class TorchDistNaming {
  private static final Pattern LAYER = Pattern.compile("decoder\\.layers\\.(\\d{1,9})\\.(.+)");
  private static final Pattern MTP =
      Pattern.compile("(mtp\\.layers\\.\\d{1,9}\\.transformer_layer\\.)(.+)");
  private static final Pattern EXPERT =
      Pattern.compile("mlp\\.experts\\.local_experts\\.(\\d{1,9})\\.(linear_fc[12]\\..+)");
  private static final String QKV = "self_attention.linear_qkv.";
  private static final String FC1 = "mlp.linear_fc1.";

  /**
   * A place for a tensor.
   *
   * @param key without axes' numbers
   * @param layer its number on the layer axis, or -1 if there is none
   * @param expert its number on the expert axis, or -1 if there is none
   */
  record Place(String key, int layer, int expert) {
    /** Indices on the axes in front. */
    List<Long> index() {
      List<Long> index = new ArrayList<>();
      if (layer >= 0) {
        index.add((long) layer);
      }
      if (expert >= 0) {
        index.add((long) expert);
      }
      return index;
    }
  }

  /** What decides the names of a layer's norms. */
  private static final class Block {
    boolean fusedQkv;
    boolean latentAttention;
    boolean experts;
  }

  private final boolean transformerEngine;
  private final boolean layerAxis;
  private final Map<String, Block> blocks = new HashMap<>();

  /**
   * For a model of these names.
   *
   * @param layerAxis layers on an axis, not in the key
   */
  TorchDistNaming(Collection<String> canonical, LayerSpec layerSpec, boolean layerAxis) {
    if (layerSpec == LayerSpec.LEGACY) {
      throw new IllegalArgumentException(
          "models before Megatron-Core have no checkpoints of the torch_dist format");
    }
    this.transformerEngine = layerSpec == LayerSpec.TRANSFORMER_ENGINE;
    this.layerAxis = layerAxis;
    for (String name : canonical) {
      String prefix = blockOf(name);
      if (!prefix.isEmpty()) {
        Block block = blocks.computeIfAbsent(prefix, key -> new Block());
        String rest = name.substring(prefix.length());
        block.fusedQkv |= rest.equals(QKV + "weight");
        block.latentAttention |= rest.startsWith("self_attention.linear_kv_down_proj.");
        block.experts |= rest.startsWith("mlp.router.") || rest.startsWith("mlp.experts.");
      }
    }
  }

  /** The layer's prefix with its last dot; empty outside layers. */
  private static String blockOf(String name) {
    Matcher layer = LAYER.matcher(name);
    if (layer.matches()) {
      return name.substring(0, layer.start(2));
    }
    Matcher mtp = MTP.matcher(name);
    return mtp.matches() ? mtp.group(1) : "";
  }

  Place place(String canonical) {
    String prefix = blockOf(canonical);
    if (prefix.isEmpty()) {
      return new Place(canonical, -1, -1);
    }
    Matcher layer = LAYER.matcher(canonical);
    boolean onAxis = layerAxis && layer.matches();
    String rest = canonical.substring(prefix.length());
    Matcher expert = EXPERT.matcher(rest);
    boolean isExpert = expert.matches();
    String key =
        (onAxis ? "decoder.layers." : prefix)
            + (isExpert
                ? "mlp.experts.experts." + expert.group(2)
                : norm(rest, blocks.getOrDefault(prefix, new Block())));
    return new Place(
        key,
        onAxis ? Integer.parseInt(layer.group(1)) : -1,
        isExpert ? Integer.parseInt(expert.group(1)) : -1);
  }

  /**
   * Where Megatron's layer specifications put norms: into the linear layer behind, whatever the
   * model is built of, unless that layer is not alone (experts, latent attention).
   */
  private String norm(String rest, Block block) {
    String parameter = rest.substring(rest.lastIndexOf('.') + 1);
    switch (rest.substring(0, Math.max(0, rest.lastIndexOf('.')))) {
      case "input_layernorm" -> {
        return block.fusedQkv ? QKV + "layer_norm_" + parameter : rest;
      }
      case "pre_mlp_layernorm" -> {
        boolean fused = transformerEngine ? !block.experts : !block.latentAttention;
        return fused ? FC1 + "layer_norm_" + parameter : rest;
      }
      case "self_attention.q_layernorm" -> {
        return transformerEngine && block.latentAttention
            ? "self_attention.linear_q_up_proj.layer_norm_" + parameter
            : rest;
      }
      case "self_attention.kv_layernorm" -> {
        return transformerEngine
            ? "self_attention.linear_kv_up_proj.layer_norm_" + parameter
            : rest;
      }
      default -> {
        return rest;
      }
    }
  }
}
