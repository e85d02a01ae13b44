package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The small files beside the weights of a Hugging Face model: those of the model it came from, else
 * made up from what is known.
 *
 * @param source the config.json of the model it came from, its companions beside it; null if there
 *     is none
 * @param model null only if there is a {@code source}
 * @param vocabSize what the vocabulary grows to, or null if it stays
 */
record HuggingFaceCompanions(
    @Nullable HuggingFaceConfig source,
    Origin.@Nullable Model model,
    @Nullable TokenizerFile tokenizer,
    @Nullable Integer vocabSize,
    @Nullable ConfigDialect dialect) {

  /** Files of a tokenizer; with a larger vocabulary the old ones are wrong. */
  private static final Set<String> TOKENIZER =
      Set.of(
          "tokenizer.model",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt");

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  void check(List<String> problems, List<String> notes) throws IOException {
    if (source == null) {
      return;
    }
    if (vocabSize != null) {
      if (tokenizer == null) {
        notes.add(
            "the tokenizer's files are those of the smaller vocabulary: give the extended tokenizer to have its files");
      }
      return;
    }
    if (tokenizer != null) {
      Path other = source.file().resolveSibling(tokenizer.companionName());
      if (Files.exists(other) && Files.mismatch(other, tokenizer.file()) >= 0) {
        problems.add("tokenizers " + tokenizer.file() + " and " + other + " differ");
      }
    }
  }

  /** All files by name. */
  Map<String, byte[]> files(TensorSource tensors) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    if (source != null) {
      for (Map.Entry<String, Path> companion :
          HuggingFaceWriter.companionsOf(source.file().resolveSibling("")).entrySet()) {
        files.put(companion.getKey(), Files.readAllBytes(companion.getValue()));
      }
    }
    files.putIfAbsent("README.md", readme().getBytes(StandardCharsets.UTF_8));
    if (tokenizer != null) {
      if (vocabSize != null) {
        files.keySet().removeAll(TOKENIZER);
        for (Map.Entry<String, Path> companion :
            HuggingFaceWriter.companionsOf(tokenizer.file().resolveSibling("")).entrySet()) {
          if (TOKENIZER.contains(companion.getKey())) {
            files.put(companion.getKey(), Files.readAllBytes(companion.getValue()));
          }
        }
      }
      files.put(tokenizer.companionName(), Files.readAllBytes(tokenizer.file()));
      if (tokenizer.special() != null) {
        specialFiles(tokenizer.special())
            .forEach((name, fields) -> files.putIfAbsent(name, json(fields)));
      }
    }
    files.put("config.json", configJson(tensors).getBytes(StandardCharsets.UTF_8));
    return files;
  }

  /** The type of most of the weights. */
  private static DataType type(TensorSource tensors) {
    Map<DataType, Long> bytes = new TreeMap<>();
    for (TensorInfo tensor : tensors.tensors()) {
      if (tensor.type().isFloatingPoint()) {
        bytes.merge(tensor.type(), tensor.elementCount(), Long::sum);
      }
    }
    return bytes.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse(DataType.F32);
  }

  private String readme() {
    if (model == null) {
      return "# A model\n\nConverted by pretrain4j.\n";
    }
    TransformerConfig config = model.config();
    return String.format(
        Locale.ROOT,
        "# %s\n\nA %s model of %,d parameters (%d layers, hidden size %d, vocabulary %d), converted"
            + " by pretrain4j.\n",
        model.family().architecture(),
        model.family().name(),
        config.parameterCount(),
        config.numLayers(),
        config.hiddenSize(),
        config.vocabSize());
  }

  /** The source's text, changed only where the weights are not what it says. */
  private String configJson(TensorSource tensors) {
    DataType type = type(tensors);
    if (source == null) {
      Origin.Model known = Objects.requireNonNull(model, "without a source the model is known");
      Map<String, @Nullable Object> fields = known.family().huggingFaceFields(known.config());
      fields.put("torch_dtype", type.torchName());
      if (tokenizer != null && tokenizer.special() != null) {
        fields.putAll(specialIds(tokenizer.special()));
      }
      return ConfigJson.of(fields).dialect(dialect).text();
    }
    ConfigJson config = ConfigJson.parse(source.json()).type(type).dialect(dialect);
    if (vocabSize != null) {
      config.vocabSize(vocabSize);
    }
    if (tensors.tensors().stream().allMatch(tensor -> tensor.type().bytes() > 1)) {
      config.withoutFp8();
    }
    return config.text();
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
