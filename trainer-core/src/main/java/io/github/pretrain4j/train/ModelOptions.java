package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the model is: from a config.json, from the checkpoint, or option by option as in Megatron.
 */
public record ModelOptions(
    @JsonPropertyDescription(
            "Hugging Face config.json, or its directory: the architecture of a model to train from scratch")
        @Nullable Path hfConfig,
    @JsonPropertyDescription("take the architecture from the checkpoint that is loaded")
        boolean useCheckpointArgs,
    @JsonPropertyDescription(
            "model family (config.json's model_type); default: what config.json or the checkpoint say, else llama")
        @Nullable String modelName,
    @JsonPropertyDescription("decoder layers") @Nullable Integer numLayers,
    @JsonPropertyDescription("width of the residual stream") @Nullable Integer hiddenSize,
    @JsonPropertyDescription("width of the MLP; default with swiglu: int(4h*2/3/64)*64")
        @Nullable Integer ffnHiddenSize,
    @JsonPropertyDescription("query heads") @Nullable Integer numAttentionHeads,
    @JsonPropertyDescription("share key and value heads; needs num_query_groups")
        boolean groupQueryAttention,
    @JsonPropertyDescription("key and value heads") @Nullable Integer numQueryGroups,
    @JsonPropertyDescription("width of a head; default hidden_size / num_attention_heads")
        @Nullable Integer kvChannels,
    @JsonPropertyDescription("longest sequence the model is made for")
        @Nullable Integer maxPositionEmbeddings,
    @JsonPropertyDescription("must be rope") @Nullable String positionEmbeddingType,
    @JsonPropertyDescription("the older spelling of position_embedding_type rope")
        boolean useRotaryPositionEmbeddings,
    @JsonPropertyDescription("base of the rotary angles") @Nullable Double rotaryBase,
    @JsonPropertyDescription("must be RMSNorm") @Nullable String normalization,
    @JsonPropertyDescription("epsilon of the normalisation") @Nullable Double normEpsilon,
    @JsonPropertyDescription("gated MLP; required") boolean swiglu,
    @JsonPropertyDescription("no bias in linear layers; required") boolean disableBiasLinear,
    @JsonPropertyDescription("bias in the query, key and value projection") boolean addQkvBias,
    @JsonPropertyDescription("an output layer of its own") boolean untieEmbeddingsAndOutputWeights,
    @JsonPropertyDescription("must be 0") @Nullable Double attentionDropout,
    @JsonPropertyDescription("must be 0") @Nullable Double hiddenDropout,
    @JsonPropertyDescription("true vocabulary size; default: the model's, or the tokenizer's")
        @Nullable Integer vocabSize,
    @JsonProperty(defaultValue = "128")
        @JsonPropertyDescription("the vocabulary is padded to a multiple of this")
        int makeVocabSizeDivisibleBy,
    @JsonProperty(defaultValue = "0.02")
        @JsonPropertyDescription("standard deviation of initial weights")
        double initMethodStd) {

  /** Whether the architecture is spelled out option by option. */
  boolean isExplicit() {
    return numLayers != null || hiddenSize != null || numAttentionHeads != null;
  }

  void check(Faults faults) {
    faults.unless(
        positionEmbeddingType == null || positionEmbeddingType.equals("rope"),
        "position_embedding_type must be rope, is " + positionEmbeddingType);
    faults.unless(
        normalization == null || normalization.equals("RMSNorm"),
        "normalization must be RMSNorm, is " + normalization);
    faults.unless(
        attentionDropout == null || attentionDropout == 0,
        "attention_dropout must be 0, is " + attentionDropout);
    faults.unless(
        hiddenDropout == null || hiddenDropout == 0,
        "hidden_dropout must be 0, is " + hiddenDropout);
    faults.unlessPositive("make_vocab_size_divisible_by", makeVocabSizeDivisibleBy);
    faults.unlessPositive("vocab_size", vocabSize);
    faults.unless(initMethodStd > 0, "init_method_std must be positive, is " + initMethodStd);
    if (isExplicit()) {
      checkExplicit(faults);
    } else {
      faults.unless(
          hfConfig != null || useCheckpointArgs,
          "the architecture is missing: give hf_config, use_checkpoint_args, or num_layers, hidden_size,"
              + " num_attention_heads and so on");
    }
  }

  private void checkExplicit(Faults faults) {
    faults.unless(
        hfConfig == null, "hf_config excludes num_layers, hidden_size and num_attention_heads");
    faults.unlessGiven("num_layers", numLayers);
    faults.unlessGiven("hidden_size", hiddenSize);
    faults.unlessGiven("num_attention_heads", numAttentionHeads);
    faults.unlessGiven("max_position_embeddings", maxPositionEmbeddings);
    faults.unless(
        positionEmbeddingType != null || useRotaryPositionEmbeddings,
        "position_embedding_type must be given as rope");
    faults.unless(normalization != null, "normalization must be given as RMSNorm");
    faults.unless(swiglu, "swiglu must be given: no other MLP is supported");
    faults.unless(
        disableBiasLinear,
        "disable_bias_linear must be given: biases of all layers are not supported");
    faults.unless(
        attentionDropout != null && hiddenDropout != null,
        "attention_dropout 0 and hidden_dropout 0 must be given: Megatron's default 0.1 is not supported");
    faults.unless(
        groupQueryAttention == (numQueryGroups != null),
        "group_query_attention and num_query_groups go together");
  }
}
