package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The model in the files of all ranks: what each parameter is a part of, and the whole tensors.
 *
 * <p>Nothing but the sizes over which ranks are split comes from {@code args}: the layers of a
 * chunk are counted, and whether an MLP is gated follows from its shapes.
 */
final class StoredModel {
  private static final String MODEL = "model";

  /** A parameter in a rank's file. */
  record Stored(RankParameter parameter, TensorReference tensor) {}

  /** A parameter before its layer's number is known. */
  private record Found(String key, ParameterNames.Meaning meaning, TensorReference tensor) {}

  private final ParallelLayout sizes;
  private final Map<Rank, ReferenceReader> files;
  private final Map<String, @Nullable Object> arguments;
  private final List<String> problems;
  private final boolean legacy;
  private final Map<Rank, List<List<Found>>> found = new LinkedHashMap<>();
  private final Map<Rank, List<Stored>> parameters = new LinkedHashMap<>();
  private final Map<String, MergedTensor.Builder> builders = new LinkedHashMap<>();
  private final List<Integer> layersOfChunks = new ArrayList<>();
  private final int chunks;
  private final LayerSpec layerSpec;
  private @Nullable ExpertLayout expertLayout;

  /**
   * Reads the dictionaries of all ranks.
   *
   * @param sizes those of tensor, pipeline and expert parallelism; virtual pipeline and layers are
   *     counted
   * @param dictionaries the model chunks of each rank, in the order of ranks
   * @param problems receives what is wrong
   */
  StoredModel(
      ParallelLayout sizes,
      Map<Rank, ReferenceReader> files,
      Map<Rank, List<PickleObject.PyDict>> dictionaries,
      Map<String, @Nullable Object> arguments,
      List<String> problems) {
    this.sizes = sizes;
    this.files = files;
    this.arguments = arguments;
    this.problems = problems;
    List<PickleObject.PyDict> first = dictionaries.values().iterator().next();
    this.chunks = first.size();
    this.legacy = first.stream().anyMatch(model -> model.get("language_model") != null);
    dictionaries.forEach(this::find);
    this.layerSpec = findLayerSpec();
    countLayers();
    found.forEach(this::number);
    merge();
  }

  /** The model chunks of a rank's file; empty if it has none. */
  static List<PickleObject.PyDict> chunks(PickleObject.PyDict root) {
    if (root.get(MODEL) instanceof PickleObject.PyDict model) {
      return List.of(model);
    }
    List<PickleObject.PyDict> models = new ArrayList<>();
    while (root.get(MODEL + models.size()) instanceof PickleObject.PyDict model) {
      models.add(model);
    }
    return models;
  }

  private void find(Rank rank, List<PickleObject.PyDict> models) {
    if (models.size() != chunks) {
      problems.add(
          sizes.rankName(rank) + " holds " + models.size() + " model chunks, not " + chunks);
      return;
    }
    List<List<Found>> all = new ArrayList<>();
    for (PickleObject.PyDict model : models) {
      Map<String, PickleObject> leaves = new LinkedHashMap<>();
      flatten("", model, leaves);
      List<Found> chunk = new ArrayList<>();
      leaves.forEach(
          (name, value) -> {
            if (value instanceof TensorReference tensor) {
              if (!ParameterNames.isIgnored(name)) {
                chunk.add(new Found(name, ParameterNames.meaning(name, legacy), tensor));
              }
            } else if (!ParameterNames.isIgnored(name)) {
              problems.add("model entry " + name + " is not a tensor");
            }
          });
      all.add(chunk);
    }
    found.put(rank, all);
  }

  private static void flatten(
      String prefix, PickleObject.PyDict dict, Map<String, PickleObject> leaves) {
    dict.stringEntries()
        .forEach(
            (key, value) -> {
              if (value instanceof PickleObject.PyDict nested) {
                flatten(prefix + key + ".", nested, leaves);
              } else {
                leaves.put(prefix + key, value);
              }
            });
  }

  /** Fused norms tell; latent attention need not have any, then {@code args} must. */
  private LayerSpec findLayerSpec() {
    if (legacy) {
      return LayerSpec.LEGACY;
    }
    boolean standing = false;
    for (List<List<Found>> rank : found.values()) {
      for (List<Found> chunk : rank) {
        for (Found parameter : chunk) {
          if (ParameterNames.isTransformerEngine(parameter.key)) {
            return LayerSpec.TRANSFORMER_ENGINE;
          }
          standing |=
              parameter.key.endsWith(".self_attention.kv_layernorm.weight")
                  || (parameter.key.endsWith(".input_layernorm.weight")
                      && arguments.get("multi_latent_attention") != Boolean.TRUE);
        }
      }
    }
    return !standing
            && LayerSpec.TRANSFORMER_ENGINE.argument().equals(arguments.get("transformer_impl"))
        ? LayerSpec.TRANSFORMER_ENGINE
        : LayerSpec.LOCAL;
  }

  /** Counts the layers of every chunk; all ranks of a stage must hold the same parameters. */
  private void countLayers() {
    for (int chunk = 0; chunk < chunks; chunk++) {
      for (int stage = 0; stage < sizes.pipelineModelParallelSize(); stage++) {
        layersOfChunks.add(countLayers(chunk, stage));
      }
    }
  }

  private int countLayers(int chunk, int stage) {
    Rank first = null;
    Set<String> expected = Set.of();
    TreeSet<Integer> layers = new TreeSet<>();
    for (Map.Entry<Rank, List<List<Found>>> entry : found.entrySet()) {
      Rank rank = entry.getKey();
      if (rank.pipeline() != stage) {
        continue;
      }
      Set<String> names = new TreeSet<>();
      for (Found parameter : entry.getValue().get(chunk)) {
        String name = parameter.meaning.canonical();
        if (!names.add(name)) {
          problems.add("two tensors for " + name + " in " + sizes.rankName(rank));
        }
      }
      if (first == null) {
        first = rank;
        expected = names;
        for (String name : names) {
          int layer = ParameterNames.layerOf(name);
          if (layer >= 0) {
            layers.add(layer);
          }
        }
      } else {
        compareNames(first, expected, rank, names);
      }
    }
    if (!layers.isEmpty() && (layers.first() != 0 || layers.last() != layers.size() - 1)) {
      problems.add("stage " + stage + " holds the layers " + layers);
    }
    return layers.size();
  }

  private void compareNames(Rank first, Set<String> expected, Rank rank, Set<String> names) {
    TreeSet<String> missing = new TreeSet<>(expected);
    missing.removeAll(names);
    missing.forEach(
        name -> problems.add("tensor " + name + " is missing in " + sizes.rankName(rank)));
    TreeSet<String> extra = new TreeSet<>(names);
    extra.removeAll(expected);
    extra.forEach(
        name ->
            problems.add(
                "tensor "
                    + name
                    + " is in "
                    + sizes.rankName(rank)
                    + ", not in "
                    + sizes.rankName(first)));
  }

  /** Numbers layers and experts through the model, and says what each parameter is part of. */
  private void number(Rank rank, List<List<Found>> all) {
    List<Stored> numbered = new ArrayList<>();
    for (int chunk = 0; chunk < all.size(); chunk++) {
      Map<String, Found> byName = new LinkedHashMap<>();
      Map<String, Integer> experts = new LinkedHashMap<>();
      for (Found parameter : all.get(chunk)) {
        String name = parameter.meaning.canonical();
        byName.put(name, parameter);
        int expert = ParameterNames.expertOf(name);
        if (expert >= 0) {
          experts.merge(layerOf(name), expert + 1, Math::max);
        }
      }
      for (Found parameter : byName.values()) {
        List<RankParameter.Piece> pieces = pieces(rank, chunk, parameter, byName, experts);
        if (!pieces.isEmpty()) {
          TensorInfo info = parameter.tensor.info(parameter.key);
          numbered.add(new Stored(new RankParameter(chunk, info, pieces), parameter.tensor));
        }
      }
    }
    parameters.put(rank, numbered);
  }

  private static String layerOf(String name) {
    return String.valueOf(ParameterNames.layerPrefix(name));
  }

  private List<RankParameter.Piece> pieces(
      Rank rank,
      int chunk,
      Found parameter,
      Map<String, Found> byName,
      Map<String, Integer> experts) {
    String local = parameter.meaning.canonical();
    List<Long> shape = parameter.tensor.shape();
    boolean expert = local.contains(".local_experts.");
    int count = 1;
    int firstExpert = 0;
    if (expert) {
      noteExpertLayout(parameter);
      count = expertsOf(parameter, byName, experts);
      firstExpert = rank.expert() * count;
      shape = expertShape(parameter, count);
      if (shape == null) {
        problems.add(
            "tensor "
                + parameter.tensor.info(parameter.key)
                + " does not hold "
                + count
                + " experts");
        return List.of();
      }
    }
    int offset = firstLayer(chunk, rank.pipeline());
    String example = ParameterNames.ofExpert(local, 0);
    ShardRule rule =
        ShardRule.of(example, gated(parameter, byName, count), splitDown(parameter, byName))
            .orElse(null);
    if (rule == null || !rule.fits(shape)) {
      problems.add(
          rule == null
              ? "no rule how tensor " + local + " is split"
              : "tensor " + parameter.tensor.info(local) + " has too few axes, or an odd half");
      return List.of();
    }
    int ranks =
        rule == ShardRule.REPLICATED
            ? 1
            : expert ? sizes.expertTensorParallelSize() : sizes.tensorModelParallelSize();
    boolean transposed = parameter.meaning.experts() == ParameterNames.Experts.TRANSPOSED;
    List<RankParameter.Piece> pieces = new ArrayList<>();
    boolean single = parameter.meaning.experts() == ParameterNames.Experts.SINGLE;
    for (int i = 0; i < (single ? 1 : count); i++) {
      String name = ParameterNames.shiftLayer(ParameterNames.ofExpert(local, i), offset);
      name = ParameterNames.shiftExpert(name, firstExpert);
      pieces.add(
          new RankParameter.Piece(name, rule, rank.tensor() % ranks, ranks, shape, transposed));
    }
    return pieces;
  }

  private int firstLayer(int chunk, int stage) {
    int first = 0;
    for (int i = 0; i < chunk * sizes.pipelineModelParallelSize() + stage; i++) {
      first += layersOfChunks.get(i);
    }
    return first;
  }

  private void noteExpertLayout(Found parameter) {
    ExpertLayout layout =
        switch (parameter.meaning.experts()) {
          case TRANSPOSED -> ExpertLayout.LEGACY_GROUPED;
          case PACKED -> ExpertLayout.GROUPED;
          case SINGLE ->
              parameter.key.contains(".local_experts.")
                  ? ExpertLayout.SEQUENTIAL
                  : ExpertLayout.GROUPED;
        };
    if (expertLayout == null) {
      expertLayout = layout;
    }
  }

  /** How many experts of its layer the rank has. */
  private int expertsOf(Found parameter, Map<String, Found> byName, Map<String, Integer> experts) {
    String local = parameter.meaning.canonical();
    Found router = byName.get(layerOf(local) + "mlp.router.weight");
    int groups = sizes.expertModelParallelSize();
    long all =
        router != null && !router.tensor.shape().isEmpty()
            ? router.tensor.shape().get(0)
            : arguments.get("num_experts") instanceof Long number ? number : 0;
    int here =
        switch (parameter.meaning.experts()) {
          case SINGLE -> experts.getOrDefault(layerOf(local), 0);
          case PACKED ->
              parameter.tensor.shape().isEmpty()
                  ? 0
                  : (int) Math.min(Integer.MAX_VALUE, parameter.tensor.shape().get(0));
          case TRANSPOSED -> (int) Math.min(Integer.MAX_VALUE, all / groups);
        };
    if (all != 0 && (long) here * groups != all) {
      problems.add(
          "layer "
              + layerOf(local)
              + " has "
              + here
              + " experts on each of "
              + groups
              + " ranks, its router "
              + all);
    }
    return here;
  }

  /** The shape of one expert's shard, null if the parameter cannot hold that many. */
  private static @Nullable List<Long> expertShape(Found parameter, int count) {
    List<Long> shape = parameter.tensor.shape();
    boolean first = parameter.meaning.canonical().contains(".linear_fc1.");
    switch (parameter.meaning.experts()) {
      case SINGLE -> {
        return shape;
      }
      case PACKED -> {
        return shape.size() == 3 && shape.get(0) == count ? shape.subList(1, 3) : null;
      }
      case TRANSPOSED -> {
        int axis = first ? 1 : 0;
        return shape.size() != 2 || count == 0 || shape.get(axis) % count != 0
            ? null
            : first
                ? List.of(shape.get(1) / count, shape.get(0))
                : List.of(shape.get(1), shape.get(0) / count);
      }
    }
    throw new AssertionError(parameter.meaning);
  }

  /** Whether the first layer of an MLP is twice as wide as the second expects. */
  private boolean gated(Found parameter, Map<String, Found> byName, int experts) {
    String local = parameter.meaning.canonical();
    if (!ShardRule.isFirstMlpLayer(ParameterNames.ofExpert(local, 0))) {
      return false;
    }
    int at = local.lastIndexOf(".linear_fc1.");
    Found second = byName.get(local.substring(0, at) + ".linear_fc2.weight");
    List<Long> first = expertShape(parameter, experts);
    List<Long> next = second == null ? null : expertShape(second, experts);
    if (first == null || next == null || next.size() != 2 || first.isEmpty()) {
      problems.add("tensor " + local + " has no second layer that fits it");
      return true;
    }
    long rows = first.get(0);
    long width = next.get(1);
    boolean swiglu = Boolean.TRUE.equals(arguments.get("swiglu"));
    if (rows != 2 * width && (rows != width || swiglu)) {
      problems.add(
          "tensor "
              + local
              + " has "
              + rows
              + " rows, the layer behind it "
              + width
              + " columns"
              + (swiglu ? ", with swiglu" : ""));
    }
    return rows == 2 * width;
  }

  /**
   * Whether the down projections of latent attention are split: their output is as wide as the rank
   * of the projection behind, to which that of keys and values adds the rotated part.
   */
  private boolean splitDown(Found parameter, Map<String, Found> byName) {
    String local = parameter.meaning.canonical();
    if (!ShardRule.isDownProjection(local) || parameter.tensor.shape().isEmpty()) {
      return false;
    }
    long rows = parameter.tensor.shape().get(0);
    if (local.endsWith("linear_q_down_proj.weight")) {
      Found up = byName.get(local.replace("linear_q_down_proj", "linear_q_up_proj"));
      if (up != null && up.tensor.shape().size() == 2) {
        return rows != up.tensor.shape().get(1);
      }
    } else if (arguments.get("kv_lora_rank") instanceof Long keysAndValues
        && arguments.get("qk_pos_emb_head_dim") instanceof Long rotated) {
      return rows != keysAndValues + rotated;
    }
    return layerSpec == LayerSpec.LOCAL;
  }

  private void merge() {
    for (int chunk = 0; chunk < chunks; chunk++) {
      for (int stage = 0; stage < sizes.pipelineModelParallelSize(); stage++) {
        for (Map.Entry<Rank, List<Stored>> entry : parameters.entrySet()) {
          if (entry.getKey().pipeline() == stage) {
            for (Stored stored : entry.getValue()) {
              if (stored.parameter.chunk() == chunk) {
                merge(entry.getKey(), stored);
              }
            }
          }
        }
      }
    }
  }

  private void merge(Rank rank, Stored stored) {
    ReferenceReader file = files.get(rank);
    int chunk = stored.parameter.chunk() * sizes.pipelineModelParallelSize() + rank.pipeline();
    long first = 0;
    for (RankParameter.Piece piece : stored.parameter.pieces()) {
      long byteOffset = first;
      first += piece.elementCount() * stored.tensor.type().bytes();
      MergedTensor.Builder builder =
          builders.computeIfAbsent(
              piece.whole(),
              name -> new MergedTensor.Builder(name, stored.tensor.type(), piece, chunk));
      if (builder.chunk() != chunk && !piece.whole().equals(ParameterNames.EMBEDDING)) {
        problems.add("tensor " + piece.whole() + " is on two pipeline stages");
        continue;
      }
      if (file == null) {
        continue;
      }
      TransposedRange.Bytes bytes =
          (offset, target) -> file.read(stored.tensor, byteOffset + offset, target);
      if (piece.transposed()) {
        TransposedRange.Bytes packed = bytes;
        long rows = piece.shape().get(1);
        long columns = piece.shape().get(0);
        int width = stored.tensor.type().bytes();
        bytes =
            (offset, target) -> TransposedRange.read(packed, rows, columns, width, offset, target);
      }
      String place = sizes.rankName(rank);
      String problem = builder.add(piece, stored.tensor.type(), place, bytes);
      if (problem != null) {
        problems.add(problem);
      }
    }
  }

  /** The whole tensors, layer after layer; whatever is incomplete becomes a problem. */
  Map<String, MergedTensor> tensors() {
    Map<String, MergedTensor> tensors = new LinkedHashMap<>();
    builders.forEach(
        (name, builder) -> {
          if (!builder.missing().isEmpty()) {
            problems.add("tensor " + name + " lacks the shards " + builder.missing());
            return;
          }
          try {
            tensors.put(name, builder.build());
          } catch (ArithmeticException | IllegalArgumentException e) {
            problems.add("tensor " + name + " is too large: " + e.getMessage());
          }
        });
    return tensors;
  }

  /** The parameters of each rank, in the order of its file. */
  Map<Rank, List<Stored>> parameters() {
    return parameters;
  }

  /** The layout with the chunks as counted; without experts nothing is said about their split. */
  ParallelLayout layout() {
    boolean even = layersOfChunks.stream().distinct().count() <= 1;
    return new ParallelLayout(
        sizes.tensorModelParallelSize(),
        sizes.pipelineModelParallelSize(),
        chunks,
        sizes.expertModelParallelSize(),
        expertLayout == null ? sizes.tensorModelParallelSize() : sizes.expertTensorParallelSize(),
        even ? List.of() : layersOfChunks);
  }

  int layers() {
    return layersOfChunks.stream().mapToInt(Integer::intValue).sum();
  }

  LayerSpec layerSpec() {
    return layerSpec;
  }

  @Nullable ExpertLayout expertLayout() {
    return expertLayout;
  }
}
