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
import java.util.function.UnaryOperator;
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
 * <p>In names, {@code *} stands for the number of a layer and makes one entry for each. Immutable;
 * the views are as thread-safe as what they look at.
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

  private static final TensorOrder MEGATRON_ORDER =
      new TensorOrder(
          List.of(
              "input_layernorm",
              "self_attention.linear_proj",
              "self_attention.linear_qkv",
              "self_attention.q_layernorm",
              "self_attention.k_layernorm",
              "pre_mlp_layernorm",
              "mlp.router",
              "mlp.linear_fc1",
              "mlp.linear_fc2"));
  private static final TensorOrder HUGGING_FACE_ORDER =
      new TensorOrder(
          List.of(
              "self_attn.q_proj",
              "self_attn.k_proj",
              "self_attn.v_proj",
              "self_attn.o_proj",
              "self_attn.q_norm",
              "self_attn.k_norm",
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
   * config} has one.
   */
  public static WeightMapping llamaLayout(TransformerConfig config) {
    String layer = "decoder.layers.*.";
    String source = "model.layers.*.";
    long hidden = config.hiddenSize();
    long vocab = config.vocabSize();
    long ffn = config.ffnHiddenSize();
    List<Entry> entries = new ArrayList<>();
    Expansion expansion = new Expansion(config.numLayers(), entries);
    expansion.whole(
        "embedding.word_embeddings.weight", List.of(vocab, hidden), "model.embed_tokens.weight");
    expansion.whole(
        layer + "input_layernorm.weight", List.of(hidden), source + "input_layernorm.weight");
    expansion.whole(
        layer + "self_attention.linear_proj.weight",
        List.of(hidden, (long) config.numAttentionHeads() * config.kvChannels()),
        source + "self_attn.o_proj.weight");
    for (String part : config.qkvBias() ? List.of("weight", "bias") : List.of("weight")) {
      expansion.blocks(
          layer + "self_attention.linear_qkv." + part,
          part.equals("weight")
              ? List.of((long) config.qkvRows(), hidden)
              : List.of((long) config.qkvRows()),
          queryKeyValue(
              config,
              source + "self_attn.q_proj." + part,
              source + "self_attn.k_proj." + part,
              source + "self_attn.v_proj." + part));
    }
    expansion.whole(
        layer + "pre_mlp_layernorm.weight",
        List.of(hidden),
        source + "post_attention_layernorm.weight");
    expansion.blocks(
        layer + "mlp.linear_fc1.weight",
        List.of(2 * ffn, hidden),
        List.of(
            new Block(source + "mlp.gate_proj.weight", 0, ffn),
            new Block(source + "mlp.up_proj.weight", 0, ffn)));
    expansion.whole(
        layer + "mlp.linear_fc2.weight", List.of(hidden, ffn), source + "mlp.down_proj.weight");
    expansion.whole("decoder.final_layernorm.weight", List.of(hidden), "model.norm.weight");
    if (config.tiedEmbeddings()) {
      return new WeightMapping(
          config,
          entries,
          Map.of("lm_head.weight", "model.embed_tokens.weight"),
          Map.of("output_layer.weight", "embedding.word_embeddings.weight"));
    }
    expansion.whole("output_layer.weight", List.of(vocab, hidden), "lm_head.weight");
    return new WeightMapping(config, entries, Map.of(), Map.of());
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
    List<Long> shape = MegatronShapes.of(config, megatronName);
    return compose(megatronName, shape, List.of(new Block(huggingFaceName, 0, shape.get(0))));
  }

  /** Adds a Megatron tensor of that shape, made of these row blocks from top to bottom. */
  public WeightMapping compose(String megatronName, List<Long> shape, List<Block> blocks) {
    List<Entry> more = new ArrayList<>(entries);
    new Expansion(config.numLayers(), more).blocks(megatronName, shape, blocks);
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

  /** Replaces the star by each layer's number. */
  private record Expansion(int numLayers, List<Entry> entries) {
    void whole(String megatronName, List<Long> shape, String huggingFaceName) {
      blocks(megatronName, shape, List.of(new Block(huggingFaceName, 0, shape.get(0))));
    }

    void blocks(String megatronName, List<Long> shape, List<Block> blocks) {
      boolean perLayer = megatronName.contains("*");
      for (Block block : blocks) {
        if (block.huggingFaceName.contains("*") != perLayer) {
          throw new IllegalArgumentException(
              megatronName + " and " + block.huggingFaceName + ": a star on one side only");
        }
      }
      for (int layer = 0; layer < (perLayer ? numLayers : 1); layer++) {
        String number = Integer.toString(layer);
        UnaryOperator<String> fill = name -> name.replace("*", number);
        entries.add(
            new Entry(
                fill.apply(megatronName),
                List.copyOf(shape),
                blocks.stream()
                    .map(b -> new Block(fill.apply(b.huggingFaceName), b.firstRow, b.rowCount))
                    .toList()));
      }
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
