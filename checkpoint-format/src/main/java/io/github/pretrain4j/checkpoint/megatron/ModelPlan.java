package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Where whole tensors go in the files of the {@code torch} format: checked first, then the
 * dictionaries of each rank in the order of Megatron's modules.
 */
final class ModelPlan {
  /** The modules of a layer under the local specification, in the order of Megatron-Core. */
  private static final List<String> MODULES =
      List.of(
          "input_layernorm",
          "self_attention.linear_proj",
          "self_attention.linear_qkv",
          "self_attention.linear_q_proj",
          "self_attention.linear_q_down_proj",
          "self_attention.linear_q_up_proj",
          "self_attention.linear_kv_down_proj",
          "self_attention.linear_kv_up_proj",
          "self_attention.q_layernorm",
          "self_attention.k_layernorm",
          "self_attention.kv_layernorm",
          "pre_mlp_layernorm",
          "mlp.linear_fc1",
          "mlp.linear_fc2",
          "mlp.router",
          "mlp.experts",
          "mlp.shared_experts",
          "mlp.shared_experts.linear_fc1",
          "mlp.shared_experts.linear_fc2");

  private static final List<String> PARAMETERS =
      List.of("gate_weight", "weight", "bias", "expert_bias");

  /** The linear layer in front of which Transformer Engine normalises, and the norm. */
  private static final Map<String, String> FUSED_NORMS =
      Map.of(
          "self_attention.linear_qkv", "input_layernorm",
          "mlp.linear_fc1", "pre_mlp_layernorm",
          "self_attention.linear_q_up_proj", "self_attention.q_layernorm",
          "self_attention.linear_kv_up_proj", "self_attention.kv_layernorm");

  private static final String EXPERTS = "mlp.experts";
  private static final String EXPERT = "mlp.experts.local_experts.";
  private static final List<String> FC = List.of("linear_fc1", "linear_fc2");
  private static final double LEGACY_ROTARY_BASE = 10000;

  /**
   * An entry of a model's dictionary.
   *
   * @param parameter what it holds; null for an {@code _extra_state}, which is None
   */
  record Entry(int chunk, String key, @Nullable RankParameter parameter) {}

  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
  private final ParallelLayout layout;
  private final LayerSpec layerSpec;
  private final ExpertLayout expertLayout;
  private final String predictionModule;
  private final List<Integer> layersOfChunks;
  private final List<String> problems = new ArrayList<>();

  /** For every chunk, in the order of layers: the name in the file, and the whole tensor's. */
  private final List<Map<String, String>> chunks = new ArrayList<>();

  /** The number of experts of each layer that has any, by its prefix in the model. */
  private final Map<String, Integer> experts = new LinkedHashMap<>();

  ModelPlan(
      List<TensorInfo> tensors,
      ParallelLayout layout,
      LayerSpec layerSpec,
      ExpertLayout expertLayout,
      String predictionModule,
      Map<String, ? extends @Nullable Object> arguments) {
    this.layout = layout;
    this.layerSpec = layerSpec;
    this.expertLayout = expertLayout;
    this.predictionModule = predictionModule;
    tensors.forEach(info -> infos.put(info.name(), info));
    checkLayout();
    countExperts();
    for (TensorInfo info : tensors) {
      check(info);
    }
    this.layersOfChunks = layersOfChunks();
    checkLegacy(arguments);
    if (problems.isEmpty()) {
      distribute();
    }
  }

  /** Everything that is wrong; empty if nothing is. */
  List<String> problems() {
    return List.copyOf(new LinkedHashSet<>(problems));
  }

  /** Number of layers of each chunk. */
  List<Integer> layers() {
    return layersOfChunks;
  }

  boolean hasExperts() {
    return !experts.isEmpty();
  }

  private void checkLayout() {
    if (layout.virtualPipelineModelParallelSize() > 1 && layout.pipelineModelParallelSize() == 1) {
      problems.add("a virtual pipeline needs more than one pipeline stage");
    }
    if (layout.tensorModelParallelSize() % layout.expertTensorParallelSize() != 0) {
      problems.add(
          "expert tensor parallel size "
              + layout.expertTensorParallelSize()
              + " is no divisor of the tensor parallel size "
              + layout.tensorModelParallelSize()
              + ": ranks would share a file");
    }
  }

  private void countExperts() {
    Map<String, TreeSet<Integer>> found = new TreeMap<>();
    for (String name : infos.keySet()) {
      int expert = ParameterNames.expertOf(name);
      String layer = ParameterNames.layerPrefix(name);
      if (expert >= 0 && layer != null) {
        found.computeIfAbsent(layer, prefix -> new TreeSet<>()).add(expert);
      }
    }
    int groups = layout.expertModelParallelSize();
    found.forEach(
        (layer, numbers) -> {
          experts.put(layer, numbers.size());
          TensorInfo router = infos.get(layer + "mlp.router.weight");
          if (numbers.last() != numbers.size() - 1) {
            problems.add("layer " + layer + " has the experts " + numbers);
          } else if (numbers.size() % groups != 0) {
            problems.add(
                numbers.size()
                    + " experts of layer "
                    + layer
                    + " do not split over "
                    + groups
                    + " expert ranks");
          }
          if (router != null
              && (router.shape().isEmpty() || router.shape().get(0) != numbers.size())) {
            problems.add("layer " + layer + " has " + numbers.size() + " experts, " + router);
          }
        });
    if (found.isEmpty() && groups > 1) {
      problems.add("there are no experts to split over " + groups + " expert ranks");
    }
    if (!found.isEmpty() && layerSpec != LayerSpec.TRANSFORMER_ENGINE) {
      if (layerSpec == LayerSpec.LEGACY) {
        problems.add("the models before Megatron-Core have no such experts");
      } else if (expertLayout == ExpertLayout.GROUPED) {
        problems.add("only Transformer Engine groups experts so");
      }
    }
  }

  private void check(TensorInfo info) {
    String name = info.name();
    ShardRule rule = rule(name);
    if (rule == null) {
      problems.add("no rule how tensor " + name + " is split");
      return;
    }
    boolean expert = ParameterNames.expertOf(name) >= 0;
    int ranks = expert ? layout.expertTensorParallelSize() : layout.tensorModelParallelSize();
    if (!rule.splits(info.shape(), ranks)) {
      problems.add(
          "tensor "
              + name
              + " "
              + info.shape()
              + " does not split over "
              + ranks
              + " tensor ranks");
    }
    if (expert) {
      TensorInfo first = infos.get(name.replaceFirst("local_experts\\.\\d+", "local_experts.0"));
      if (first == null || !first.shape().equals(info.shape()) || first.type() != info.type()) {
        problems.add("tensor " + name + " is unlike that of expert 0");
      }
      if (expertLayout == ExpertLayout.LEGACY_GROUPED && name.endsWith(".bias")) {
        problems.add("tensor " + name + ": grouped experts of the old kind have no bias");
      }
    }
    if (ShardRule.isFirstMlpLayer(name)) {
      TensorInfo second = second(name);
      if (second == null || second.shape().size() != 2 || info.shape().isEmpty()) {
        problems.add("tensor " + name + " has no second layer that fits it");
      } else if (!info.shape().get(0).equals(second.shape().get(1)) && !isGated(name)) {
        problems.add("tensor " + info + " does not fit " + second);
      }
    }
  }

  private @Nullable ShardRule rule(String name) {
    return ShardRule.of(name, isGated(name), layerSpec == LayerSpec.LOCAL).orElse(null);
  }

  private @Nullable TensorInfo second(String first) {
    int at = first.lastIndexOf(".linear_fc1.");
    return at < 0 ? null : infos.get(first.substring(0, at) + ".linear_fc2.weight");
  }

  /** Whether the first layer of an MLP is twice as wide as the second expects. */
  private boolean isGated(String name) {
    TensorInfo second = second(name);
    TensorInfo first = infos.get(name);
    return second != null
        && first != null
        && second.shape().size() == 2
        && !first.shape().isEmpty()
        && first.shape().get(0) == 2 * second.shape().get(1);
  }

  private List<Integer> layersOfChunks() {
    TreeSet<Integer> numbers = new TreeSet<>();
    for (String name : infos.keySet()) {
      int layer = ParameterNames.layerOf(name);
      if (layer >= 0) {
        numbers.add(layer);
      }
    }
    int layers = numbers.size();
    if (layers > 0 && numbers.last() != layers - 1) {
      problems.add("the model has the layers " + numbers);
    }
    int count = layout.pipelineModelParallelSize() * layout.virtualPipelineModelParallelSize();
    if (!layout.layersOfChunks().isEmpty()) {
      int sum = layout.layersOfChunks().stream().mapToInt(Integer::intValue).sum();
      if (sum != layers) {
        problems.add(
            "pipeline chunks of " + layout.layersOfChunks() + " for " + layers + " layers");
      }
      return layout.layersOfChunks();
    }
    if (layers == 0 || layers % count != 0) {
      problems.add(
          layers
              + " layers do not split over "
              + layout.pipelineModelParallelSize()
              + " pipeline stages"
              + (layout.virtualPipelineModelParallelSize() > 1
                  ? " of " + layout.virtualPipelineModelParallelSize() + " chunks"
                  : ""));
    }
    List<Integer> even = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      even.add(layers / count);
    }
    return even;
  }

  private void checkLegacy(Map<String, ? extends @Nullable Object> arguments) {
    if (layerSpec != LayerSpec.LEGACY) {
      return;
    }
    for (String name : infos.keySet()) {
      if (ParameterNames.expertOf(name) < 0 && ParameterNames.toLegacy(name, false) == null) {
        problems.add("tensor " + name + " has no place in the models before Megatron-Core");
      }
    }
    if (arguments.get("rotary_base") instanceof Number rotaryBase
        && rotaryBase.doubleValue() != LEGACY_ROTARY_BASE) {
      problems.add(
          "the models before Megatron-Core rotate with base 10000 whatever is asked for, this one"
              + " needs "
              + rotaryBase);
    }
  }

  private void distribute() {
    int last = layersOfChunks.size() - 1;
    layersOfChunks.forEach(layers -> chunks.add(new LinkedHashMap<>()));
    boolean prediction = false;
    for (String name : infos.keySet()) {
      int layer = ParameterNames.layerOf(name);
      prediction |= name.startsWith("mtp.");
      int chunk = name.startsWith("embedding.") ? 0 : last;
      int first = 0;
      if (layer >= 0) {
        chunk = 0;
        while (layer >= first + layersOfChunks.get(chunk)) {
          first += layersOfChunks.get(chunk);
          chunk++;
        }
      }
      chunks.get(chunk).put(ParameterNames.shiftLayer(name, -first), name);
    }
    if (last > 0 && infos.containsKey(ParameterNames.EMBEDDING)) {
      chunks.get(last).putIfAbsent(ParameterNames.OUTPUT, ParameterNames.EMBEDDING);
      if (prediction) { // which looks the next tokens up
        chunks.get(last).put(ParameterNames.EMBEDDING, ParameterNames.EMBEDDING);
      }
    }
  }

  /** The dictionaries of one rank: its entries by chunk, each chunk in the order of modules. */
  List<Entry> entries(Rank rank) {
    List<Entry> entries = new ArrayList<>();
    for (int v = 0; v < layout.virtualPipelineModelParallelSize(); v++) {
      int chunk = v * layout.pipelineModelParallelSize() + rank.pipeline();
      new ChunkEntries(rank, v, chunks.get(chunk), entries).add();
    }
    return entries;
  }

  /** Collects the entries of one chunk. */
  private final class ChunkEntries {
    private final Rank rank;
    private final int chunk;
    private final Map<String, String> wholeByLocal;
    private final List<Entry> entries;

    private ChunkEntries(
        Rank rank, int chunk, Map<String, String> wholeByLocal, List<Entry> entries) {
      this.rank = rank;
      this.chunk = chunk;
      this.wholeByLocal = wholeByLocal;
      this.entries = entries;
    }

    void add() {
      add("embedding.word_embeddings.weight");
      add("embedding.position_embeddings.weight");
      TreeMap<Integer, String> layers = new TreeMap<>();
      TreeMap<Integer, String> predictions = new TreeMap<>();
      for (String local : wholeByLocal.keySet()) {
        String prefix = ParameterNames.layerPrefix(local);
        int layer = ParameterNames.layerOf(local);
        if (layer >= 0 && prefix != null) {
          layers.put(layer, prefix);
        } else if (local.startsWith("mtp.layers.")) {
          String number = local.split("\\.", -1)[2];
          predictions.put(Integer.parseInt(number), "mtp.layers." + number + ".");
        }
      }
      layers.values().forEach(this::addLayer);
      addModule("decoder.final_layernorm.");
      for (String prediction : predictions.values()) {
        addModule(prediction + "enorm.");
        addModule(prediction + "hnorm.");
        addModule(prediction + "eh_proj.");
        addLayer(prediction + "transformer_layer.");
        addModule(prediction + "final_layernorm.");
      }
      add(ParameterNames.OUTPUT);
    }

    private void addLayer(String prefix) {
      for (String module : MODULES) {
        if (module.equals(EXPERTS)) {
          addExperts(prefix);
        } else if (!isFused(prefix, module)) {
          addFusedNorm(prefix, module);
          addModule(prefix + module + ".");
        }
      }
    }

    /** Whether a norm is part of the linear layer behind it, if the layer has that. */
    private boolean isFused(String prefix, String norm) {
      return layerSpec == LayerSpec.TRANSFORMER_ENGINE
          && FUSED_NORMS.entrySet().stream()
              .anyMatch(
                  fused ->
                      fused.getValue().equals(norm)
                          && wholeByLocal.containsKey(prefix + fused.getKey() + ".weight"));
    }

    private void addFusedNorm(String prefix, String module) {
      String norm = FUSED_NORMS.get(module);
      if (layerSpec == LayerSpec.TRANSFORMER_ENGINE
          && norm != null
          && wholeByLocal.containsKey(prefix + module + ".weight")) {
        for (String parameter : List.of("weight", "bias")) {
          add(prefix + norm + "." + parameter, prefix + module + ".layer_norm_" + parameter);
        }
      }
    }

    private void addModule(String prefix) {
      int before = entries.size();
      for (String parameter : PARAMETERS) {
        add(prefix + parameter);
      }
      if (entries.size() > before) {
        addExtraState(prefix);
      }
    }

    /** Linear layers of Transformer Engine have one, of whatever version; older readers ask. */
    private void addExtraState(String prefix) {
      String module = prefix.substring(0, prefix.length() - 1);
      module = module.substring(module.lastIndexOf('.') + 1);
      if (layerSpec == LayerSpec.TRANSFORMER_ENGINE
          && (module.startsWith("linear_") || module.equals("eh_proj"))) {
        entries.add(new Entry(chunk, written(prefix) + "_extra_state", null));
      }
    }

    private void addExperts(String prefix) {
      String first = wholeByLocal.get(prefix + EXPERT + "0.linear_fc1.weight");
      String layer = first == null ? null : ParameterNames.layerPrefix(first);
      Integer all = layer == null ? null : experts.get(layer);
      if (all == null) {
        return;
      }
      int count = all / layout.expertModelParallelSize();
      int from = rank.expert() * count;
      switch (expertLayout) {
        case SEQUENTIAL -> {
          for (int i = 0; i < count; i++) {
            for (String fc : FC) {
              String local = prefix + EXPERT + (from + i) + "." + fc + ".";
              String key = prefix + EXPERT + i + "." + fc + ".";
              for (String parameter : List.of("weight", "bias")) {
                add(local + parameter, key + parameter);
              }
              addExtraState(key);
            }
          }
        }
        case GROUPED -> {
          for (String fc : FC) {
            String key = prefix + EXPERTS + "." + fc + ".";
            for (String parameter : List.of("weight", "bias")) {
              for (int i = 0; i < count; i++) {
                add(prefix + EXPERT + (from + i) + "." + fc + "." + parameter, key + parameter + i);
              }
            }
            addExtraState(key);
          }
        }
        case LEGACY_GROUPED -> {
          for (String fc : FC) {
            addTransposed(prefix, fc, from, count);
          }
        }
      }
    }

    /** All experts in one parameter, each transposed. */
    private void addTransposed(String prefix, String fc, int from, int count) {
      List<RankParameter.Piece> pieces = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        String whole = wholeByLocal.get(prefix + EXPERT + (from + i) + "." + fc + ".weight");
        if (whole != null) {
          pieces.add(piece(whole, true));
        }
      }
      RankParameter.Piece first = pieces.get(0);
      boolean firstLayer = fc.equals(FC.get(0));
      long rows = first.shape().get(1) * (firstLayer ? 1 : count);
      long columns = first.shape().get(0) * (firstLayer ? count : 1);
      String key = written(prefix) + EXPERTS + (firstLayer ? ".weight1" : ".weight2");
      TensorInfo whole = whole(first.whole());
      TensorInfo info = new TensorInfo(key, whole.type(), List.of(rows, columns));
      entries.add(new Entry(chunk, key, new RankParameter(chunk, info, pieces)));
    }

    private void add(String local) {
      add(local, local);
    }

    private void add(String local, String key) {
      String name = wholeByLocal.get(local);
      if (name == null) {
        return;
      }
      RankParameter.Piece piece = piece(name, false);
      String written = written(key);
      if (layerSpec == LayerSpec.LEGACY) {
        boolean tied = local.equals(ParameterNames.OUTPUT) && !name.equals(local);
        written = String.valueOf(ParameterNames.toLegacy(key, tied));
      }
      TensorInfo info = new TensorInfo(written, whole(name).type(), piece.shape());
      entries.add(new Entry(chunk, written, new RankParameter(chunk, info, List.of(piece))));
    }

    private String written(String key) {
      return key.startsWith("mtp.")
          ? key.replace(".transformer_layer.", "." + predictionModule + ".")
          : key;
    }

    private RankParameter.Piece piece(String name, boolean transposed) {
      ShardRule rule = rule(name);
      if (rule == null) {
        throw new IllegalStateException("no rule for " + name);
      }
      boolean expert = ParameterNames.expertOf(name) >= 0;
      int ranks =
          rule == ShardRule.REPLICATED
              ? 1
              : expert ? layout.expertTensorParallelSize() : layout.tensorModelParallelSize();
      List<Long> shape = rule.shard(whole(name).shape(), ranks);
      return new RankParameter.Piece(name, rule, rank.tensor() % ranks, ranks, shape, transposed);
    }

    private TensorInfo whole(String name) {
      TensorInfo info = infos.get(name);
      if (info == null) {
        throw new IllegalStateException("no tensor " + name);
      }
      return info;
    }
  }
}
