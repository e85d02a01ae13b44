package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.InvalidConfigException;
import io.github.pretrain4j.model.ModelFamilies;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face model directory to be converted.
 *
 * <p>If it is to stay one, its family need not be installed, and every tensor comes along;
 * otherwise those that the family's mapping names.
 */
record HuggingFaceOrigin(
    HuggingFaceCheckpoint stored,
    HuggingFaceConfig huggingFaceConfig,
    @Nullable Model model,
    TensorSource weights,
    Map<String, String> changes)
    implements Origin {

  static HuggingFaceOrigin open(
      ConversionConfig config, ModelFamilies families, List<String> problems, List<String> notes)
      throws IOException {
    HuggingFaceConfig source = HuggingFaceConfig.read(config.input());
    boolean staysHuggingFace = config.target() instanceof ConversionTarget.HuggingFace;
    HuggingFaceCheckpoint stored = HuggingFaceCheckpoint.open(config.input());
    try {
      Model model = model(source, stored.tensors(), families, staysHuggingFace, notes);
      notes.addAll(stored.warnings());
      if (config.reference() != null) {
        problems.add(
            "a reference has no meaning for a Hugging Face model, which has a config.json");
      }
      if (config.vocabSize() != null) {
        problems.add("a Hugging Face model says itself how large its vocabulary is");
      }
      if (model == null) {
        return new HuggingFaceOrigin(stored, source, null, stored, Map.of());
      }
      if (staysHuggingFace) {
        // A model kept in another form (quantised in blocks) stays so: nothing has to be computed.
        if (model.family().sourceChanges(model.config(), stored).isEmpty()) {
          problems.addAll(model.mapping().huggingFaceProblems(stored.tensors()));
        }
        return new HuggingFaceOrigin(stored, source, model, stored, Map.of());
      }
      TensorSource transformed = model.family().sourceTransform(model.config(), stored);
      Map<String, String> changes = model.family().sourceChanges(model.config(), stored);
      List<String> wrong = model.mapping().huggingFaceProblems(transformed.tensors());
      problems.addAll(wrong);
      problems.addAll(model.family().problems(model.config()));
      Copies.note(model.mapping().huggingFaceCopies(), transformed, notes);
      List<String> names =
          model.mapping().huggingFaceTensors(DataType.F32).stream().map(TensorInfo::name).toList();
      return new HuggingFaceOrigin(
          stored, source, model, new SelectedTensors(transformed, names), changes);
    } catch (IOException | RuntimeException e) {
      stored.close();
      throw e;
    }
  }

  /** What config.json says; null if that matters to nobody and cannot be told. */
  private static @Nullable Model model(
      HuggingFaceConfig source,
      List<TensorInfo> tensors,
      ModelFamilies families,
      boolean staysHuggingFace,
      List<String> notes)
      throws IOException {
    try {
      return Model.of(families.config(source, tensors), families);
    } catch (InvalidConfigException e) {
      if (!staysHuggingFace) {
        throw e;
      }
      notes.add("the tensors are not compared with the configuration: " + e.getMessage());
      return null;
    }
  }

  @Override
  public Path path() {
    return stored.directory();
  }

  @Override
  public String form() {
    return "huggingface " + stored.format().name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, Integer> vocabularyTensors() {
    Map<String, Integer> names = new LinkedHashMap<>();
    if (model != null) {
      model
          .mapping()
          .huggingFaceNames(VocabularyRows.EMBEDDING)
          .forEach(name -> names.put(name, 0));
      if (model.config().tiedEmbeddings()) {
        model.mapping().huggingFaceCopies().keySet().stream()
            .filter(name -> weights.find(name) != null)
            .forEach(name -> names.put(name, 0));
      } else {
        model
            .mapping()
            .huggingFaceNames(VocabularyRows.OUTPUT_LAYER)
            .forEach(name -> names.put(name, 1));
      }
    }
    return names;
  }

  @Override
  public @Nullable Integer vocabSize() {
    return model == null ? null : (Integer) model.config().vocabSize();
  }

  @Override
  public void close() throws IOException {
    stored.close();
  }
}
