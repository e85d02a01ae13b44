package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint to be converted.
 *
 * <p>If it is to stay one, nobody need know its family: the names say how tensors are split.
 *
 * @param reference the Hugging Face model it came from, or null
 * @param vocabSize null if the padding cannot be told from the vocabulary; all rows are kept then
 */
record MegatronOrigin(
    MegatronCheckpoint checkpoint,
    @Nullable HuggingFaceConfig reference,
    @Nullable Model model,
    TensorSource weights,
    @Nullable Integer vocabSize)
    implements Origin {

  /** What every {@code args} of Megatron has, but not those that others make of a few sizes. */
  private static final List<String> DESCRIBING_ARGUMENTS =
      List.of("num_layers", "position_embedding_type", "normalization", "add_bias_linear");

  static MegatronOrigin open(
      ConversionConfig config, ModelFamilies families, List<String> problems, List<String> notes)
      throws IOException {
    MegatronCheckpoint checkpoint = MegatronCheckpoint.open(config.input());
    try {
      HuggingFaceConfig reference =
          config.reference() == null ? null : HuggingFaceConfig.read(config.reference());
      boolean staysMegatron = config.target() instanceof ConversionTarget.Megatron;
      Model model = model(checkpoint, reference, families, staysMegatron, problems, notes);
      Integer vocabSize = vocabSize(config, checkpoint, model, problems);
      TensorSource full = checkpoint.fullTensors();
      List<String> names = new ArrayList<>();
      full.tensors().forEach(tensor -> names.add(tensor.name()));
      Map<String, String> copies =
          model != null
              ? model.mapping().megatronCopies()
              : Boolean.FALSE.equals(
                      checkpoint.arguments().get("untie_embeddings_and_output_weights"))
                  ? Map.of(VocabularyRows.OUTPUT_LAYER, VocabularyRows.EMBEDDING)
                  : Map.of();
      names.removeAll(copies.keySet());
      if (model != null) {
        // Megatron's order and, if all is well, Megatron's tensors.
        List<String> ordered = new ArrayList<>();
        model.mapping().megatronTensors(DataType.F32).forEach(t -> ordered.add(t.name()));
        names.removeAll(ordered);
        names.addAll(0, ordered);
      }
      TensorSource weights = new SelectedTensors(full, names);
      if (vocabSize != null) {
        checkRows(checkpoint, vocabSize, problems);
        weights = new VocabularyRows(weights, vocabSize);
      }
      if (model != null) {
        problems.addAll(model.mapping().megatronProblems(weights.tensors()));
      }
      Copies.note(copies, full, notes);
      notes.addAll(checkpoint.differingReplicas());
      return new MegatronOrigin(checkpoint, reference, model, weights, vocabSize);
    } catch (IOException | RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  private static @Nullable Integer vocabSize(
      ConversionConfig config,
      MegatronCheckpoint checkpoint,
      @Nullable Model model,
      List<String> problems)
      throws IOException {
    Object recorded = checkpoint.arguments().get("vocab_size");
    if (model != null) {
      if (config.vocabSize() != null && config.vocabSize() != model.config().vocabSize()) {
        problems.add(
            "the vocabulary is said to have "
                + config.vocabSize()
                + " tokens, the model has "
                + model.config().vocabSize());
      }
      return model.config().vocabSize();
    }
    if (config.vocabSize() != null) {
      return config.vocabSize();
    }
    if (recorded instanceof Long size && size > 0 && size <= Integer.MAX_VALUE) {
      return size.intValue();
    }
    return config.tokenizerModel() == null
        ? null
        : (Integer) TokenizerFile.read(config.tokenizerModel()).size();
  }

  /**
   * The reference's configuration if there is one, compared with what the checkpoint says of
   * itself.
   */
  private static @Nullable Model model(
      MegatronCheckpoint checkpoint,
      @Nullable HuggingFaceConfig reference,
      ModelFamilies families,
      boolean staysMegatron,
      List<String> problems,
      List<String> notes)
      throws IOException {
    Map<String, @Nullable Object> arguments = checkpoint.arguments();
    boolean ours = MegatronArguments.isOurs(arguments);
    if (reference == null) {
      if (ours) {
        return Model.of(
            MegatronArguments.config(checkpoint.directory(), arguments, null), families);
      }
      if (staysMegatron) {
        notes.add(
            "the checkpoint does not record its family: tensors are taken as they are, and Megatron's options"
                + " are not listed; a reference directory with config.json would say what they should be");
        return null;
      }
      throw new ConversionException(
          checkpoint.directory(),
          List.of(
              "the checkpoint does not record its family and rotary settings: give a reference directory with"
                  + " config.json"));
    }
    Model model =
        Model.of(families.config(reference, checkpoint.fullTensors().tensors()), families);
    if (!ours && !arguments.keySet().containsAll(DESCRIBING_ARGUMENTS)) {
      notes.add(
          "the checkpoint's args do not describe a model that could be compared with "
              + reference.file());
      return model;
    }
    TransformerConfig recorded =
        MegatronArguments.config(
            checkpoint.directory(), arguments, ours ? null : model.config().family());
    differences(model.config(), recorded, true)
        .forEach(difference -> problems.add(reference.file() + ": " + difference));
    for (String difference : differences(model.config(), recorded, false)) {
      if (ours) {
        problems.add(reference.file() + ": " + difference);
      } else {
        notes.add(
            reference.file()
                + ": "
                + difference
                + ", which Megatron's converter leaves at its default");
      }
    }
    return model;
  }

  /** Fields in which the two differ: those that decide shapes and names, or the others. */
  private static List<String> differences(
      TransformerConfig reference, TransformerConfig recorded, boolean shapes) {
    Map<String, Object[]> fields = new LinkedHashMap<>();
    if (shapes) {
      pair(fields, "family", reference.family(), recorded.family());
      pair(fields, "num_layers", reference.numLayers(), recorded.numLayers());
      pair(fields, "hidden_size", reference.hiddenSize(), recorded.hiddenSize());
      pair(fields, "ffn_hidden_size", reference.ffnHiddenSize(), recorded.ffnHiddenSize());
      pair(
          fields,
          "num_attention_heads",
          reference.numAttentionHeads(),
          recorded.numAttentionHeads());
      pair(fields, "num_query_groups", reference.numQueryGroups(), recorded.numQueryGroups());
      pair(fields, "kv_channels", reference.kvChannels(), recorded.kvChannels());
      pair(fields, "tied embeddings", reference.tiedEmbeddings(), recorded.tiedEmbeddings());
      pair(
          fields,
          "latent attention",
          String.valueOf(reference.latentAttention()),
          String.valueOf(recorded.latentAttention()));
    } else {
      pair(fields, "vocab_size", reference.vocabSize(), recorded.vocabSize());
      pair(fields, "rotary_base", reference.rotaryBase(), recorded.rotaryBase());
      pair(
          fields,
          "rotary scaling",
          String.valueOf(reference.ropeScaling()),
          String.valueOf(recorded.ropeScaling()));
      pair(fields, "norm_epsilon", reference.normEpsilon(), recorded.normEpsilon());
      pair(fields, "sliding window", reference.slidingWindow(), recorded.slidingWindow());
      pair(fields, "rotary_percent", reference.rotaryPercent(), recorded.rotaryPercent());
      pair(
          fields,
          "rotary_interleaved",
          reference.rotaryInterleaved(),
          recorded.rotaryInterleaved());
      pair(fields, "activation", reference.activation(), recorded.activation());
      pair(fields, "zero-centred norms", reference.zeroCenteredNorm(), recorded.zeroCenteredNorm());
      pair(
          fields,
          "experts",
          String.valueOf(reference.mixtureOfExperts()),
          String.valueOf(recorded.mixtureOfExperts()));
    }
    List<String> differences = new ArrayList<>();
    fields.forEach(
        (name, values) -> {
          if (!values[0].equals(values[1])) {
            differences.add(name + " is " + values[0] + ", in the checkpoint " + values[1]);
          }
        });
    return differences;
  }

  private static void pair(
      Map<String, Object[]> fields, String name, Object reference, Object recorded) {
    fields.put(name, new Object[] {reference, recorded});
  }

  /** Rows beyond the vocabulary must be no more than Megatron's padding. */
  private static void checkRows(
      MegatronCheckpoint checkpoint, int vocabSize, List<String> problems) {
    TensorInfo embedding = checkpoint.fullTensors().find(VocabularyRows.EMBEDDING);
    if (embedding == null || embedding.shape().isEmpty()) {
      return;
    }
    long rows = embedding.shape().get(0);
    if (rows < vocabSize) {
      problems.add("the embedding has " + rows + " rows, the vocabulary " + vocabSize);
      return;
    }
    Object divisor = checkpoint.arguments().get("make_vocab_size_divisible_by");
    Object ranks = checkpoint.arguments().get("tensor_model_parallel_size");
    if (divisor instanceof Long number
        && number > 0
        && number <= Integer.MAX_VALUE
        && ranks instanceof Long size
        && size > 0
        && size <= Integer.MAX_VALUE) {
      long padded =
          TransformerConfig.paddedVocabSize(vocabSize, number.intValue(), size.intValue());
      if (rows > padded) {
        problems.add(
            "the embedding has "
                + rows
                + " rows; a vocabulary of "
                + vocabSize
                + " is padded to "
                + padded);
      }
    }
  }

  @Override
  public Path path() {
    return checkpoint.directory();
  }

  @Override
  public String form() {
    return "megatron " + checkpoint.format().argument();
  }

  @Override
  public TensorSource stored() {
    return checkpoint.fullTensors();
  }

  @Override
  public Map<String, String> changes() {
    return Map.of();
  }

  @Override
  public Map<String, Integer> vocabularyTensors() {
    Map<String, Integer> names = new LinkedHashMap<>();
    names.put(VocabularyRows.EMBEDDING, 0);
    if (weights.find(VocabularyRows.OUTPUT_LAYER) != null) {
      names.put(VocabularyRows.OUTPUT_LAYER, 1);
    }
    return names;
  }

  @Override
  public void close() throws IOException {
    checkpoint.close();
  }
}
