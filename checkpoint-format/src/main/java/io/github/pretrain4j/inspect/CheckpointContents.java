package io.github.pretrain4j.inspect;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What is in a checkpoint.
 *
 * @param format in words, such as {@code huggingface safetensors} or {@code megatron torch}
 * @param facts what else is known of the whole, such as parallel sizes, in words
 * @param tensors the weights, then the state of the optimizer, in the order of the files
 * @param warnings what is odd but does no harm
 */
public record CheckpointContents(
    String path,
    String format,
    Map<String, String> facts,
    List<Entry> tensors,
    List<String> warnings) {

  /**
   * One tensor.
   *
   * @param place the file that holds it, relative to the path; empty if it is spread over several
   * @param scan what is in its data; null if that was not read
   */
  public record Entry(TensorInfo info, String place, @Nullable TensorScan scan) {}

  /** Copies the collections. */
  public CheckpointContents {
    facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    tensors = List.copyOf(tensors);
    warnings = List.copyOf(warnings);
  }

  /**
   * Opens a checkpoint, checks its structure and lists it.
   *
   * @param scan whether to read the data of all tensors, for hashes and values
   * @param workers how many threads read, at least 1
   * @throws IOException if the checkpoint is damaged or cannot be read
   */
  public static CheckpointContents read(Path path, boolean scan, int workers) throws IOException {
    try (Subject subject = Subject.open(path)) {
      return new CheckpointContents(
          path.toString(),
          subject.format(),
          subject.facts(),
          entries(subject, scan, workers),
          subject.warnings());
    }
  }

  static List<Entry> entries(Subject subject, boolean scan, int workers) throws IOException {
    List<Entry> entries = new ArrayList<>(entries(subject, subject.tensors(), scan, workers));
    TensorSource optimizer = subject.optimizerTensors();
    if (optimizer != null) {
      entries.addAll(entries(subject, optimizer, scan, workers));
    }
    return entries;
  }

  private static List<Entry> entries(
      Subject subject, TensorSource source, boolean scan, int workers) throws IOException {
    return Workers.map(
        source.tensors(),
        workers,
        () -> {
          TensorScan.Scanner scanner = scan ? new TensorScan.Scanner() : null;
          return info ->
              new Entry(
                  info,
                  subject.placeOf(info.name()),
                  scanner == null ? null : scanner.scan(source, info));
        });
  }

  /** Number of elements of all tensors. */
  public long elementCount() {
    return tensors.stream().mapToLong(entry -> entry.info().elementCount()).sum();
  }

  /** Bytes of all tensors, packed. */
  public long byteCount() {
    return tensors.stream().mapToLong(entry -> entry.info().byteCount()).sum();
  }

  /** Names of tensors with a value that is not finite; empty if nothing was scanned. */
  public List<String> notFinite() {
    return tensors.stream()
        .filter(entry -> entry.scan() != null && !entry.scan().isFinite())
        .map(entry -> entry.info().name())
        .toList();
  }

  private Map<String, Long> bytesOfTypes() {
    Map<String, Long> bytes = new TreeMap<>();
    tensors.forEach(
        entry -> bytes.merge(entry.info().type().torchName(), entry.info().byteCount(), Long::sum));
    return bytes;
  }

  /** As JSON, with everything. */
  public String toJson() {
    ObjectNode root = Json.object();
    root.put("path", path).put("format", format);
    ObjectNode known = root.putObject("facts");
    facts.forEach(known::put);
    ObjectNode totals = root.putObject("totals");
    totals.put("tensors", tensors.size()).put("elements", elementCount()).put("bytes", byteCount());
    ObjectNode types = totals.putObject("bytesOfTypes");
    bytesOfTypes().forEach(types::put);
    ArrayNode list = root.putArray("tensors");
    for (Entry entry : tensors) {
      ObjectNode node = list.addObject();
      Json.describe(node, entry.info());
      if (!entry.place().isEmpty()) {
        node.put("file", entry.place());
      }
      TensorScan scan = entry.scan();
      if (scan != null) {
        node.put("sha256", scan.sha256());
        node.put("nan", scan.nanCount());
        node.put("infinite", scan.infinityCount());
        node.put("zero", scan.zeroCount());
        if (scan.minimum() <= scan.maximum()) {
          node.put("minimum", scan.minimum()).put("maximum", scan.maximum());
        }
      }
    }
    warnings.forEach(root.putArray("warnings")::add);
    return Json.text(root);
  }

  /** For people: a line per tensor, then totals. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    text.append(path).append(": ").append(format).append('\n');
    facts.forEach(
        (name, value) -> text.append("  ").append(name).append(": ").append(value).append('\n'));
    for (Entry entry : tensors) {
      TensorInfo info = entry.info();
      text.append(info.name())
          .append("  ")
          .append(info.type().torchName())
          .append(' ')
          .append(info.shape());
      if (!entry.place().isEmpty()) {
        text.append("  ").append(entry.place());
      }
      TensorScan scan = entry.scan();
      if (scan != null) {
        text.append("  ").append(scan.sha256());
        if (scan.minimum() <= scan.maximum()) {
          text.append(String.format(Locale.ROOT, "  %.6g to %.6g", scan.minimum(), scan.maximum()));
        }
        if (!scan.isFinite()) {
          text.append("  ")
              .append(scan.nanCount())
              .append(" NaN, ")
              .append(scan.infinityCount())
              .append(" infinite");
        }
      }
      text.append('\n');
    }
    text.append(
        String.format(
            Locale.ROOT,
            "%,d tensors, %,d elements, %,d bytes %s%n",
            tensors.size(),
            elementCount(),
            byteCount(),
            bytesOfTypes()));
    warnings.forEach(warning -> text.append("warning: ").append(warning).append('\n'));
    return text.toString();
  }
}
