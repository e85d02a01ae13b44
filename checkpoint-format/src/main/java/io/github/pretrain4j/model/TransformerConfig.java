package io.github.pretrain4j.model;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The shape and the constants of a decoder-only transformer, under Megatron's names.
 *
 * <p>RMS normalisation before each block, grouped-query or latent attention, a gated MLP or
 * experts; linear layers have no bias except, with {@code qkvBias}, the fused query/key/value
 * projection. The plain decoder, all that {@link #isPlainDecoder} allows, has rotary positions over
 * the whole head in half-split order and SwiGLU.
 *
 * @param family the {@link ModelFamily#name()} that made it
 * @param ffnHiddenSize width of the MLP in layers without experts
 * @param kvChannels width of one attention head; {@code numAttentionHeads * kvChannels} need not be
 *     {@code hiddenSize}
 * @param vocabSize rows of the embedding before Megatron's padding
 * @param slidingWindow a query sees itself and the {@code slidingWindow - 1} positions before it; 0
 *     means all of them
 * @param tiedEmbeddings the output layer uses the embedding's weight
 * @param qkLayernorm each query and key head is normalised before rotation; with latent attention:
 *     the narrow vectors are
 * @param rotaryPercent the share of each head that is rotated, from its beginning
 * @param rotaryInterleaved rotation turns neighbours, not an element of the first half with one of
 *     the second
 * @param zeroCenteredNorm normalisation multiplies by one plus its weight
 * @param embeddingScale what embeddings are multiplied by before the first layer
 * @param numMtpLayers layers beside the decoder that predict tokens further ahead
 * @param mixtureOfExperts null for MLPs only
 * @param latentAttention null for grouped-query attention
 */
public record TransformerConfig(
    String family,
    int numLayers,
    int hiddenSize,
    int ffnHiddenSize,
    int numAttentionHeads,
    int numQueryGroups,
    int kvChannels,
    int vocabSize,
    int maxPositionEmbeddings,
    double normEpsilon,
    double rotaryBase,
    @Nullable RopeScaling ropeScaling,
    int slidingWindow,
    boolean tiedEmbeddings,
    boolean qkvBias,
    boolean qkLayernorm,
    PositionEmbedding positionEmbedding,
    double rotaryPercent,
    boolean rotaryInterleaved,
    Activation activation,
    boolean zeroCenteredNorm,
    double embeddingScale,
    int numMtpLayers,
    @Nullable MixtureOfExperts mixtureOfExperts,
    @Nullable LatentAttention latentAttention) {

  /** No size of a real model comes near it; it keeps products of two sizes inside a long. */
  private static final int MAX_SIZE = 1 << 28;

  public TransformerConfig {
    if (!ModelFamilies.isName(family)) {
      throw new IllegalArgumentException(
          "family \"" + family + "\" is not of the form [a-z0-9_-]+");
    }
    requireSize("numLayers", numLayers, 100_000);
    requireSize("hiddenSize", hiddenSize, MAX_SIZE);
    requireSize("ffnHiddenSize", ffnHiddenSize, MAX_SIZE);
    requireSize("numAttentionHeads", numAttentionHeads, MAX_SIZE);
    requireSize("numQueryGroups", numQueryGroups, MAX_SIZE);
    requireSize("kvChannels", kvChannels, MAX_SIZE);
    requireSize("vocabSize", vocabSize, MAX_SIZE);
    requireSize("maxPositionEmbeddings", maxPositionEmbeddings, MAX_SIZE);
    if (numAttentionHeads % numQueryGroups != 0) {
      throw new IllegalArgumentException(
          "numAttentionHeads "
              + numAttentionHeads
              + " is not a multiple of numQueryGroups "
              + numQueryGroups);
    }
    if (kvChannels % 2 != 0) {
      throw new IllegalArgumentException(
          "kvChannels " + kvChannels + " is odd: rotary positions turn pairs");
    }
    if (!(normEpsilon > 0 && normEpsilon < 1)) {
      throw new IllegalArgumentException("normEpsilon " + normEpsilon + " is not between 0 and 1");
    }
    if (!(rotaryBase > 1) || Double.isInfinite(rotaryBase)) {
      throw new IllegalArgumentException("rotaryBase " + rotaryBase + " does not exceed 1");
    }
    if (slidingWindow < 0) {
      throw new IllegalArgumentException("slidingWindow " + slidingWindow + " is negative");
    }
    double rotated = kvChannels * rotaryPercent;
    if (!(rotaryPercent > 0 && rotaryPercent <= 1)
        || rotated != Math.rint(rotated)
        || rotated % 2 != 0) {
      throw new IllegalArgumentException(
          "rotaryPercent "
              + rotaryPercent
              + " of kvChannels "
              + kvChannels
              + " is no even number: rotary positions turn pairs");
    }
    if (!(embeddingScale > 0) || Double.isInfinite(embeddingScale)) {
      throw new IllegalArgumentException("embeddingScale " + embeddingScale + " is not positive");
    }
    if (numMtpLayers < 0 || numMtpLayers > 1000) {
      throw new IllegalArgumentException("numMtpLayers " + numMtpLayers + " is not in 0..1000");
    }
    if (mixtureOfExperts != null
        && !mixtureOfExperts.layerIsMoe().isEmpty()
        && mixtureOfExperts.layerIsMoe().size() != numLayers) {
      throw new IllegalArgumentException(
          "layerIsMoe has "
              + mixtureOfExperts.layerIsMoe().size()
              + " entries for "
              + numLayers
              + " layers");
    }
    if (latentAttention != null && numQueryGroups != numAttentionHeads) {
      throw new IllegalArgumentException("latent attention has no query groups");
    }
  }

  private static void requireSize(String name, int value, int max) {
    if (value < 1 || value > max) {
      throw new IllegalArgumentException(name + " " + value + " is not in 1.." + max);
    }
  }

  /**
   * The plain decoder that {@code source} describes: what all Llama-like families share. The family
   * refines it.
   *
   * @throws java.io.UncheckedIOException around an {@link InvalidConfigException} when a field is
   *     missing or wrong
   */
  public static TransformerConfig decoder(HuggingFaceConfig source) {
    source.require("hidden_act", "silu", "swish");
    source.require("mlp_bias", false);
    source.require("attention_bias", false);
    if (source.rotaryPercent(1) != 1) {
      throw source.invalid("partial_rotary_factor", "1 (nothing else is supported)");
    }
    return decoderFields(source).build(source);
  }

  /**
   * The sizes and constants that {@code source} holds under the names of Llama's configuration. The
   * family checks the fields that are not read here, adds its own and calls {@link
   * Builder#build(HuggingFaceConfig)}.
   *
   * @throws java.io.UncheckedIOException as {@link #decoder}
   */
  public static Builder decoderFields(HuggingFaceConfig source) {
    int hiddenSize = source.size("hidden_size");
    int numAttentionHeads = source.size("num_attention_heads");
    if (!source.has("head_dim") && hiddenSize % numAttentionHeads != 0) {
      throw source.invalid("num_attention_heads", "a divisor of hidden_size " + hiddenSize);
    }
    int numQueryGroups = source.sizeOr("num_key_value_heads", numAttentionHeads);
    if (numAttentionHeads % numQueryGroups != 0) {
      throw source.invalid(
          "num_key_value_heads", "a divisor of num_attention_heads " + numAttentionHeads);
    }
    return new Builder()
        .family(source.modelType())
        .numLayers(source.size("num_hidden_layers"))
        .hiddenSize(hiddenSize)
        .ffnHiddenSize(source.size("intermediate_size"))
        .numAttentionHeads(numAttentionHeads)
        .numQueryGroups(numQueryGroups)
        .kvChannels(source.sizeOr("head_dim", hiddenSize / numAttentionHeads))
        .vocabSize(source.size("vocab_size"))
        .maxPositionEmbeddings(source.size("max_position_embeddings"))
        .normEpsilon(source.numberOr("rms_norm_eps", 1e-6))
        .rotaryBase(source.rotaryBase())
        .ropeScaling(source.ropeScaling())
        .tiedEmbeddings(source.flagOr("tie_word_embeddings", false));
  }

  /** A new description, field by field. */
  public static Builder builder() {
    return new Builder();
  }

  /** A builder that starts from this configuration. */
  public Builder toBuilder() {
    return new Builder()
        .family(family)
        .numLayers(numLayers)
        .hiddenSize(hiddenSize)
        .ffnHiddenSize(ffnHiddenSize)
        .numAttentionHeads(numAttentionHeads)
        .numQueryGroups(numQueryGroups)
        .kvChannels(kvChannels)
        .vocabSize(vocabSize)
        .maxPositionEmbeddings(maxPositionEmbeddings)
        .normEpsilon(normEpsilon)
        .rotaryBase(rotaryBase)
        .ropeScaling(ropeScaling)
        .slidingWindow(slidingWindow)
        .tiedEmbeddings(tiedEmbeddings)
        .qkvBias(qkvBias)
        .qkLayernorm(qkLayernorm)
        .positionEmbedding(positionEmbedding)
        .rotaryPercent(rotaryPercent)
        .rotaryInterleaved(rotaryInterleaved)
        .activation(activation)
        .zeroCenteredNorm(zeroCenteredNorm)
        .embeddingScale(embeddingScale)
        .numMtpLayers(numMtpLayers)
        .mixtureOfExperts(mixtureOfExperts)
        .latentAttention(latentAttention);
  }

  public TransformerConfig withSlidingWindow(int value) {
    return toBuilder().slidingWindow(value).build();
  }

  public TransformerConfig withTiedEmbeddings(boolean value) {
    return toBuilder().tiedEmbeddings(value).build();
  }

  public TransformerConfig withQkvBias(boolean value) {
    return toBuilder().qkvBias(value).build();
  }

  public TransformerConfig withQkLayernorm(boolean value) {
    return toBuilder().qkLayernorm(value).build();
  }

  /** Whether layer {@code layer}, counted from 0 through all stages, has experts. */
  public boolean isMoeLayer(int layer) {
    return mixtureOfExperts != null && mixtureOfExperts.isMoe(layer);
  }

  /**
   * Whether it is the decoder of Llama and its nearest kin: a dense model with SwiGLU,
   * grouped-query attention and rotary positions over whole heads in half-split order.
   */
  public boolean isPlainDecoder() {
    return mixtureOfExperts == null
        && latentAttention == null
        && numMtpLayers == 0
        && positionEmbedding == PositionEmbedding.ROPE
        && rotaryPercent == 1
        && !rotaryInterleaved
        && activation == Activation.SWIGLU
        && !zeroCenteredNorm
        && embeddingScale == 1;
  }

  /** Query heads that share one key and one value head. */
  public int headsPerGroup() {
    return numAttentionHeads / numQueryGroups;
  }

  /**
   * Rows of Megatron's fused {@code linear_qkv}: per group its query heads, its key head, its value
   * head.
   */
  public int qkvRows() {
    return Math.multiplyExact(Math.addExact(numAttentionHeads, 2 * numQueryGroups), kvChannels);
  }

  /** Numbers in the model, padding aside; a tied output layer counts once. */
  public long parameterCount() {
    long layers = 0;
    for (int i = 0; i < numLayers; i++) {
      layers += layerParameterCount(isMoeLayer(i));
    }
    // Two norms, the projection of both inputs to one, and the norm after the layer.
    long mtp =
        layerParameterCount(isMoeLayer(numLayers - 1))
            + 3L * hiddenSize
            + 2L * hiddenSize * hiddenSize;
    long embedding = (long) vocabSize * hiddenSize;
    return layers + numMtpLayers * mtp + hiddenSize + (tiedEmbeddings ? 1 : 2) * embedding;
  }

  private long layerParameterCount(boolean moe) {
    return attentionParameterCount()
        + 2L * hiddenSize
        + (moe && mixtureOfExperts != null
            ? expertParameterCount(mixtureOfExperts)
            : 3L * ffnHiddenSize * hiddenSize);
  }

  private long expertParameterCount(MixtureOfExperts experts) {
    return (long) experts.numExperts() * hiddenSize
        + (experts.expertBias() ? experts.numExperts() : 0)
        + 3L * experts.numExperts() * experts.moeFfnHiddenSize() * hiddenSize
        + 3L * experts.sharedExpertFfnHiddenSize() * hiddenSize
        + (experts.sharedExpertGate() ? hiddenSize : 0);
  }

  private long attentionParameterCount() {
    long heads = numAttentionHeads;
    long hidden = hiddenSize;
    if (latentAttention != null) {
      long queryRows = heads * latentAttention.qkChannels();
      long qRank = latentAttention.qLoraRank();
      long kvRank = latentAttention.kvLoraRank();
      return (qRank == 0 ? queryRows * hidden : qRank * (hidden + queryRows + 1))
          + (kvRank + latentAttention.qkPosEmbHeadDim()) * hidden
          + kvRank * (1 + heads * (latentAttention.qkHeadDim() + latentAttention.vHeadDim()))
          + hidden * heads * latentAttention.vHeadDim();
    }
    return qkvRows() * hidden
        + heads * kvChannels * hidden
        + (qkvBias ? qkvRows() : 0)
        + (qkLayernorm ? 2L * kvChannels : 0);
  }

  /**
   * Rows of the embedding after Megatron's padding: the least multiple of {@code
   * makeVocabSizeDivisibleBy * tensorModelParallelSize} that is not below {@code vocabSize}.
   */
  public static int paddedVocabSize(
      int vocabSize, int makeVocabSizeDivisibleBy, int tensorModelParallelSize) {
    if (vocabSize < 1 || makeVocabSizeDivisibleBy < 1 || tensorModelParallelSize < 1) {
      throw new IllegalArgumentException(
          "sizes must be positive: vocabSize "
              + vocabSize
              + ", makeVocabSizeDivisibleBy "
              + makeVocabSizeDivisibleBy
              + ", tensorModelParallelSize "
              + tensorModelParallelSize);
    }
    long multiple = (long) makeVocabSizeDivisibleBy * tensorModelParallelSize;
    return Math.toIntExact((vocabSize + multiple - 1) / multiple * multiple);
  }

  /** Collects the fields of a {@link TransformerConfig}; not thread-safe. */
  public static final class Builder {
    private @Nullable String family;
    private int numLayers;
    private int hiddenSize;
    private int ffnHiddenSize;
    private int numAttentionHeads;
    private int numQueryGroups;
    private int kvChannels;
    private int vocabSize;
    private int maxPositionEmbeddings;
    private double normEpsilon = 1e-5;
    private double rotaryBase = 10_000;
    private @Nullable RopeScaling ropeScaling;
    private int slidingWindow;
    private boolean tiedEmbeddings;
    private boolean qkvBias;
    private boolean qkLayernorm;
    private PositionEmbedding positionEmbedding = PositionEmbedding.ROPE;
    private double rotaryPercent = 1;
    private boolean rotaryInterleaved;
    private Activation activation = Activation.SWIGLU;
    private boolean zeroCenteredNorm;
    private double embeddingScale = 1;
    private int numMtpLayers;
    private @Nullable MixtureOfExperts mixtureOfExperts;
    private @Nullable LatentAttention latentAttention;

    private Builder() {}

    public Builder family(String value) {
      this.family = value;
      return this;
    }

    public Builder numLayers(int value) {
      this.numLayers = value;
      return this;
    }

    public Builder hiddenSize(int value) {
      this.hiddenSize = value;
      return this;
    }

    public Builder ffnHiddenSize(int value) {
      this.ffnHiddenSize = value;
      return this;
    }

    public Builder numAttentionHeads(int value) {
      this.numAttentionHeads = value;
      return this;
    }

    /** Left out: as many as attention heads. */
    public Builder numQueryGroups(int value) {
      this.numQueryGroups = value;
      return this;
    }

    /** Left out: {@code hiddenSize / numAttentionHeads}. */
    public Builder kvChannels(int value) {
      this.kvChannels = value;
      return this;
    }

    public Builder vocabSize(int value) {
      this.vocabSize = value;
      return this;
    }

    public Builder maxPositionEmbeddings(int value) {
      this.maxPositionEmbeddings = value;
      return this;
    }

    public Builder normEpsilon(double value) {
      this.normEpsilon = value;
      return this;
    }

    public Builder rotaryBase(double value) {
      this.rotaryBase = value;
      return this;
    }

    public Builder ropeScaling(@Nullable RopeScaling value) {
      this.ropeScaling = value;
      return this;
    }

    public Builder slidingWindow(int value) {
      this.slidingWindow = value;
      return this;
    }

    public Builder tiedEmbeddings(boolean value) {
      this.tiedEmbeddings = value;
      return this;
    }

    public Builder qkvBias(boolean value) {
      this.qkvBias = value;
      return this;
    }

    public Builder qkLayernorm(boolean value) {
      this.qkLayernorm = value;
      return this;
    }

    public Builder positionEmbedding(PositionEmbedding value) {
      this.positionEmbedding = value;
      return this;
    }

    public Builder rotaryPercent(double value) {
      this.rotaryPercent = value;
      return this;
    }

    public Builder rotaryInterleaved(boolean value) {
      this.rotaryInterleaved = value;
      return this;
    }

    public Builder activation(Activation value) {
      this.activation = value;
      return this;
    }

    public Builder zeroCenteredNorm(boolean value) {
      this.zeroCenteredNorm = value;
      return this;
    }

    public Builder embeddingScale(double value) {
      this.embeddingScale = value;
      return this;
    }

    public Builder numMtpLayers(int value) {
      this.numMtpLayers = value;
      return this;
    }

    public Builder mixtureOfExperts(@Nullable MixtureOfExperts value) {
      this.mixtureOfExperts = value;
      return this;
    }

    public Builder latentAttention(@Nullable LatentAttention value) {
      this.latentAttention = value;
      return this;
    }

    /**
     * As {@link #build()}.
     *
     * @throws java.io.UncheckedIOException in place of an {@link IllegalArgumentException}, naming
     *     the file of {@code source}
     */
    public TransformerConfig build(HuggingFaceConfig source) {
      try {
        return build();
      } catch (IllegalArgumentException e) {
        throw source.invalid("", "a consistent decoder (" + e.getMessage() + ")");
      }
    }

    public TransformerConfig build() {
      if (kvChannels == 0 && numAttentionHeads > 0 && hiddenSize % numAttentionHeads != 0) {
        throw new IllegalArgumentException(
            "hiddenSize "
                + hiddenSize
                + " is not a multiple of numAttentionHeads "
                + numAttentionHeads
                + ", and kvChannels is not given");
      }
      return new TransformerConfig(
          Objects.requireNonNull(family, "family"),
          numLayers,
          hiddenSize,
          ffnHiddenSize,
          numAttentionHeads,
          numQueryGroups == 0 ? numAttentionHeads : numQueryGroups,
          kvChannels == 0 && numAttentionHeads > 0 ? hiddenSize / numAttentionHeads : kvChannels,
          vocabSize,
          maxPositionEmbeddings,
          normEpsilon,
          rotaryBase,
          ropeScaling,
          slidingWindow,
          tiedEmbeddings,
          qkvBias,
          qkLayernorm,
          positionEmbedding,
          rotaryPercent,
          rotaryInterleaved,
          activation,
          zeroCenteredNorm,
          embeddingScale,
          numMtpLayers,
          mixtureOfExperts,
          latentAttention);
    }
  }
}
