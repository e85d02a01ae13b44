package io.github.pretrain4j.model;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where each weight of a Hugging Face model lies in the Megatron model, and the other way round.
 *
 * <p>A Megatron tensor is a stack of row blocks of Hugging Face tensors (a row: everything under
 * one index of the first dimension). Each row of each tensor occurs exactly once, so the mapping is
 * a bijection: it moves bytes and never changes them, {@link #toHuggingFace} undoes {@link
 * #toMegatron} bit for bit, and any byte range of a tensor can be read without the rest.
 *
 * <p>In names, {@code *} stands for the number of a layer and a second one for that of an expert;
 * together they make one entry for each. Which layers those are follows from the Megatron name:
 * {@code mlp.linear_fc1} is in those without experts only, {@code mlp.router}, {@code mlp.experts}
 * and {@code mlp.shared_experts} in those with them. Immutable; the views are as thread-safe as
 * what they look at.
 */
public final class WeightMapping {
  /** Rows {@code firstRow..firstRow+rowCount-1} of a Hugging Face tensor. */
  public record Block(String huggingFaceName, long firstRow, long rowCount) {
    public Block {
      if (firstRow < 0 || rowCount < 1) {
        throw new IllegalArgumentException(
            huggingFaceName + ": rows from " + firstRow + ", count " + rowCount);
      }
    }
  }

  private record Entry(String megatronName, List<Long> shape, List<Block> blocks) {}

  /** Values that some files carry and that no weight depends on: constants of the architecture. */
  private static final Pattern BUFFERS =
      Pattern.compile(".*\\.rotary_emb\\.inv_freq|.*\\.masked_bias|.*\\.attention\\.bias");

  private static final String LAYER = "decoder.layers.*.";
  private static final Pattern EXPERT_MODULES =
      Pattern.compile("decoder\\.layers\\.\\*\\.mlp\\.(router|experts|shared_experts)\\.");

  private static final TensorOrder MEGATRON_ORDER =
      new TensorOrder(
          List.of(
              "enorm",
              "hnorm",
              "eh_proj",
              "input_layernorm",
              "self_attention.linear_proj",
              "self_attention.linear_qkv",
              "self_attention.linear_q_proj",
              "self_attention.linear_q_down_proj",
              "self_attention.linear_q_up_proj",
              "self_attention.linear_kv_down_proj",
              "self_attention.linear_kv_up_proj",
              "self_attention.q_layernorm",
              "self_attention.kv_layernorm",
              "self_attention.k_layernorm",
              "pre_mlp_layernorm",
              "mlp.router",
              "mlp.experts",
              "mlp.shared_experts",
              "mlp.linear_fc1",
              "mlp.linear_fc2",
              "final_layernorm"));
  private static final TensorOrder HUGGING_FACE_ORDER =
      new TensorOrder(
          List.of(
              "self_attn.q_proj",
              "self_attn.k_proj",
              "self_attn.v_proj",
              "self_attn.o_proj",
              "self_attn.q_norm",
              "self_attn.k_norm",
              "mlp.gate",
              "mlp.experts",
              "mlp.gate_proj",
              "mlp.up_proj",
              "mlp.down_proj",
              "input_layernorm",
              "post_attention_layernorm"));

  private final TransformerConfig config;
  private final List<Entry> entries;
  private final Map<String, String> huggingFaceCopies;
  private final Map<String, String> megatronCopies;
  private final Map<String, MappedTensor> megatron;
  private final Map<String, MappedTensor> huggingFace;

  private WeightMapping(
      TransformerConfig config,
      List<Entry> entries,
      Map<String, String> huggingFaceCopies,
      Map<String, String> megatronCopies) {
    this.config = config;
    this.entries = List.copyOf(entries);
    this.huggingFaceCopies = Map.copyOf(huggingFaceCopies);
    this.megatronCopies = Map.copyOf(megatronCopies);
    this.megatron = MEGATRON_ORDER.sort(megatronSide(entries));
    this.huggingFace = HUGGING_FACE_ORDER.sort(huggingFaceSide(entries));
  }

  /** A mapping of nothing, to be filled by {@link #compose} and {@link #rename}. */
  public static WeightMapping empty(TransformerConfig config) {
    return new WeightMapping(config, List.of(), Map.of(), Map.of());
  }

  /**
   * The layout that Llama brought and most families share, with a bias on q, k, v where {@code
   * config} has one. What {@code config} has beyond the plain decoder is left to the family: the
   * experts (see {@link #experts}) and, with latent attention, all of attention but its output.
   */
  public static WeightMapping llamaLayout(TransformerConfig config) {
    String source = "model.layers.*.";
    List<Entry> entries = new ArrayList<>();
    Expansion expansion = new Expansion(config, entries);
    expansion.stack("embedding.word_embeddings.weight", "model.embed_tokens.weight");
    expansion.stack(LAYER + "input_layernorm.weight", source + "input_layernorm.weight");
    expansion.stack(
        LAYER + "self_attention.linear_proj.weight", source + "self_attn.o_proj.weight");
    if (config.latentAttention() == null) {
      for (String part : config.qkvBias() ? List.of("weight", "bias") : List.of("weight")) {
        expansion.blocks(
            LAYER + "self_attention.linear_qkv." + part,
            queryKeyValue(
                config,
                source + "self_attn.q_proj." + part,
                source + "self_attn.k_proj." + part,
                source + "self_attn.v_proj." + part));
      }
    }
    expansion.stack(LAYER + "pre_mlp_layernorm.weight", source + "post_attention_layernorm.weight");
    expansion.stack(
        LAYER + "mlp.linear_fc1.weight",
        source + "mlp.gate_proj.weight",
        source + "mlp.up_proj.weight");
    expansion.stack(LAYER + "mlp.linear_fc2.weight", source + "mlp.down_proj.weight");
    expansion.stack("decoder.final_layernorm.weight", "model.norm.weight");
    return new WeightMapping(config, entries, Map.of(), Map.of())
        .output("model.embed_tokens.weight", "lm_head.weight");
  }

  /**
   * Adds the output layer: a tensor of its own, or, where {@code config} ties it, a copy of the
   * embedding that files of either side may carry.
   */
  public WeightMapping output(String embedding, String output) {
    if (!config.tiedEmbeddings()) {
      return stack("output_layer.weight", output);
    }
    Map<String, String> copies = new HashMap<>(huggingFaceCopies);
    copies.put(output, embedding);
    return new WeightMapping(
        config, entries, copies, Map.of("output_layer.weight", "embedding.word_embeddings.weight"));
  }

  /**
   * Adds router and experts to the layers that have them.
   *
   * @param router the router's weight, with a star for the layer
   * @param gate an expert's gate, with a star for the layer and one for the expert, as {@code up}
   *     and {@code down}
   */
  public WeightMapping experts(String router, String gate, String up, String down) {
    List<Entry> more = new ArrayList<>(entries);
    Expansion expansion = new Expansion(config, more);
    expansion.stack(LAYER + "mlp.router.weight", router);
    expansion.stack(LAYER + "mlp.experts.local_experts.*.linear_fc1.weight", gate, up);
    expansion.stack(LAYER + "mlp.experts.local_experts.*.linear_fc2.weight", down);
    return new WeightMapping(config, more, huggingFaceCopies, megatronCopies);
  }

  /** Adds the expert that all tokens share to the layers that have experts. */
  public WeightMapping sharedExpert(String gate, String up, String down) {
    List<Entry> more = new ArrayList<>(entries);
    Expansion expansion = new Expansion(config, more);
    expansion.stack(LAYER + "mlp.shared_experts.linear_fc1.weight", gate, up);
    expansion.stack(LAYER + "mlp.shared_experts.linear_fc2.weight", down);
    return new WeightMapping(config, more, huggingFaceCopies, megatronCopies);
  }

  /**
   * Adds the layers that predict tokens further ahead. Hugging Face numbers them on from the
   * decoder's; each has what the decoder's last layer has, two norms and a projection before it and
   * a norm after. Called last.
   *
   * @param prefix what comes before a layer's number in Hugging Face names: {@code model.layers.}
   * @param names the tensors of the layer's own below that number: the norm of the embedding, the
   *     norm of the hidden state, the projection, the norm after the layer
   * @param copies tensors below that number that repeat others of the model, by the name of those
   */
  public WeightMapping mtp(String prefix, List<String> names, Map<String, String> copies) {
    int last = config.numLayers() - 1;
    List<String> own =
        List.of("enorm.weight", "hnorm.weight", "eh_proj.weight", "final_layernorm.weight");
    String lastMegatron = "decoder.layers." + last + ".";
    String lastHuggingFace = prefix + last + ".";
    List<Entry> more = new ArrayList<>(entries);
    Map<String, String> moreCopies = new HashMap<>(huggingFaceCopies);
    for (int i = 0; i < config.numMtpLayers(); i++) {
      String megatronLayer = "mtp.layers." + i + ".";
      String huggingFaceLayer = prefix + (config.numLayers() + i) + ".";
      for (int n = 0; n < own.size(); n++) {
        List<Long> shape = MegatronShapes.of(config, "mtp.layers.*." + own.get(n));
        Block block = new Block(huggingFaceLayer + names.get(n), 0, shape.get(0));
        more.add(new Entry(megatronLayer + own.get(n), shape, List.of(block)));
      }
      for (Entry entry : entries) {
        if (entry.megatronName.startsWith(lastMegatron)) {
          String rest = entry.megatronName.substring(lastMegatron.length());
          List<Block> blocks = new ArrayList<>();
          for (Block block : entry.blocks) {
            String name = block.huggingFaceName;
            blocks.add(
                new Block(
                    huggingFaceLayer + name.substring(lastHuggingFace.length()),
                    block.firstRow,
                    block.rowCount));
          }
          more.add(new Entry(megatronLayer + "transformer_layer." + rest, entry.shape, blocks));
        }
      }
      copies.forEach((name, of) -> moreCopies.put(huggingFaceLayer + name, of));
    }
    return new WeightMapping(config, more, moreCopies, megatronCopies);
  }

  /**
   * The blocks of a fused {@code linear_qkv}: for each query group its query heads, its key head,
   * its value head. The three sources may be one tensor's name only if the caller shifts the rows
   * itself.
   */
  public static List<Block> queryKeyValue(
      TransformerConfig config, String query, String key, String value) {
    long head = config.kvChannels();
    long queryRows = config.headsPerGroup() * head;
    List<Block> blocks = new ArrayList<>();
    for (int group = 0; group < config.numQueryGroups(); group++) {
      blocks.add(new Block(query, group * queryRows, queryRows));
      blocks.add(new Block(key, group * head, head));
      blocks.add(new Block(value, group * head, head));
    }
    return blocks;
  }

  /**
   * Adds a tensor that only changes its name.
   *
   * @param megatronName one whose shape follows from the configuration; for others use {@link
   *     #compose}
   */
  public WeightMapping rename(String megatronName, String huggingFaceName) {
    return stack(megatronName, huggingFaceName);
  }

  /**
   * Adds a tensor that is others of equal height, one on top of the next.
   *
   * @param megatronName one whose shape follows from the configuration; for others use {@link
   *     #compose}
   */
  public WeightMapping stack(String megatronName, String... huggingFaceNames) {
    List<Entry> more = new ArrayList<>(entries);
    new Expansion(config, more).stack(megatronName, huggingFaceNames);
    return new WeightMapping(config, more, huggingFaceCopies, megatronCopies);
  }

  /** Adds a Megatron tensor of that shape, made of these row blocks from top to bottom. */
  public WeightMapping compose(String megatronName, List<Long> shape, List<Block> blocks) {
    List<Entry> more = new ArrayList<>(entries);
    new Expansion(config, more).blocks(megatronName, shape, blocks);
    return new WeightMapping(config, more, huggingFaceCopies, megatronCopies);
  }

  /** Takes a Megatron tensor out, to be replaced. */
  public WeightMapping without(String megatronName) {
    Pattern pattern = Pattern.compile(Pattern.quote(megatronName).replace("*", "\\E[0-9]+\\Q"));
    List<Entry> fewer =
        entries.stream().filter(e -> !pattern.matcher(e.megatronName).matches()).toList();
    if (fewer.size() == entries.size()) {
      throw new IllegalArgumentException("no tensor " + megatronName + " to take out");
    }
    return new WeightMapping(config, fewer, huggingFaceCopies, megatronCopies);
  }

  /** The configuration it was made for. */
  public TransformerConfig config() {
    return config;
  }

  /**
   * Megatron's tensors, whole and without vocabulary padding, in the order of Megatron's modules.
   */
  public List<TensorInfo> megatronTensors(DataType type) {
    return infos(megatron, type);
  }

  /** Hugging Face's tensors, in the order of its modules. */
  public List<TensorInfo> huggingFaceTensors(DataType type) {
    return infos(huggingFace, type);
  }

  /**
   * What is wrong with a Hugging Face model's tensors: missing, unexpected, misshapen. Empty when
   * all is well.
   */
  public List<String> huggingFaceProblems(Collection<TensorInfo> found) {
    return problems(huggingFace, huggingFaceCopies, megatron, found);
  }

  /** As {@link #huggingFaceProblems} for Megatron's tensors, the vocabulary's padding cut off. */
  public List<String> megatronProblems(Collection<TensorInfo> found) {
    return problems(megatron, megatronCopies, huggingFace, found);
  }

  /**
   * Second copies of tied weights that a file may also carry, by name, with the name of the first:
   * {@code lm_head.weight} in Hugging Face files.
   */
  public Map<String, String> huggingFaceCopies() {
    return huggingFaceCopies;
  }

  /**
   * As {@link #huggingFaceCopies}: {@code output_layer.weight} on Megatron's last pipeline stage.
   */
  public Map<String, String> megatronCopies() {
    return megatronCopies;
  }

  /** Whether this is a constant that some files carry beside the weights and that nothing needs. */
  public static boolean isBuffer(String name) {
    return BUFFERS.matcher(name).matches();
  }

  /**
   * Megatron's tensors, read from {@code huggingFace}. Closing the view leaves {@code huggingFace}
   * open.
   *
   * @throws IllegalArgumentException if {@link #huggingFaceProblems} finds any
   */
  public TensorSource toMegatron(TensorSource huggingFaceSource) {
    requireNone(huggingFaceProblems(huggingFaceSource.tensors()));
    return new MappedTensorSource(huggingFaceSource, megatron);
  }

  /** The reverse of {@link #toMegatron}. */
  public TensorSource toHuggingFace(TensorSource megatronSource) {
    requireNone(megatronProblems(megatronSource.tensors()));
    return new MappedTensorSource(megatronSource, huggingFace);
  }

  /**
   * Rows {@code firstRow..firstRow+rowCount-1} of a tensor, which lie in {@code name} of the other
   * naming from {@code otherRow} on.
   */
  public record Slice(long firstRow, long rowCount, String name, long otherRow) {}

  /**
   * Where each row of a Hugging Face tensor lies in Megatron's whole tensors, from top to bottom.
   *
   * @throws IllegalArgumentException if the mapping has no such tensor
   */
  public List<Slice> slices(String huggingFaceName) {
    MappedTensor tensor = huggingFace.get(huggingFaceName);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + huggingFaceName);
    }
    return tensor.runs().stream()
        .map(run -> new Slice(run.firstRow(), run.rowCount(), run.source(), run.sourceRow()))
        .toList();
  }

  /** As {@link #slices} for a Megatron tensor: where its rows lie in Hugging Face's tensors. */
  public List<Slice> megatronSlices(String megatronName) {
    MappedTensor tensor = megatron.get(megatronName);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + megatronName);
    }
    return tensor.runs().stream()
        .map(run -> new Slice(run.firstRow(), run.rowCount(), run.source(), run.sourceRow()))
        .toList();
  }

  /** The Hugging Face tensors whose rows are in this Megatron tensor. */
  public Set<String> huggingFaceNames(String megatronName) {
    MappedTensor tensor = megatron.get(megatronName);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + megatronName);
    }
    return tensor.sources();
  }

  private static void requireNone(List<String> problems) {
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", problems));
    }
  }

  private static List<TensorInfo> infos(Map<String, MappedTensor> side, DataType type) {
    return side.values().stream().map(t -> new TensorInfo(t.name(), type, t.shape())).toList();
  }

  private static List<String> problems(
      Map<String, MappedTensor> expected,
      Map<String, String> copies,
      Map<String, MappedTensor> targets,
      Collection<TensorInfo> found) {
    List<String> problems = new ArrayList<>();
    Map<String, TensorInfo> byName = new LinkedHashMap<>();
    for (TensorInfo info : found) {
      byName.put(info.name(), info);
    }
    for (MappedTensor tensor : expected.values()) {
      TensorInfo info = byName.get(tensor.name());
      if (info == null) {
        problems.add("missing tensor " + tensor.name() + " " + tensor.shape());
      } else if (!info.shape().equals(tensor.shape())) {
        problems.add(
            "tensor "
                + tensor.name()
                + ": expected shape "
                + tensor.shape()
                + ", found "
                + info.shape());
      }
    }
    for (TensorInfo info : byName.values()) {
      String name = info.name();
      if (!expected.containsKey(name) && !copies.containsKey(name) && !isBuffer(name)) {
        problems.add("unexpected tensor " + name + " " + info.shape());
      }
    }
    for (MappedTensor target : targets.values()) {
      Map<DataType, String> types = new TreeMap<>();
      for (String source : target.sources()) {
        TensorInfo info = byName.get(source);
        if (info != null) {
          types.putIfAbsent(info.type(), source);
        }
      }
      if (types.size() > 1) {
        problems.add("tensors of different types belong in one " + target.name() + ": " + types);
      }
    }
    return problems;
  }

  private static Map<String, MappedTensor> megatronSide(List<Entry> entries) {
    Map<String, MappedTensor> tensors = new LinkedHashMap<>();
    for (Entry entry : entries) {
      List<MappedTensor.Run> runs = new ArrayList<>();
      long row = 0;
      for (Block block : entry.blocks) {
        runs.add(new MappedTensor.Run(row, block.rowCount, block.huggingFaceName, block.firstRow));
        row += block.rowCount;
      }
      MappedTensor tensor = new MappedTensor(entry.megatronName, entry.shape, runs);
      if (tensors.put(entry.megatronName, tensor) != null) {
        throw new IllegalArgumentException("two entries for " + entry.megatronName);
      }
    }
    return tensors;
  }

  private static Map<String, MappedTensor> huggingFaceSide(List<Entry> entries) {
    Map<String, List<MappedTensor.Run>> runs = new LinkedHashMap<>();
    Map<String, List<Long>> rowShapes = new HashMap<>();
    for (Entry entry : entries) {
      List<Long> rowShape = entry.shape.subList(1, entry.shape.size());
      long row = 0;
      for (Block block : entry.blocks) {
        String name = block.huggingFaceName;
        List<Long> other = rowShapes.putIfAbsent(name, rowShape);
        if (other != null && !other.equals(rowShape)) {
          throw new IllegalArgumentException(name + " has rows of " + other + " and " + rowShape);
        }
        runs.computeIfAbsent(name, key -> new ArrayList<>())
            .add(new MappedTensor.Run(block.firstRow, block.rowCount, entry.megatronName, row));
        row += block.rowCount;
      }
    }
    Map<String, MappedTensor> tensors = new LinkedHashMap<>();
    runs.forEach(
        (name, list) -> {
          list.sort((a, b) -> Long.compare(a.firstRow(), b.firstRow()));
          MappedTensor.Run last = list.get(list.size() - 1);
          List<Long> shape = new ArrayList<>();
          shape.add(last.firstRow() + last.rowCount());
          shape.addAll(rowShapes.getOrDefault(name, List.of()));
          tensors.put(name, new MappedTensor(name, shape, list));
        });
    return tensors;
  }

  /** Replaces the first star by each layer's number and the second by each expert's. */
  private record Expansion(TransformerConfig config, List<Entry> entries) {
    void stack(String megatronName, String... huggingFaceNames) {
      List<Long> shape = MegatronShapes.of(config, megatronName);
      long rows = shape.get(0) / huggingFaceNames.length;
      blocks(
          megatronName,
          shape,
          Arrays.stream(huggingFaceNames).map(name -> new Block(name, 0, rows)).toList());
    }

    void blocks(String megatronName, List<Block> blocks) {
      blocks(megatronName, MegatronShapes.of(config, megatronName), blocks);
    }

    void blocks(String megatronName, List<Long> shape, List<Block> blocks) {
      int stars = stars(megatronName);
      for (Block block : blocks) {
        if (stars(block.huggingFaceName) != stars || stars > 2) {
          throw new IllegalArgumentException(
              megatronName
                  + " and "
                  + block.huggingFaceName
                  + ": a star on one side only, or more than two");
        }
      }
      MixtureOfExperts moe = config.mixtureOfExperts();
      int experts = stars < 2 ? 1 : moe == null ? 0 : moe.numExperts();
      for (int layer = 0; layer < (stars == 0 ? 1 : config.numLayers()); layer++) {
        if (stars > 0 && !has(layer, megatronName)) {
          continue;
        }
        for (int expert = 0; expert < experts; expert++) {
          List<Block> filled = new ArrayList<>();
          for (Block block : blocks) {
            filled.add(
                new Block(
                    fill(block.huggingFaceName, layer, expert), block.firstRow, block.rowCount));
          }
          entries.add(new Entry(fill(megatronName, layer, expert), List.copyOf(shape), filled));
        }
      }
    }

    private boolean has(int layer, String megatronName) {
      if (megatronName.startsWith(LAYER + "mlp.linear_fc")) {
        return !config.isMoeLayer(layer);
      }
      return config.isMoeLayer(layer) || !EXPERT_MODULES.matcher(megatronName).lookingAt();
    }

    private static int stars(String name) {
      return (int) name.chars().filter(c -> c == '*').count();
    }

    private static String fill(String name, int layer, int expert) {
      int star = name.indexOf('*');
      return star < 0
          ? name
          : name.substring(0, star)
              + layer
              + name.substring(star + 1).replace("*", Integer.toString(expert));
    }
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof WeightMapping that
        && config.equals(that.config)
        && megatron.equals(that.megatron)
        && huggingFaceCopies.equals(that.huggingFaceCopies)
        && megatronCopies.equals(that.megatronCopies);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(new Object[] {config, megatron});
  }
}
