package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.pretrain4j.model.TransformerConfig;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a conversion did and proved.
 *
 * <p>The proof: what was written is opened anew, mapped back, and each tensor of the source
 * (rounded to the type asked for, if one was) hashes to the same value.
 *
 * @param target {@code megatron} or {@code huggingface}
 * @param files what was written, relative to the output directory, with sizes
 * @param tensors every tensor of the source
 * @param notes what the user should know though nothing is wrong
 * @param megatronFlags the options a Megatron run of this model needs; its checkpoint does not
 *     restore them all
 */
public record ConversionReport(
    String target,
    String input,
    String output,
    TransformerConfig config,
    int tensorModelParallelSize,
    int pipelineModelParallelSize,
    long paddedVocabSize,
    Map<String, Long> files,
    List<Tensor> tensors,
    List<String> notes,
    List<String> megatronFlags) {

  /**
   * One tensor of the source.
   *
   * @param sha256 of its packed little-endian data
   * @param convertedSha256 of the data rounded to the output's type; equal to {@code sha256} if
   *     that is the same
   * @param roundTripSha256 of the data read back and mapped back
   */
  public record Tensor(
      String name,
      String type,
      List<Long> shape,
      String sha256,
      String convertedSha256,
      String roundTripSha256) {
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
    MessageDigest digest = TensorHashes.sha256();
    tensors.stream()
        .map(t -> t.name() + " " + t.type() + " " + t.shape() + " " + t.sha256() + "\n")
        .sorted()
        .forEach(line -> digest.update(line.getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The report for programs. */
  public String toJson() {
    Map<String, Object> root = new LinkedHashMap<>();
    root.put("target", target);
    root.put("input", input);
    root.put("output", output);
    root.put("config", config);
    root.put("tensor_model_parallel_size", tensorModelParallelSize);
    root.put("pipeline_model_parallel_size", pipelineModelParallelSize);
    root.put("padded_vocab_size", paddedVocabSize);
    root.put("files", files);
    root.put("source_sha256", sourceSha256());
    root.put("round_trips", roundTrips());
    root.put("tensors", tensors);
    root.put("notes", notes);
    root.put("megatron_flags", megatronFlags);
    try {
      return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(root)
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the report is made of plain values", e);
    }
  }

  /** The report for people. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    long bytes = files.values().stream().mapToLong(Long::longValue).sum();
    line(text, "%s -> %s (%s)", input, output, target);
    line(
        text,
        "  model: %s, %,d parameters, %d layers, vocabulary %,d (%,d rows in Megatron)",
        config.family(),
        config.parameterCount(),
        config.numLayers(),
        config.vocabSize(),
        paddedVocabSize);
    line(
        text,
        "  Megatron layout: tensor parallel %d, pipeline parallel %d",
        tensorModelParallelSize,
        pipelineModelParallelSize);
    line(text, "  written: %d files, %,d bytes", files.size(), bytes);
    line(
        text,
        "  proof: %d of %d source tensors come back bit for bit; source sha256 %s",
        tensors.stream().filter(Tensor::roundTrips).count(),
        tensors.size(),
        sourceSha256());
    for (String note : notes) {
      line(text, "  note: %s", note);
    }
    line(text, "  Megatron options: %s", String.join(" ", megatronFlags));
    return text.toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
