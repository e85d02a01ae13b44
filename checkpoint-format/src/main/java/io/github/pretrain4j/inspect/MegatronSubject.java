package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
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
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A Megatron checkpoint: whole tensors under canonical names, whatever its layout. */
final class MegatronSubject implements Subject {
  private static final String EMBEDDING = "embedding.word_embeddings.weight";

  private final Path path;
  private final MegatronCheckpoint checkpoint;
  private final @Nullable TensorSource optimizer;

  private MegatronSubject(
      Path path, MegatronCheckpoint checkpoint, @Nullable TensorSource optimizer) {
    this.path = path;
    this.checkpoint = checkpoint;
    this.optimizer = optimizer;
  }

  static MegatronSubject open(Path path) throws IOException {
    MegatronCheckpoint checkpoint = MegatronCheckpoint.open(path);
    try {
      return new MegatronSubject(path, checkpoint, checkpoint.optimizerTensors());
    } catch (IOException | RuntimeException e) {
      try (checkpoint) {
        throw e;
      }
    }
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public String format() {
    return "megatron " + checkpoint.format().name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, String> facts() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("directory", String.valueOf(checkpoint.directory().getFileName()));
    if (!checkpoint.isRelease()) {
      facts.put("iteration", Long.toString(checkpoint.iteration()));
    }
    ParallelLayout layout = checkpoint.layout();
    facts.put("tensor parallel", Integer.toString(layout.tensorModelParallelSize()));
    facts.put("pipeline parallel", Integer.toString(layout.pipelineModelParallelSize()));
    if (layout.virtualPipelineModelParallelSize() > 1) {
      facts.put("virtual pipeline", Integer.toString(layout.virtualPipelineModelParallelSize()));
    }
    if (layout.expertModelParallelSize() > 1) {
      facts.put("expert parallel", Integer.toString(layout.expertModelParallelSize()));
    }
    if (!layout.layersOfChunks().isEmpty()) {
      facts.put("layers of chunks", layout.layersOfChunks().toString());
    }
    facts.put("names", checkpoint.layerSpec().name().toLowerCase(Locale.ROOT));
    ExpertLayout experts = checkpoint.expertLayout();
    if (experts != null) {
      facts.put("experts", experts.name().toLowerCase(Locale.ROOT));
    }
    Object family = family();
    if (family != null) {
      facts.put("family", family.toString());
    }
    facts.put("optimizer state", optimizer == null ? "no" : "yes");
    return facts;
  }

  /** What this library records in checkpoints it writes; null in others. */
  private @Nullable Object family() {
    return checkpoint.arguments().get("pretrain4j") instanceof Map<?, ?> ours
        ? ours.get("family")
        : null;
  }

  @Override
  public TensorSource tensors() {
    return checkpoint.fullTensors();
  }

  @Override
  public @Nullable TensorSource optimizerTensors() {
    return optimizer;
  }

  @Override
  public String placeOf(String tensor) {
    TensorInfo info = checkpoint.fullTensors().find(tensor);
    if (info == null) {
      return "";
    }
    long rows = info.shape().isEmpty() ? 1 : info.shape().get(0);
    return String.join(", ", checkpoint.filesOf(tensor, 0, rows));
  }

  @Override
  public List<String> warnings() {
    return List.of();
  }

  @Override
  public void verifyChecksums() throws IOException {
    checkpoint.verify();
  }

  @Override
  public List<String> problems(@Nullable HuggingFaceConfig reference) throws IOException {
    List<String> problems = new ArrayList<>(checkpoint.differingReplicas());
    if (knowsWhatShouldBeThere(reference)) {
      ModelFamilies families = ModelFamilies.installed();
      TransformerConfig config =
          reference == null
              ? MegatronArguments.config(checkpoint.directory(), checkpoint.arguments(), null)
              : families.config(reference);
      WeightMapping mapping = families.get(config.family()).weights(config);
      problems.addAll(mapping.megatronProblems(withoutPadding(config.vocabSize())));
    }
    return problems;
  }

  /** The tensors with the rows that pad the vocabulary cut off, if there are enough. */
  private List<TensorInfo> withoutPadding(long vocabSize) {
    List<TensorInfo> tensors = new ArrayList<>();
    for (TensorInfo info : checkpoint.fullTensors().tensors()) {
      boolean vocabulary =
          info.name().equals(EMBEDDING) || info.name().equals("output_layer.weight");
      if (vocabulary && !info.shape().isEmpty() && info.shape().get(0) > vocabSize) {
        List<Long> shape = new ArrayList<>(info.shape());
        shape.set(0, vocabSize);
        tensors.add(new TensorInfo(info.name(), info.type(), shape));
      } else {
        tensors.add(info);
      }
    }
    return tensors;
  }

  @Override
  public boolean knowsWhatShouldBeThere(@Nullable HuggingFaceConfig reference) {
    return reference != null
        || (family() instanceof String family
            && ModelFamilies.installed().names().contains(family));
  }

  @Override
  public void close() throws IOException {
    checkpoint.close();
  }
}
