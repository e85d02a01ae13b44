package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A model directory of Hugging Face. */
final class HuggingFaceSubject implements Subject {
  private final HuggingFaceCheckpoint checkpoint;
  private final @Nullable HuggingFaceConfig config;

  private HuggingFaceSubject(HuggingFaceCheckpoint checkpoint, @Nullable HuggingFaceConfig config) {
    this.checkpoint = checkpoint;
    this.config = config;
  }

  static HuggingFaceSubject open(Path directory) throws IOException {
    HuggingFaceConfig config =
        Files.exists(directory.resolve("config.json")) ? HuggingFaceConfig.read(directory) : null;
    return new HuggingFaceSubject(HuggingFaceCheckpoint.open(directory), config);
  }

  /**
   * The weights under Megatron's names, as the family's conversion makes them.
   *
   * @param notes receives which values are not those of the files
   * @throws IOException if config.json is missing or not of a known family, or the weights are not
   *     those it describes
   */
  TensorSource asMegatron(List<String> notes) throws IOException {
    if (config == null) {
      throw new NoSuchFileException(
          checkpoint.directory().resolve("config.json").toString(),
          null,
          "no such file: it names the model's family, which says how its weights lie in Megatron's");
    }
    ModelFamilies families = ModelFamilies.installed();
    ModelFamily family = families.familyOf(config);
    TransformerConfig model = families.config(config);
    TensorSource transformed = family.sourceTransform(model, checkpoint);
    List<String> problems = family.weights(model).huggingFaceProblems(transformed.tensors());
    if (!problems.isEmpty()) {
      throw new CorruptCheckpointException(
          checkpoint.directory(),
          0,
          "weights",
          "those that config.json describes",
          String.join("; ", problems));
    }
    family
        .sourceChanges(model, checkpoint)
        .forEach((name, change) -> notes.add(path() + ": " + name + ": " + change));
    return family.weights(model).toMegatron(transformed);
  }

  @Override
  public Path path() {
    return checkpoint.directory();
  }

  @Override
  public String format() {
    return "huggingface " + checkpoint.format().name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, String> facts() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("files", Integer.toString(checkpoint.files().size()));
    if (config != null && config.has("model_type")) {
      facts.put("model_type", config.modelType());
    }
    return facts;
  }

  @Override
  public TensorSource tensors() {
    return checkpoint;
  }

  @Override
  public @Nullable TensorSource optimizerTensors() {
    return null;
  }

  @Override
  public String placeOf(String tensor) {
    return checkpoint.directory().relativize(checkpoint.fileOf(tensor)).toString();
  }

  @Override
  public List<String> warnings() {
    return checkpoint.warnings();
  }

  @Override
  public void verifyChecksums() throws IOException {
    checkpoint.verify();
  }

  @Override
  public List<String> problems(@Nullable HuggingFaceConfig reference) throws IOException {
    HuggingFaceConfig described = reference == null ? config : reference;
    if (described == null || !knowsWhatShouldBeThere(reference)) {
      return List.of();
    }
    ModelFamilies families = ModelFamilies.installed();
    ModelFamily family = families.familyOf(described);
    TransformerConfig model = families.config(described);
    WeightMapping mapping = family.weights(model);
    return mapping.huggingFaceProblems(family.sourceTransform(model, checkpoint).tensors());
  }

  @Override
  public boolean knowsWhatShouldBeThere(@Nullable HuggingFaceConfig reference) {
    return reference != null
        || (config != null
            && config.has("model_type")
            && ModelFamilies.installed().names().contains(config.modelType()));
  }

  @Override
  public void close() throws IOException {
    checkpoint.close();
  }
}
