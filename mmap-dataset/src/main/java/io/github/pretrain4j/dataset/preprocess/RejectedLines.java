package io.github.pretrain4j.dataset.preprocess;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is written about the lines that were left out: {@code PREFIX_rejected.jsonl}, one object a
 * line with {@code file}, {@code line} (from 1), {@code byte_offset}, {@code expected} and {@code
 * found}; and, if they are kept, {@code PREFIX_quarantine.jsonl}, the lines as they were. Neither
 * is there when the first bad line ends the run.
 */
final class RejectedLines {
  private final JsonFactory json = new JsonFactory();
  private final @Nullable PendingFile report;
  private final @Nullable PendingFile quarantine;

  RejectedLines(Preprocessor.Config config, PendingFile.Opener opener) throws IOException {
    BadLinePolicy policy = config.badLines();
    report = policy == BadLinePolicy.FAIL ? null : opener.open(reportFile(config));
    quarantine = policy == BadLinePolicy.QUARANTINE ? opener.open(quarantineFile(config)) : null;
  }

  static Path reportFile(Preprocessor.Config config) {
    return IndexedDataset.withSuffix(config.outputPrefix(), "_rejected.jsonl");
  }

  static Path quarantineFile(Preprocessor.Config config) {
    return IndexedDataset.withSuffix(config.outputPrefix(), "_quarantine.jsonl");
  }

  /** Writes about lines. */
  void add(List<RejectedLine> lines) throws IOException {
    for (RejectedLine line : lines) {
      PendingFile to = report;
      if (to != null) {
        to.put(describe(line));
      }
      PendingFile kept = quarantine;
      if (kept != null) {
        kept.put(line.bytes());
        kept.put(new byte[] {'\n'});
      }
    }
  }

  private byte[] describe(RejectedLine line) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = json.createGenerator(bytes)) {
      out.writeStartObject();
      out.writeStringField("file", line.file().toString());
      out.writeNumberField("line", line.lineNumber());
      out.writeNumberField("byte_offset", line.byteOffset());
      out.writeStringField("expected", line.expected());
      out.writeStringField("found", line.found());
      out.writeEndObject();
    }
    bytes.write('\n');
    return bytes.toByteArray();
  }

  /** The files there are. */
  List<PendingFile> files() {
    List<PendingFile> files = new ArrayList<>();
    if (report != null) {
      files.add(report);
    }
    if (quarantine != null) {
      files.add(quarantine);
    }
    return files;
  }
}
