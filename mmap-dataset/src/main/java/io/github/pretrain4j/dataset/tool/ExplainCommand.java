package io.github.pretrain4j.dataset.tool;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.dataset.gpt.SampleOrigin;
import io.github.pretrain4j.dataset.gpt.TrainingData;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code explain}: the documents that an iteration consumed. */
@Command(
    name = "explain",
    mixinStandardHelpOptions = true,
    description = "Names the documents that an iteration of a training run consumed.")
final class ExplainCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Map<Path, Optional<DatasetMetadata>> sidecars = new HashMap<>();

  @Option(names = "--ledger", required = true, description = "The run's data ledger.")
  Path ledger = Path.of("");

  @Option(
      names = "--iteration",
      required = true,
      description = "The iteration as the log prints it: the first is 1.")
  long iteration;

  @Option(names = "--jsonl", description = "Print a JSON object for each sample.")
  boolean jsonl;

  ExplainCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    DataLedger run = DataLedger.read(ledger);
    DataLedger.SampleRange range = run.samplesOf(iteration);
    try (TrainingData data = TrainingData.open(run, run.config())) {
      if (range.end() > data.size()) {
        throw new IllegalArgumentException(
            String.format(
                "iteration %d would consume samples %d to %d; the run has %d",
                iteration, range.first(), range.end() - 1, data.size()));
      }
      if (!jsonl) {
        out.printf("iteration %d: samples %d to %d%n", iteration, range.first(), range.end() - 1);
      }
      for (long sample = range.first(); sample < range.end(); sample++) {
        SampleOrigin origin = data.origin(sample);
        if (jsonl) {
          out.println(json(sample, origin));
        } else {
          print(sample, origin);
        }
      }
    }
    return 0;
  }

  private void print(long sample, SampleOrigin origin) throws IOException {
    out.printf(
        "sample %d: %s, sample %d%s%n",
        sample,
        origin.prefix(),
        origin.datasetSample(),
        origin.pass() == 0 ? "" : " of pass " + origin.pass());
    for (SampleOrigin.Part part : origin.parts()) {
      String source = source(origin.prefix(), part.document());
      out.printf(
          "  document %d (sequence %d): tokens %d to %d%s%n",
          part.document(),
          part.sequence(),
          part.offset(),
          part.offset() + part.length() - 1,
          source == null ? "" : ", from " + source);
    }
  }

  private String json(long sample, SampleOrigin origin) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.writeStartObject();
      json.writeNumberField("iteration", iteration);
      json.writeNumberField("sample", sample);
      json.writeStringField("dataset", origin.prefix().toString());
      json.writeNumberField("pass", origin.pass());
      json.writeNumberField("dataset_sample", origin.datasetSample());
      json.writeArrayFieldStart("parts");
      for (SampleOrigin.Part part : origin.parts()) {
        json.writeStartObject();
        json.writeNumberField("document", part.document());
        json.writeNumberField("sequence", part.sequence());
        json.writeNumberField("offset", part.offset());
        json.writeNumberField("length", part.length());
        String source = source(origin.prefix(), part.document());
        if (source != null) {
          json.writeStringField("source", source);
        }
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    return text.toString();
  }

  /** The file that a document was a line of, if the dataset has a sidecar. */
  private @Nullable String source(Path prefix, long document) throws IOException {
    Optional<DatasetMetadata> sidecar = sidecars.get(prefix);
    if (sidecar == null) {
      sidecar = DatasetMetadata.read(prefix);
      sidecars.put(prefix, sidecar);
    }
    if (sidecar.isEmpty()) {
      return null;
    }
    long end = 0;
    for (DatasetMetadata.Source source : sidecar.get().sources()) {
      end += source.documents();
      if (document < end) {
        return source.name();
      }
    }
    return null;
  }
}
