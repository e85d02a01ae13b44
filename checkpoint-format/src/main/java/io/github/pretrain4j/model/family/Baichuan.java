package io.github.pretrain4j.model.family;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.PositionEmbedding;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Baichuan and Baichuan 2: Llama with queries, keys and values in one tensor, {@code W_pack}, all
 * queries first, then all keys, then all values.
 *
 * <p>The models of 7B have rotary positions. Those of 13B have ALiBi instead; their configuration
 * says {@code model_max_length} and no {@code max_position_embeddings}. Megatron has no ALiBi.
 *
 * <p>Baichuan 2 divides each row of its output layer by the row's length when it is used; the first
 * Baichuan, which has a vocabulary of 64000, does not. Megatron has a plain output layer, so
 * Baichuan 2's comes with the rows divided already. On the way back the rows stay as they are: the
 * division changes nothing as long as they have length 1, but training does not keep them there,
 * and then the model's own code gives other logits than training saw. As a model of family {@code
 * llama} the weights give the same.
 */
public final class Baichuan implements ModelFamily {
  private static final int FIRST_VOCABULARY = 64_000;
  private static final String OUTPUT = "lm_head.weight";

  @Override
  public String name() {
    return "baichuan";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("hidden_act", "silu", "swish");
    source.require("tie_word_embeddings", false);
    int heads = source.size("num_attention_heads");
    int hidden = source.size("hidden_size");
    if (hidden % heads != 0) {
      throw source.invalid("num_attention_heads", "a divisor of hidden_size " + hidden);
    }
    boolean rotary = source.has("max_position_embeddings");
    return TransformerConfig.builder()
        .family(name())
        .numLayers(source.size("num_hidden_layers"))
        .hiddenSize(hidden)
        .ffnHiddenSize(source.size("intermediate_size"))
        .numAttentionHeads(heads)
        .vocabSize(source.size("vocab_size"))
        .positionEmbedding(rotary ? PositionEmbedding.ROPE : PositionEmbedding.ALIBI)
        .maxPositionEmbeddings(source.size(rotary ? "max_position_embeddings" : "model_max_length"))
        .normEpsilon(source.numberOr("rms_norm_eps", 1e-6))
        .build(source);
  }

  @Override
  public List<String> problems(TransformerConfig config) {
    return config.positionEmbedding() == PositionEmbedding.ALIBI
        ? List.of(
            "this Baichuan has ALiBi positions (config.json without max_position_embeddings, as"
                + " the models of 13B), and Megatron-LM has none: it would compute something else"
                + " from the same weights")
        : List.of();
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String fused = "decoder.layers.*.self_attention.linear_qkv.weight";
    long width = (long) config.numAttentionHeads() * config.kvChannels();
    List<WeightMapping.Block> blocks = new ArrayList<>();
    for (WeightMapping.Block block : WeightMapping.queryKeyValue(config, "q", "k", "v")) {
      long first = "qkv".indexOf(block.huggingFaceName()) * width;
      blocks.add(
          new WeightMapping.Block(
              "model.layers.*.self_attn.W_pack.weight",
              first + block.firstRow(),
              block.rowCount()));
    }
    return WeightMapping.llamaLayout(config)
        .without(fused)
        .compose(fused, List.of(3 * width, (long) config.hiddenSize()), blocks);
  }

  @Override
  public TensorSource sourceTransform(TransformerConfig config, TensorSource source) {
    TensorInfo output = outputLayer(config, source);
    return output == null
        ? source
        : ChangedTensors.of(source, Map.of(OUTPUT, new UnitRows(output.type())));
  }

  @Override
  public Map<String, String> sourceChanges(TransformerConfig config, TensorSource source) {
    return outputLayer(config, source) == null
        ? Map.of()
        : Map.of(
            OUTPUT,
            "each row divided by its length, as the model itself does at use (NormHead); in fp32,"
                + " rounded once");
  }

  private static @Nullable TensorInfo outputLayer(TransformerConfig config, TensorSource source) {
    return config.vocabSize() == FIRST_VOCABULARY ? null : source.find(OUTPUT);
  }

  /** Rows of length 1. */
  private record UnitRows(DataType type) implements ChangedTensors.Change {
    private static final double LEAST_LENGTH = 1e-12; // the epsilon of torch's normalize

    @Override
    public void apply(long row, float[] values) {
      double sum = 0;
      for (float value : values) {
        sum += (double) value * value;
      }
      float length = (float) Math.max(Math.sqrt(sum), LEAST_LENGTH);
      for (int i = 0; i < values.length; i++) {
        values[i] /= length;
      }
    }
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    for (String field :
        List.of("head_dim", "num_key_value_heads", "attention_dropout", "rope_theta")) {
      fields.remove(field);
    }
    fields.put("model_max_length", config.maxPositionEmbeddings());
    if (config.positionEmbedding() == PositionEmbedding.ALIBI) {
      fields.remove("max_position_embeddings");
    }
    return fields;
  }
}
