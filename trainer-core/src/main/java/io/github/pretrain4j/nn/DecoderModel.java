package io.github.pretrain4j.nn;

import io.github.pretrain4j.model.Activation;
import io.github.pretrain4j.model.PositionEmbedding;
import io.github.pretrain4j.model.RopeScaling;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.tensor.AttentionMask;
import io.github.pretrain4j.tensor.HeadLayout;
import io.github.pretrain4j.tensor.KvCache;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.ParameterStore;
import io.github.pretrain4j.tensor.RotaryTable;
import io.github.pretrain4j.tensor.RotaryTable.Llama3Scaling;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.Tensor;
import io.github.pretrain4j.tensor.TokenBatch;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The pre-norm decoder of Llama, Mistral, Qwen2 and their like.
 *
 * <pre>
 * x = embedding[tokens]
 * for each layer:  x = x + proj(attention(rotary(qkv(norm(x)))))
 *                  x = x + fc2(swiglu(fc1(norm(x))))
 * hidden = norm(x)         logits = hidden output^T
 * </pre>
 *
 * <p>RMS normalisation, rotary positions in half-split order, causal grouped-query attention with
 * an optional sliding window, biases on the query, key and value projection only. All activations
 * are [B, T, D] or as their operation says.
 */
public final class DecoderModel implements LanguageModel {
  private final TransformerConfig config;
  private final ParameterStore parameters;
  private final HeadLayout layout;
  private final AttentionMask mask;
  private final float epsilon;
  private final RotaryTable rotaryTable;
  private final Parameter embeddingVD;
  private final List<Layer> layers = new ArrayList<>();
  private final Parameter finalNormD;
  private final Parameter outputVD;

  /** The weights of one layer; names end in their shape, see the package. */
  private record Layer(
      Parameter inputNormD,
      Parameter projDO,
      Parameter qkvWD,
      @Nullable Parameter qkvBiasW,
      Parameter mlpNormD,
      Parameter fc1FD,
      Parameter fc2DF) {}

  /**
   * Adds the parameters, all 0, to {@code store} and takes it over.
   *
   * @param maxPositions positions in the rotary table
   * @throws IllegalArgumentException for what this decoder does not have: normalised queries and
   *     keys, experts, latent attention and the like
   */
  public DecoderModel(
      TransformerConfig config, int paddedVocabSize, int maxPositions, ParameterStore store) {
    requireSupported(config);
    this.config = config;
    this.parameters = store;
    this.layout =
        HeadLayout.of(config.numAttentionHeads(), config.numQueryGroups(), config.kvChannels());
    this.mask =
        config.slidingWindow() == 0
            ? AttentionMask.causal()
            : AttentionMask.slidingWindow(config.slidingWindow());
    this.epsilon = (float) config.normEpsilon();
    int hidden = config.hiddenSize();
    int ffn = config.ffnHiddenSize();
    embeddingVD = store.add("embedding.word_embeddings.weight", paddedVocabSize, hidden);
    for (int i = 0; i < config.numLayers(); i++) {
      String layer = "decoder.layers." + i + ".";
      layers.add(
          new Layer(
              store.add(layer + "input_layernorm.weight", hidden),
              store.add(layer + "self_attention.linear_proj.weight", hidden, layout.outputWidth()),
              store.add(layer + "self_attention.linear_qkv.weight", layout.fusedWidth(), hidden),
              config.qkvBias()
                  ? store.add(layer + "self_attention.linear_qkv.bias", layout.fusedWidth())
                  : null,
              store.add(layer + "pre_mlp_layernorm.weight", hidden),
              store.add(layer + "mlp.linear_fc1.weight", 2L * ffn, hidden),
              store.add(layer + "mlp.linear_fc2.weight", hidden, ffn)));
    }
    finalNormD = store.add("decoder.final_layernorm.weight", hidden);
    outputVD =
        config.tiedEmbeddings()
            ? embeddingVD
            : store.add("output_layer.weight", paddedVocabSize, hidden);
    rotaryTable =
        RotaryTable.create(
            store.device(),
            config.rotaryBase(),
            config.kvChannels(),
            maxPositions,
            scaling(config.ropeScaling()));
  }

  /** Refuses what of {@code config} this decoder does not compute. */
  static void requireSupported(TransformerConfig config) {
    List<String> missing = new ArrayList<>();
    if (config.qkLayernorm()) {
      missing.add("normalised queries and keys");
    }
    if (config.mixtureOfExperts() != null) {
      missing.add("experts");
    }
    if (config.latentAttention() != null) {
      missing.add("latent attention");
    }
    if (config.numMtpLayers() > 0) {
      missing.add("prediction of several tokens");
    }
    if (config.positionEmbedding() != PositionEmbedding.ROPE) {
      missing.add(config.positionEmbedding() + " positions");
    }
    if (config.rotaryPercent() != 1 || config.rotaryInterleaved()) {
      missing.add("rotary positions on part of a head or in interleaved order");
    }
    if (config.ropeScaling() instanceof RopeScaling.Yarn) {
      missing.add("YaRN scaling of rotary positions");
    }
    if (config.activation() != Activation.SWIGLU) {
      missing.add(config.activation() + " as activation");
    }
    if (config.zeroCenteredNorm()) {
      missing.add("norms whose weight is centred on zero");
    }
    if (config.embeddingScale() != 1) {
      missing.add("scaled embeddings");
    }
    if (!missing.isEmpty()) {
      throw new IllegalArgumentException(
          "family "
              + config.family()
              + " needs what the standard decoder does not have: "
              + String.join(", ", missing));
    }
  }

  private static @Nullable Llama3Scaling scaling(@Nullable RopeScaling scaling) {
    return switch (scaling) {
      case null -> null;
      // With an original context of one token every wavelength is long: all frequencies are
      // divided, which is the same
      // as dividing the positions.
      case RopeScaling.Linear linear -> new Llama3Scaling(linear.factor(), 1, 2, 1);
      // No sequence is longer than the model's positions here.
      case RopeScaling.DynamicNtk dynamic -> null;
      case RopeScaling.Yarn yarn -> throw new IllegalArgumentException("YaRN: " + yarn);
      case RopeScaling.Llama3 llama3 ->
          new Llama3Scaling(
              llama3.factor(),
              llama3.lowFreqFactor(),
              llama3.highFreqFactor(),
              llama3.originalMaxPositionEmbeddings());
    };
  }

  @Override
  public Tensor forward(Tape tape, TokenBatch batch, @Nullable KvCache cache) {
    Tensor x = tape.embedding(batch, embeddingVD);
    for (int i = 0; i < layers.size(); i++) {
      Layer layer = layers.get(i);
      AttentionMask layerMask = cache == null ? mask : mask.over(cache.layer(i));
      x =
          tape.block(
              x, input -> feedForward(tape, attend(tape, input, layer, layerMask, batch), layer));
    }
    return tape.rmsNorm(x, finalNormD, epsilon);
  }

  private Tensor attend(
      Tape tape, Tensor x, Layer layer, AttentionMask layerMask, TokenBatch batch) {
    Tensor normed = tape.rmsNorm(x, layer.inputNormD(), epsilon);
    Tensor qkv = tape.linear(normed, layer.qkvWD(), layer.qkvBiasW());
    Tensor turned = tape.rotary(qkv, rotaryTable, layout, batch);
    Tensor attended = tape.attention(turned, layout, layerMask);
    return tape.add(x, tape.linear(attended, layer.projDO(), null));
  }

  private Tensor feedForward(Tape tape, Tensor x, Layer layer) {
    Tensor normed = tape.rmsNorm(x, layer.mlpNormD(), epsilon);
    Tensor activated = tape.swiglu(tape.linear(normed, layer.fc1FD(), null));
    return tape.add(x, tape.linear(activated, layer.fc2DF(), null));
  }

  @Override
  public TransformerConfig config() {
    return config;
  }

  @Override
  public ParameterStore parameters() {
    return parameters;
  }

  @Override
  public int maxPositions() {
    return rotaryTable.maxPositions();
  }

  @Override
  public Parameter outputWeight() {
    return outputVD;
  }

  @Override
  public KvCache newCache(int batch, int capacity) {
    if (capacity > maxPositions()) {
      throw new IllegalArgumentException(
          "a cache of " + capacity + " tokens for a model of " + maxPositions() + " positions");
    }
    return new KvCache(parameters.device(), config.numLayers(), batch, capacity, layout);
  }

  @Override
  public void close() {
    parameters.close();
    rotaryTable.close();
  }
}
