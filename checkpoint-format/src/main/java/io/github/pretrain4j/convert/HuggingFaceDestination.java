package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face model directory to be made.
 *
 * @param model null only if the origin is one too
 * @param expected the weights under the origin's names, in their final type and size
 */
record HuggingFaceDestination(
    ConversionTarget.HuggingFace target,
    Origin origin,
    Origin.@Nullable Model model,
    TensorSource expected,
    HuggingFaceCompanions companions)
    implements Destination {

  private boolean isSameNaming() {
    return origin instanceof HuggingFaceOrigin;
  }

  private WeightMapping mapping() {
    return Objects.requireNonNull(model, "a Megatron checkpoint's model is known").mapping();
  }

  @Override
  public void check(List<String> problems, List<String> notes) throws IOException {
    int tensors =
        isSameNaming()
            ? expected.tensors().size()
            : mapping().huggingFaceTensors(DataType.F32).size();
    if (target.sharding() instanceof ShardRule.Count count && count.shards() > tensors) {
      problems.add("cannot deal " + tensors + " tensors out to " + count.shards() + " shards");
    }
    companions.check(problems, notes);
  }

  /** A Megatron checkpoint's own; none for a model that never was one. */
  @Override
  public List<String> megatronOptions(TransformerConfig config) {
    if (!(origin instanceof MegatronOrigin megatron)) {
      return List.of();
    }
    MegatronCheckpoint source = megatron.checkpoint();
    ExpertLayout experts = source.expertLayout();
    return MegatronFlags.of(
        config,
        source.layout(),
        source.layerSpec(),
        experts == null ? ExpertLayout.SEQUENTIAL : experts);
  }

  private TensorSource tensors() {
    return isSameNaming() ? expected : mapping().toHuggingFace(expected);
  }

  @Override
  public List<PlannedFile> plan() throws IOException {
    TensorSource tensors = tensors();
    HuggingFaceWriter writer =
        HuggingFaceWriter.create(Path.of("."), target.format(), target.sharding());
    companions.files(tensors).forEach(writer::file);
    return writer.plan(tensors.tensors(), TensorContent.copyOf(tensors));
  }

  @Override
  public Written open(Path directory) throws IOException {
    HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(directory);
    try {
      for (Map.Entry<String, byte[]> file : companions.files(tensors()).entrySet()) {
        byte[] found = Files.readAllBytes(directory.resolve(file.getKey()));
        int mismatch = Arrays.mismatch(file.getValue(), found);
        if (mismatch >= 0) {
          throw new CorruptCheckpointException(
              directory.resolve(file.getKey()), mismatch, "file", "a copy", "another byte");
        }
      }
      TensorSource megatron = model == null ? written : mapping().toMegatron(written);
      return new Written(
          isSameNaming() ? written : megatron,
          megatron,
          name -> places(written, name),
          written::close);
    } catch (IOException | RuntimeException e) {
      written.close();
      throw e;
    }
  }

  private List<ConversionReport.Slice> places(HuggingFaceCheckpoint written, String name) {
    if (isSameNaming()) {
      TensorInfo info = written.get(name);
      long rows = info.shape().isEmpty() ? 1 : info.shape().get(0);
      return List.of(
          new ConversionReport.Slice(0, rows, name, 0, List.of(fileName(written, name))));
    }
    List<ConversionReport.Slice> slices = new ArrayList<>();
    for (WeightMapping.Slice slice : mapping().megatronSlices(name)) {
      slices.add(
          new ConversionReport.Slice(
              slice.firstRow(),
              slice.rowCount(),
              slice.name(),
              slice.otherRow(),
              List.of(fileName(written, slice.name()))));
    }
    return slices;
  }

  private static String fileName(HuggingFaceCheckpoint written, String name) {
    return String.valueOf(written.fileOf(name).getFileName());
  }

  @Override
  public long vocabularyRows() {
    Map<String, Integer> names = new LinkedHashMap<>(origin.vocabularyTensors());
    for (String name : names.keySet()) {
      TensorInfo info = expected.find(name);
      if (info != null && !info.shape().isEmpty()) {
        return info.shape().get(0);
      }
    }
    return 0;
  }

  @Override
  public String form() {
    return "huggingface " + target.format().name().toLowerCase(Locale.ROOT);
  }
}
