package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Converts a Megatron checkpoint of any tensor and pipeline parallel size into a Hugging Face
 * model.
 */
public final class MegatronToHuggingFace {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private MegatronToHuggingFace() {}

  /**
   * What to convert.
   *
   * @param input a checkpoint's directory or one of its iterations'
   * @param output a directory that does not exist or is empty
   * @param reference a model directory that gives config.json, tokenizer and other companion files,
   *     or null to make them from what this library records in its checkpoints
   * @param tokenizerModel a tokenizer's file or directory that must fit the vocabulary and comes
   *     along, or null
   * @param dataType what to round the weights to, or null to keep them
   */
  public record Config(
      Path input,
      Path output,
      @Nullable Path reference,
      @Nullable Path tokenizerModel,
      WeightFormat format,
      ShardRule sharding,
      @Nullable DataType dataType) {

    /** Types kept, safetensors of at most 5 GB. */
    public static Config of(Path input, Path output, @Nullable Path reference) {
      return new Config(
          input,
          output,
          reference,
          null,
          WeightFormat.SAFETENSORS,
          new ShardRule.MaxSize(5_000_000_000L),
          null);
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
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(config.input)) {
      List<String> problems = new ArrayList<>();
      List<String> notes = new ArrayList<>();
      String outputProblem = StagedOutput.problem(config.output);
      if (outputProblem != null) {
        problems.add(outputProblem);
      }
      HuggingFaceConfig reference =
          config.reference == null ? null : HuggingFaceConfig.read(config.reference);
      TransformerConfig model = model(checkpoint, reference, families, problems, notes);
      ModelFamily family = families.get(model.family());
      WeightMapping mapping = family.weights(model);
      TensorSource full = checkpoint.fullTensors();
      checkRows(checkpoint, model, problems);
      TensorSource cut = new VocabularyRows(full, model.vocabSize());
      problems.addAll(mapping.megatronProblems(cut.tensors()));
      problems.addAll(HuggingFaceToMegatron.typeProblems(full.tensors(), config.dataType));
      TokenizerFile tokenizer =
          HuggingFaceToMegatron.checkTokenizer(
              config.tokenizerModel, model.vocabSize(), problems, notes);
      checkSameTokenizer(tokenizer, config.reference, problems);
      if (config.sharding instanceof ShardRule.Count count
          && count.shards() > mapping.huggingFaceTensors(DataType.F32).size()) {
        problems.add(
            "cannot deal "
                + mapping.huggingFaceTensors(DataType.F32).size()
                + " tensors out to "
                + count.shards()
                + " shards");
      }
      if (!problems.isEmpty()) {
        throw new ConversionException(config.input, problems);
      }
      notes.addAll(checkpoint.differingReplicas());
      HuggingFaceToMegatron.noteCopies(mapping.megatronCopies(), full, notes);
      Companions companions = new Companions(reference, family, model, tokenizer);
      return convert(config, checkpoint, mapping, cut, companions, notes, listener);
    }
  }

  private static ConversionReport convert(
      Config config,
      MegatronCheckpoint checkpoint,
      WeightMapping mapping,
      TensorSource megatron,
      Companions companions,
      List<String> notes,
      ConversionListener listener)
      throws IOException {
    TransformerConfig model = companions.model;
    List<String> names =
        mapping.megatronTensors(DataType.F32).stream().map(TensorInfo::name).toList();
    RoundTrip proof = RoundTrip.of(megatron, names, config.dataType, notes, listener);
    TensorSource rounded =
        config.dataType == null ? megatron : new ConvertedTypeSource(megatron, config.dataType);
    TensorSource huggingFace = mapping.toHuggingFace(rounded);
    try (StagedOutput staged = new StagedOutput(config.output)) {
      DataType type = huggingFace.tensors().get(0).type();
      HuggingFaceWriter writer =
          HuggingFaceWriter.create(staged.directory(), config.format, config.sharding);
      if (config.reference != null) {
        writer.companionsFrom(config.reference);
      }
      companions.files(type).forEach(writer::file);
      long total = TensorHashes.byteCount(rounded, names);
      writer.write(huggingFace.tensors(), counted(huggingFace, total, listener));
      listener.progress(ConversionListener.Phase.WRITE, total, total);
      List<ConversionReport.Tensor> tensors;
      try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(staged.directory())) {
        tensors = proof.compare(mapping.toMegatron(written), staged.directory(), listener);
      }
      TensorInfo embedding = checkpoint.fullTensors().get("embedding.word_embeddings.weight");
      ConversionReport report =
          new ConversionReport(
              "huggingface",
              config.input.toString(),
              config.output.toString(),
              model,
              checkpoint.tensorModelParallelSize(),
              checkpoint.pipelineModelParallelSize(),
              embedding.shape().get(0),
              staged.files(),
              tensors,
              notes,
              MegatronFlags.of(
                  model,
                  checkpoint.tensorModelParallelSize(),
                  checkpoint.pipelineModelParallelSize()));
      staged.publish();
      return report;
    }
  }

  private static TensorContent counted(
      TensorSource source, long total, ConversionListener listener) {
    TensorContent content = TensorContent.copyOf(source);
    long[] done = {0};
    return (tensor, out) -> {
      content.write(tensor, out);
      done[0] += tensor.byteCount();
      listener.progress(ConversionListener.Phase.WRITE, Math.min(done[0], total - 1), total);
    };
  }

  /**
   * The reference's configuration if there is one, compared with what the checkpoint says of
   * itself.
   */
  private static TransformerConfig model(
      MegatronCheckpoint checkpoint,
      @Nullable HuggingFaceConfig reference,
      ModelFamilies families,
      List<String> problems,
      List<String> notes)
      throws IOException {
    Map<String, @Nullable Object> arguments = checkpoint.arguments();
    boolean ours = MegatronArguments.isOurs(arguments);
    if (reference == null) {
      if (!ours) {
        throw new ConversionException(
            checkpoint.directory(),
            List.of(
                "the checkpoint does not record its family and rotary settings: give a reference directory with"
                    + " config.json"));
      }
      return MegatronArguments.config(checkpoint.directory(), arguments, null);
    }
    TransformerConfig model = families.config(reference);
    if (arguments.isEmpty()) {
      notes.add("the checkpoint has no args to compare with " + reference.file());
      return model;
    }
    TransformerConfig recorded =
        MegatronArguments.config(checkpoint.directory(), arguments, ours ? null : model.family());
    differences(model, recorded, true)
        .forEach(difference -> problems.add(reference.file() + ": " + difference));
    for (String difference : differences(model, recorded, false)) {
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
      MegatronCheckpoint checkpoint, TransformerConfig model, List<String> problems) {
    TensorInfo embedding = checkpoint.fullTensors().find("embedding.word_embeddings.weight");
    if (embedding == null || embedding.shape().isEmpty()) {
      return;
    }
    long rows = embedding.shape().get(0);
    if (rows < model.vocabSize()) {
      problems.add("the embedding has " + rows + " rows, the vocabulary " + model.vocabSize());
      return;
    }
    Object divisor = checkpoint.arguments().get("make_vocab_size_divisible_by");
    if (divisor instanceof Long number && number > 0 && number <= Integer.MAX_VALUE) {
      long padded =
          TransformerConfig.paddedVocabSize(
              model.vocabSize(), (int) (long) number, checkpoint.tensorModelParallelSize());
      if (rows > padded) {
        problems.add(
            "the embedding has "
                + rows
                + " rows; a vocabulary of "
                + model.vocabSize()
                + " is padded to "
                + padded);
      }
    }
  }

  private static void checkSameTokenizer(
      @Nullable TokenizerFile tokenizer, @Nullable Path reference, List<String> problems)
      throws IOException {
    if (tokenizer == null || reference == null) {
      return;
    }
    Path other = reference.resolve(tokenizer.companionName());
    if (Files.exists(other) && Files.mismatch(other, tokenizer.file()) >= 0) {
      problems.add("tokenizers " + tokenizer.file() + " and " + other + " differ");
    }
  }

  /** The small files of the output that are not copied from a reference. */
  private record Companions(
      @Nullable HuggingFaceConfig reference,
      ModelFamily family,
      TransformerConfig model,
      @Nullable TokenizerFile tokenizer) {

    Map<String, byte[]> files(DataType type) throws IOException {
      Map<String, byte[]> files = new LinkedHashMap<>();
      files.put("config.json", configJson(type).getBytes(StandardCharsets.UTF_8));
      files.put("README.md", readme().getBytes(StandardCharsets.UTF_8));
      if (tokenizer != null) {
        files.put(tokenizer.companionName(), Files.readAllBytes(tokenizer.file()));
        if (tokenizer.special() != null) {
          specialFiles(tokenizer.special())
              .forEach((name, fields) -> files.put(name, json(fields)));
        }
      }
      if (reference != null) {
        Path directory = reference.file().resolveSibling("");
        files
            .keySet()
            .removeIf(name -> !name.equals("config.json") && Files.exists(directory.resolve(name)));
      }
      return files;
    }

    private String readme() {
      return String.format(
          Locale.ROOT,
          "# %s\n\nA %s model of %,d parameters (%d layers, hidden size %d, vocabulary %d), converted from a Megatron"
              + " checkpoint by pretrain4j.\n",
          family.architecture(),
          family.name(),
          model.parameterCount(),
          model.numLayers(),
          model.hiddenSize(),
          model.vocabSize());
    }

    /** The reference's text, unless the weights have another type than it says. */
    private String configJson(DataType type) throws IOException {
      if (reference == null) {
        Map<String, @Nullable Object> fields = family.huggingFaceFields(model);
        fields.put("torch_dtype", type.torchName());
        if (tokenizer != null && tokenizer.special() != null) {
          fields.putAll(specialIds(tokenizer.special()));
        }
        return new String(json(fields), StandardCharsets.UTF_8);
      }
      if (reference.dataType().filter(type::equals).isPresent()) {
        return reference.json();
      }
      ObjectNode root = (ObjectNode) JSON.readTree(reference.json());
      root.put(root.has("dtype") ? "dtype" : "torch_dtype", type.torchName());
      return JSON.writeValueAsString(root) + "\n";
    }

    private static Map<String, Map<String, @Nullable Object>> specialFiles(
        TokenizerFile.Special special) {
      Map<String, @Nullable Object> tokens = new LinkedHashMap<>();
      tokens.put("bos_token", special.piece(special.bosId()));
      tokens.put("eos_token", special.piece(special.eosId()));
      tokens.put("unk_token", special.piece(special.unkId()));
      tokens.put("pad_token", special.piece(special.padId()));
      tokens.values().removeIf(Objects::isNull);
      Map<String, @Nullable Object> tokenizerConfig = new LinkedHashMap<>(tokens);
      tokenizerConfig.put("tokenizer_class", "LlamaTokenizer");
      tokenizerConfig.put("add_bos_token", false);
      tokenizerConfig.put("add_eos_token", false);
      tokenizerConfig.put("clean_up_tokenization_spaces", false);
      Map<String, Map<String, @Nullable Object>> files = new LinkedHashMap<>();
      files.put("generation_config.json", specialIds(special));
      files.put("special_tokens_map.json", tokens);
      files.put("tokenizer_config.json", tokenizerConfig);
      return files;
    }

    private static Map<String, @Nullable Object> specialIds(TokenizerFile.Special special) {
      Map<String, @Nullable Object> ids = new LinkedHashMap<>();
      if (special.bosId() >= 0) {
        ids.put("bos_token_id", special.bosId());
      }
      if (special.eosId() >= 0) {
        ids.put("eos_token_id", special.eosId());
      }
      if (special.padId() >= 0) {
        ids.put("pad_token_id", special.padId());
      }
      return ids;
    }

    private static byte[] json(Object fields) {
      try {
        return (JSON.writeValueAsString(fields) + "\n").getBytes(StandardCharsets.UTF_8);
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("fields are plain values", e);
      }
    }
  }
}
