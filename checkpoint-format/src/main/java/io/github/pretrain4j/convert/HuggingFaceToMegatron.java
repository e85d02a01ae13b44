package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Converts a Hugging Face model into a Megatron checkpoint. */
public final class HuggingFaceToMegatron {
  /**
   * Iteration of a converted checkpoint: what Megatron's own converter writes, and what its tools
   * can read.
   */
  private static final long ITERATION = 1;

  private HuggingFaceToMegatron() {}

  /**
   * What to convert.
   *
   * @param input a model directory
   * @param output a directory that does not exist or is empty
   * @param tokenizerModel a tokenizer's file or directory that must fit the vocabulary, or null
   * @param dataType what to round the weights to, or null to keep them
   * @param makeVocabSizeDivisibleBy the vocabulary is padded to a multiple of this and the tensor
   *     parallel size
   */
  public record Config(
      Path input,
      Path output,
      int tensorModelParallelSize,
      int pipelineModelParallelSize,
      @Nullable Path tokenizerModel,
      @Nullable DataType dataType,
      LayerSpec layerSpec,
      int makeVocabSizeDivisibleBy) {
    public Config {
      if (tensorModelParallelSize < 1
          || pipelineModelParallelSize < 1
          || makeVocabSizeDivisibleBy < 1) {
        throw new IllegalArgumentException(
            "tensorModelParallelSize, pipelineModelParallelSize and makeVocabSizeDivisibleBy must be positive");
      }
    }

    /**
     * Everything as Megatron has it by default: types kept, Transformer Engine's names, vocabulary
     * by 128.
     */
    public static Config of(
        Path input, Path output, int tensorModelParallelSize, int pipelineModelParallelSize) {
      return new Config(
          input,
          output,
          tensorModelParallelSize,
          pipelineModelParallelSize,
          null,
          null,
          LayerSpec.TRANSFORMER_ENGINE,
          128);
    }
  }

  /** {@link #run(Config, ModelFamilies, ConversionListener)} with the installed families. */
  public static ConversionReport run(Config config, ConversionListener listener)
      throws IOException {
    return run(config, ModelFamilies.installed(), listener);
  }

  /**
   * Converts.
   *
   * @throws ConversionException listing everything that stands in the way; nothing was written then
   */
  public static ConversionReport run(
      Config config, ModelFamilies families, ConversionListener listener) throws IOException {
    HuggingFaceConfig source = HuggingFaceConfig.read(config.input);
    TransformerConfig model = families.config(source);
    WeightMapping mapping = families.get(model.family()).weights(model);
    try (HuggingFaceCheckpoint weights = HuggingFaceCheckpoint.open(config.input)) {
      List<String> problems = new ArrayList<>();
      List<String> notes = new ArrayList<>(MegatronFlags.notes(model));
      String outputProblem = StagedOutput.problem(config.output);
      if (outputProblem != null) {
        problems.add(outputProblem);
      }
      problems.addAll(mapping.huggingFaceProblems(weights.tensors()));
      problems.addAll(
          divisibilityProblems(
              model, config.tensorModelParallelSize, config.pipelineModelParallelSize));
      problems.addAll(typeProblems(weights.tensors(), config.dataType));
      TokenizerFile tokenizer =
          checkTokenizer(config.tokenizerModel, model.vocabSize(), problems, notes);
      if (!problems.isEmpty()) {
        throw new ConversionException(config.input, problems);
      }
      noteCopies(mapping.huggingFaceCopies(), weights, notes);
      return convert(config, model, mapping, weights, tokenizer, notes, listener);
    }
  }

  private static ConversionReport convert(
      Config config,
      TransformerConfig model,
      WeightMapping mapping,
      HuggingFaceCheckpoint weights,
      @Nullable TokenizerFile tokenizer,
      List<String> notes,
      ConversionListener listener)
      throws IOException {
    List<String> names =
        mapping.huggingFaceTensors(DataType.F32).stream().map(TensorInfo::name).toList();
    RoundTrip proof = RoundTrip.of(weights, names, config.dataType, notes, listener);
    TensorSource rounded =
        config.dataType == null ? weights : new ConvertedTypeSource(weights, config.dataType);
    int paddedVocabSize =
        TransformerConfig.paddedVocabSize(
            model.vocabSize(), config.makeVocabSizeDivisibleBy, config.tensorModelParallelSize);
    TensorSource megatron = new VocabularyRows(mapping.toMegatron(rounded), paddedVocabSize);
    try (StagedOutput staged = new StagedOutput(config.output)) {
      long total = TensorHashes.byteCount(rounded, names);
      MegatronCheckpointWriter.create(staged.directory())
          .iteration(ITERATION)
          .parallel(config.tensorModelParallelSize, config.pipelineModelParallelSize)
          .layerSpec(config.layerSpec)
          .arguments(arguments(config, model, tokenizer))
          .onProgress(
              written ->
                  listener.progress(
                      ConversionListener.Phase.WRITE, Math.min(written, total - 1), total))
          .write(megatron);
      listener.progress(ConversionListener.Phase.WRITE, total, total);
      List<ConversionReport.Tensor> tensors;
      try (MegatronCheckpoint written = MegatronCheckpoint.open(staged.directory())) {
        TensorSource back =
            mapping.toHuggingFace(new VocabularyRows(written.fullTensors(), model.vocabSize()));
        tensors = proof.compare(back, staged.directory(), listener);
      }
      ConversionReport report =
          new ConversionReport(
              "megatron",
              config.input.toString(),
              config.output.toString(),
              model,
              config.tensorModelParallelSize,
              config.pipelineModelParallelSize,
              paddedVocabSize,
              staged.files(),
              tensors,
              notes,
              MegatronFlags.of(
                  model, config.tensorModelParallelSize, config.pipelineModelParallelSize));
      staged.publish();
      return report;
    }
  }

  private static Map<String, @Nullable Object> arguments(
      Config config, TransformerConfig model, @Nullable TokenizerFile tokenizer) {
    Map<String, @Nullable Object> arguments = new LinkedHashMap<>(MegatronArguments.of(model));
    arguments.put("make_vocab_size_divisible_by", config.makeVocabSizeDivisibleBy);
    if (tokenizer != null) {
      arguments.put(
          "tokenizer_type",
          tokenizer.isSentencePiece() ? "Llama2Tokenizer" : "HuggingFaceTokenizer");
    }
    return arguments;
  }

  static List<String> divisibilityProblems(
      TransformerConfig model, int tensorSize, int pipelineSize) {
    List<String> problems = new ArrayList<>();
    Map<String, Integer> split = new LinkedHashMap<>();
    split.put("num_attention_heads", model.numAttentionHeads());
    split.put("num_query_groups", model.numQueryGroups());
    split.put("ffn_hidden_size", model.ffnHiddenSize());
    split.forEach(
        (name, size) -> {
          if (size % tensorSize != 0) {
            problems.add(
                name + " " + size + " does not divide over " + tensorSize + " tensor ranks");
          }
        });
    if (model.numLayers() % pipelineSize != 0) {
      problems.add(
          "num_layers "
              + model.numLayers()
              + " does not divide over "
              + pipelineSize
              + " pipeline stages");
    }
    return problems;
  }

  static List<String> typeProblems(List<TensorInfo> tensors, @Nullable DataType wanted) {
    List<String> problems = new ArrayList<>();
    for (TensorInfo tensor : tensors) {
      if (WeightMapping.isBuffer(tensor.name())) {
        continue;
      }
      if (!tensor.type().isFloatingPoint()) {
        problems.add("tensor " + tensor.name() + " holds " + tensor.type() + ", no weights");
      } else if (wanted != null && !NumericConversion.supported(tensor.type(), wanted)) {
        problems.add(
            "tensor "
                + tensor.name()
                + " cannot be rounded from "
                + tensor.type()
                + " to "
                + wanted);
      }
    }
    return problems;
  }

  /** Compares a tokenizer with the embedding's rows; null if there is none. */
  static @Nullable TokenizerFile checkTokenizer(
      @Nullable Path file, int vocabSize, List<String> problems, List<String> notes)
      throws IOException {
    if (file == null) {
      return null;
    }
    TokenizerFile tokenizer = TokenizerFile.read(file);
    String difference =
        "tokenizer "
            + tokenizer.file()
            + " has "
            + tokenizer.size()
            + " tokens, the model "
            + vocabSize
            + " rows";
    // Hugging Face tokenizers often have fewer tokens than the embedding has rows; a SentencePiece
    // model never should.
    if (tokenizer.size() > vocabSize
        || (tokenizer.size() < vocabSize && tokenizer.isSentencePiece())) {
      problems.add(difference);
    } else if (tokenizer.size() < vocabSize) {
      notes.add(difference + "; all rows are kept");
    }
    return tokenizer;
  }

  /** Says so where a second copy of a tied weight is not the same: the first is what counts. */
  static void noteCopies(Map<String, String> copies, TensorSource source, List<String> notes)
      throws IOException {
    for (Map.Entry<String, String> copy : copies.entrySet()) {
      TensorInfo second = source.find(copy.getKey());
      if (second == null) {
        continue;
      }
      Map<String, String> hashes =
          TensorHashes.of(
              source,
              List.of(copy.getKey(), copy.getValue()),
              ConversionListener.NONE,
              ConversionListener.Phase.READ);
      if (!Objects.equals(hashes.get(copy.getKey()), hashes.get(copy.getValue()))) {
        notes.add(
            copy.getKey()
                + " differs from "
                + copy.getValue()
                + " though the model ties them; only the latter is used");
      }
    }
  }
}
