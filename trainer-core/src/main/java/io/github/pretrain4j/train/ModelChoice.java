package io.github.pretrain4j.train;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The model a run trains: what the options, the checkpoint and the tokenizer together say, after
 * checking that they agree.
 *
 * @param paddedVocabSize rows of embedding and output layer
 */
record ModelChoice(TransformerConfig config, int paddedVocabSize) {

  /**
   * Settles the architecture.
   *
   * @param checkpoint the weights to start from, or null to start from scratch
   * @throws IllegalArgumentException if options, checkpoint and tokenizer contradict each other
   */
  static ModelChoice of(
      TrainConfig options, @Nullable MegatronCheckpoint checkpoint, TrainTokenizer tokenizer)
      throws IOException {
    ModelOptions model = options.model();
    TransformerConfig config = architecture(model, checkpoint, tokenizer);
    checkGivenOptions(model, config);
    if (model.vocabSize() != null) {
      config = config.toBuilder().vocabSize(model.vocabSize()).build();
    }
    int padded =
        TransformerConfig.paddedVocabSize(config.vocabSize(), model.makeVocabSizeDivisibleBy(), 1);
    if (checkpoint != null) {
      TensorInfo embedding = checkpoint.fullTensors().find("embedding.word_embeddings.weight");
      if (embedding != null && embedding.shape().size() == 2) {
        padded = Math.toIntExact(embedding.shape().getFirst());
      }
      checkAgainst(checkpoint, config);
    }
    Faults faults = new Faults();
    checkVocabulary(faults, options, config, padded, tokenizer);
    faults.unless(
        options.data().seqLength() <= config.maxPositionEmbeddings(),
        "seq_length "
            + options.data().seqLength()
            + " is more than the model's max_position_embeddings "
            + config.maxPositionEmbeddings());
    faults.throwIfAny("model and data do not fit");
    return new ModelChoice(config, padded);
  }

  private static TransformerConfig architecture(
      ModelOptions model, @Nullable MegatronCheckpoint checkpoint, TrainTokenizer tokenizer)
      throws IOException {
    if (model.useCheckpointArgs() && checkpoint != null) {
      return fromCheckpoint(model, checkpoint);
    }
    if (model.isExplicit()) {
      return explicit(model, tokenizer);
    }
    if (model.hfConfig() != null) {
      return ModelFamilies.installed().config(HuggingFaceConfig.read(model.hfConfig()));
    }
    throw new IllegalArgumentException(
        "use_checkpoint_args: there is no checkpoint to take the architecture from; give hf_config as well");
  }

  private static TransformerConfig fromCheckpoint(ModelOptions model, MegatronCheckpoint checkpoint)
      throws IOException {
    boolean ours = MegatronArguments.isOurs(checkpoint.arguments());
    TransformerConfig config =
        MegatronArguments.config(
            checkpoint.directory(),
            checkpoint.arguments(),
            model.modelName() != null || ours ? model.modelName() : "llama");
    if (!ours && model.rotaryBase() == null) {
      throw new IllegalArgumentException(
          checkpoint.directory()
              + ": args of this checkpoint may hold a wrong rotary_base (Megatron's converter never fills it in): give"
              + " rotary_base, or hf_config instead of use_checkpoint_args");
    }
    TransformerConfig.Builder builder = config.toBuilder();
    if (model.rotaryBase() != null) {
      builder.rotaryBase(model.rotaryBase());
    }
    if (model.normEpsilon() != null) {
      builder.normEpsilon(model.normEpsilon());
    }
    return builder.build();
  }

  private static TransformerConfig explicit(ModelOptions model, TrainTokenizer tokenizer) {
    int hidden = Objects.requireNonNull(model.hiddenSize(), "checked by TrainConfig");
    TransformerConfig.Builder builder =
        TransformerConfig.builder()
            .family(model.modelName() == null ? "llama" : model.modelName())
            .numLayers(Objects.requireNonNull(model.numLayers(), "checked by TrainConfig"))
            .hiddenSize(hidden)
            .ffnHiddenSize(
                model.ffnHiddenSize() == null
                    ? (int) (4L * hidden * 2 / 3 / 64) * 64
                    : model.ffnHiddenSize())
            .numAttentionHeads(
                Objects.requireNonNull(model.numAttentionHeads(), "checked by TrainConfig"))
            .maxPositionEmbeddings(
                Objects.requireNonNull(model.maxPositionEmbeddings(), "checked by TrainConfig"))
            .vocabSize(tokenizer.vocabularySize())
            .tiedEmbeddings(!model.untieEmbeddingsAndOutputWeights())
            .qkvBias(model.addQkvBias());
    if (model.numQueryGroups() != null) {
      builder.numQueryGroups(model.numQueryGroups());
    }
    if (model.kvChannels() != null) {
      builder.kvChannels(model.kvChannels());
    }
    if (model.rotaryBase() != null) {
      builder.rotaryBase(model.rotaryBase());
    }
    if (model.normEpsilon() != null) {
      builder.normEpsilon(model.normEpsilon());
    }
    return builder.build();
  }

  /**
   * Where config.json or a checkpoint settle the architecture, options that describe it as well
   * have to say the same. A switch that is off says nothing: off is also what it is when left out.
   */
  private static void checkGivenOptions(ModelOptions model, TransformerConfig config) {
    Faults faults = new Faults();
    compare(faults, "model_name", model.modelName(), config.family());
    compare(faults, "num_layers", model.numLayers(), config.numLayers());
    compare(faults, "hidden_size", model.hiddenSize(), config.hiddenSize());
    compare(faults, "ffn_hidden_size", model.ffnHiddenSize(), config.ffnHiddenSize());
    compare(faults, "num_attention_heads", model.numAttentionHeads(), config.numAttentionHeads());
    compare(faults, "num_query_groups", model.numQueryGroups(), config.numQueryGroups());
    compare(faults, "kv_channels", model.kvChannels(), config.kvChannels());
    compare(
        faults,
        "max_position_embeddings",
        model.maxPositionEmbeddings(),
        config.maxPositionEmbeddings());
    compare(faults, "rotary_base", model.rotaryBase(), config.rotaryBase());
    compare(faults, "norm_epsilon", model.normEpsilon(), config.normEpsilon());
    faults.unless(
        !model.addQkvBias() || config.qkvBias(),
        "add_qkv_bias is given, the model has no such bias");
    faults.unless(
        !model.untieEmbeddingsAndOutputWeights() || !config.tiedEmbeddings(),
        "untie_embeddings_and_output_weights is given, the model's are tied");
    faults.unless(
        !model.groupQueryAttention()
            || model.numQueryGroups() != null
            || config.numQueryGroups() < config.numAttentionHeads(),
        "group_query_attention is given, the model has as many query groups as heads");
    faults.throwIfAny(
        (model.useCheckpointArgs() ? "the checkpoint" : "hf_config " + model.hfConfig())
            + " and the options describe different models");
  }

  private static void compare(Faults faults, String name, @Nullable Object given, Object model) {
    faults.unless(
        given == null || given.equals(model), name + " is " + given + ", the model's is " + model);
  }

  /** A checkpoint of ours knows its architecture exactly: whoever says otherwise is wrong. */
  private static void checkAgainst(MegatronCheckpoint checkpoint, TransformerConfig config)
      throws IOException {
    if (!MegatronArguments.isOurs(checkpoint.arguments())) {
      return; // Shapes are compared when weights are loaded; the rest is not recorded.
    }
    TransformerConfig recorded =
        MegatronArguments.config(checkpoint.directory(), checkpoint.arguments(), null).toBuilder()
            .vocabSize(config.vocabSize())
            .maxPositionEmbeddings(config.maxPositionEmbeddings())
            .build();
    if (!recorded.equals(config)) {
      throw new IllegalArgumentException(
          checkpoint.directory()
              + ": the checkpoint's model is "
              + recorded
              + ", the options say "
              + config);
    }
  }

  /**
   * The tokenizer's ids have to be the model's: its vocabulary must be the model's, or be padded to
   * the model's rows, or the user has to say with vocab_size that a larger one is meant.
   */
  private static void checkVocabulary(
      Faults faults,
      TrainConfig options,
      TransformerConfig config,
      int padded,
      TrainTokenizer tokenizer) {
    int ids = tokenizer.vocabularySize();
    int divisor = options.model().makeVocabSizeDivisibleBy();
    faults.unless(
        config.vocabSize() <= padded,
        "vocab_size " + config.vocabSize() + " is more than the model's " + padded + " rows");
    boolean fits =
        ids == config.vocabSize()
            || (ids < config.vocabSize() && options.model().vocabSize() != null)
            || (ids <= padded && TransformerConfig.paddedVocabSize(ids, divisor, 1) == padded);
    faults.unless(
        fits,
        "tokenizer "
            + tokenizer.origin()
            + " has "
            + ids
            + " ids, the model's vocabulary is "
            + config.vocabSize()
            + (padded == config.vocabSize() ? "" : " (padded to " + padded + ")")
            + (ids < config.vocabSize()
                ? ": if this is the model's tokenizer, say so with vocab_size " + config.vocabSize()
                : ": it is not the model's tokenizer"));
  }
}
