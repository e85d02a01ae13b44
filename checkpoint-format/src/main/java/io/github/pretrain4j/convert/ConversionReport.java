package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.TransformerConfig;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a conversion did and proved.
 *
 * <p>The proof: what was written is opened anew, mapped back, and compared byte for byte with each
 * tensor of the source, in the type and with the vocabulary that were asked for.
 *
 * @param config what kind of model it is; null if that was not to be known
 * @param optimizerState whether the tensors are the optimizer's too
 * @param files what was written, relative to the output directory, with sizes
 * @param tensors every tensor of the source that counts
 * @param logits how the logits of both compare, if that was asked
 * @param notes what the user should know though nothing is wrong
 * @param megatronFlags the options a Megatron run of this model needs; its checkpoint does not
 *     restore them all. Empty if the model is not known
 */
public record ConversionReport(
    Side source,
    Side target,
    @Nullable TransformerConfig config,
    boolean optimizerState,
    Map<String, Long> files,
    List<Tensor> tensors,
    @Nullable LogitsComparison logits,
    List<String> notes,
    List<String> megatronFlags) {

  /**
   * One of the two checkpoints.
   *
   * @param form {@code huggingface safetensors}, {@code huggingface torch}, {@code megatron torch}
   *     or {@code megatron torch_dist}
   * @param layout of a Megatron checkpoint, else null
   * @param vocabularyRows rows of the embedding, padding included
   */
  public record Side(
      String path, String form, @Nullable ParallelLayout layout, long vocabularyRows) {}

  /**
   * Rows of a source's tensor, which lie in {@code tensor} of the target from {@code tensorRow} on.
   *
   * @param tensor under the target's names; of a Megatron checkpoint the whole tensor's
   * @param files that hold these rows, relative to the output directory; empty if not known
   */
  public record Slice(
      long firstRow, long rowCount, String tensor, long tensorRow, List<String> files) {
    public Slice {
      files = List.copyOf(files);
    }
  }

  /**
   * One tensor of the source.
   *
   * @param shape of what is stored, without padding of the vocabulary
   * @param sha256 of its packed little-endian data
   * @param convertedSha256 of the data in the output's type, with the output's vocabulary; equal to
   *     {@code sha256} if those are the same
   * @param roundTripSha256 of the data read back and mapped back
   * @param slices where its rows went, from top to bottom
   */
  public record Tensor(
      String name,
      String type,
      List<Long> shape,
      String sha256,
      String convertedSha256,
      String roundTripSha256,
      List<Slice> slices) {
    public Tensor {
      shape = List.copyOf(shape);
      slices = List.copyOf(slices);
    }

    /** Whether it came back bit for bit. */
    public boolean roundTrips() {
      return convertedSha256.equals(roundTripSha256);
    }
  }

  public ConversionReport {
    files = Collections.unmodifiableMap(new LinkedHashMap<>(files));
    tensors = List.copyOf(tensors);
    notes = List.copyOf(notes);
    megatronFlags = List.copyOf(megatronFlags);
  }

  /**
   * Whether every tensor came back bit for bit. A conversion that returns a report has seen to it.
   */
  public boolean roundTrips() {
    return tensors.stream().allMatch(Tensor::roundTrips);
  }

  /**
   * One hash over all source tensors: of the lines {@code name type shape sha256}, sorted by name.
   */
  public String sourceSha256() {
    MessageDigest digest = RoundTrip.sha256();
    tensors.stream()
        .map(t -> t.name() + " " + t.type() + " " + t.shape() + " " + t.sha256() + "\n")
        .sorted()
        .forEach(line -> digest.update(line.getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The report for programs. */
  public String toJson() {
    Map<String, @Nullable Object> root = new LinkedHashMap<>();
    root.put("source", side(source));
    root.put("target", side(target));
    root.put("config", config);
    root.put("optimizer_state", optimizerState);
    root.put("files", files);
    root.put("source_sha256", sourceSha256());
    root.put("round_trips", roundTrips());
    root.put("tensors", tensors.stream().map(ConversionReport::tensor).toList());
    root.put("logits", logits == null ? null : logits.toMap());
    root.put("notes", notes);
    root.put("megatron_flags", megatronFlags);
    try {
      return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(root)
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the report is made of plain values", e);
    }
  }

  private static Map<String, @Nullable Object> side(Side side) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("path", side.path);
    fields.put("form", side.form);
    ParallelLayout layout = side.layout;
    if (layout != null) {
      fields.put("tensor_model_parallel_size", layout.tensorModelParallelSize());
      fields.put("pipeline_model_parallel_size", layout.pipelineModelParallelSize());
      fields.put("virtual_pipeline_model_parallel_size", layout.virtualPipelineModelParallelSize());
      fields.put("expert_model_parallel_size", layout.expertModelParallelSize());
      fields.put("expert_tensor_parallel_size", layout.expertTensorParallelSize());
      fields.put("layers_of_chunks", layout.layersOfChunks());
    }
    fields.put("vocabulary_rows", side.vocabularyRows);
    return fields;
  }

  private static Map<String, Object> tensor(Tensor tensor) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("name", tensor.name);
    fields.put("type", tensor.type);
    fields.put("shape", tensor.shape);
    fields.put("sha256", tensor.sha256);
    fields.put("converted_sha256", tensor.convertedSha256);
    fields.put("round_trip_sha256", tensor.roundTripSha256);
    fields.put("slices", tensor.slices.stream().map(ConversionReport::slice).toList());
    return fields;
  }

  private static Map<String, Object> slice(Slice slice) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("first_row", slice.firstRow);
    fields.put("row_count", slice.rowCount);
    fields.put("tensor", slice.tensor);
    fields.put("tensor_row", slice.tensorRow);
    fields.put("files", slice.files);
    return fields;
  }

  /** The report for people. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    long bytes = files.values().stream().mapToLong(Long::longValue).sum();
    line(text, "%s -> %s", source.path, target.path);
    if (config == null) {
      line(text, "  model: of a family that the checkpoint does not record");
    } else {
      line(
          text,
          "  model: %s, %,d parameters, %d layers, vocabulary %,d",
          config.family(),
          config.parameterCount(),
          config.numLayers(),
          config.vocabSize());
    }
    line(text, "  from: %s", describe(source));
    line(text, "  to: %s", describe(target));
    line(text, "  written: %d files, %,d bytes", files.size(), bytes);
    line(
        text,
        "  proof: %d of %d source tensors come back bit for bit%s; source sha256 %s",
        tensors.stream().filter(Tensor::roundTrips).count(),
        tensors.size(),
        optimizerState ? ", the optimizer's among them" : "",
        sourceSha256());
    if (logits != null) {
      line(text, "  logits: %s", logits.toText());
    }
    for (String note : notes) {
      line(text, "  note: %s", note);
    }
    if (!megatronFlags.isEmpty()) {
      line(text, "  Megatron options: %s", String.join(" ", megatronFlags));
    }
    return text.toString();
  }

  private static String describe(Side side) {
    ParallelLayout layout = side.layout;
    StringBuilder text = new StringBuilder(side.form);
    if (layout != null) {
      text.append(", tensor parallel ").append(layout.tensorModelParallelSize());
      text.append(", pipeline parallel ").append(layout.pipelineModelParallelSize());
      if (layout.virtualPipelineModelParallelSize() > 1) {
        text.append(" x ").append(layout.virtualPipelineModelParallelSize());
      }
      if (layout.expertModelParallelSize() > 1) {
        text.append(", expert parallel ").append(layout.expertModelParallelSize());
      }
    }
    return text.append(String.format(Locale.ROOT, ", %,d rows of vocabulary", side.vocabularyRows))
        .toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
