package io.github.pretrain4j.dataset.gpt;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.pretrain4j.dataset.CorruptDatasetException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A {@link DataLedger} as JSON:
 *
 * <pre>{@code
 * {"format": 1, "seed", "seq_length", "split": string or null, "add_extra_token_to_sequence",
 *  "phases": [{"first_iteration", "first_sample", "requested_samples": number or null,
 *              "global_batch_size", "rampup": [start, increment, samples] or null,
 *              "blend": [{"prefix", "weight": number or null}, ...],
 *              "datasets": [DATASET, ...]}, ...],
 *  "position": {"iteration", "samples", "datasets": [DATASET, ...]} or null}
 *
 * DATASET: {"prefix", "occurrence", "order_samples": number or null, "consumed"}
 * }</pre>
 *
 * <p>Keys come in this order and none is missing: a text is a ledger or it is damaged.
 */
final class DataLedgerJson {
  private static final long FORMAT = 1;

  private final JsonParser parser;
  private final Path file;

  private DataLedgerJson(JsonParser parser, Path file) {
    this.parser = parser;
    this.file = file;
  }

  static String write(DataLedger ledger) {
    PythonJson out = new PythonJson().beginObject().key("format").integer(FORMAT);
    out.key("seed").integer(ledger.seed()).key("seq_length").integer(ledger.seqLength());
    String split = ledger.split();
    if (split == null) {
      out.key("split").nullValue();
    } else {
      out.key("split").string(split);
    }
    out.key("add_extra_token_to_sequence").integer(ledger.addExtraTokenToSequence() ? 1 : 0);
    out.key("phases").beginArray();
    ledger.phases().forEach(phase -> write(out, phase));
    out.endArray().key("position");
    DataLedger.Position position = ledger.position();
    if (position == null) {
      out.nullValue();
    } else {
      out.beginObject().key("iteration").integer(position.iteration());
      out.key("samples").integer(position.samples());
      write(out, position.datasets());
      out.endObject();
    }
    return out.endObject().toString();
  }

  private static void write(PythonJson out, DataLedger.Phase phase) {
    out.beginObject().key("first_iteration").integer(phase.firstIteration());
    out.key("first_sample").integer(phase.firstSample());
    writeSamples(out.key("requested_samples"), phase.requestedSamples());
    out.key("global_batch_size").integer(phase.batches().globalBatchSize()).key("rampup");
    BatchSchedule.Rampup rampup = phase.batches().rampup();
    if (rampup == null) {
      out.nullValue();
    } else {
      out.beginArray().integer(rampup.start()).integer(rampup.increment());
      out.integer(rampup.samples()).endArray();
    }
    out.key("blend").beginArray();
    for (Blend.Member member : phase.blend().members()) {
      out.beginObject().key("prefix").string(member.prefix()).key("weight");
      Double weight = member.weight();
      if (weight == null) {
        out.nullValue();
      } else {
        out.floating(weight);
      }
      out.endObject();
    }
    out.endArray();
    write(out, phase.datasets());
    out.endObject();
  }

  private static void write(PythonJson out, List<DataLedger.DatasetState> datasets) {
    out.key("datasets").beginArray();
    for (DataLedger.DatasetState dataset : datasets) {
      out.beginObject().key("prefix").string(dataset.name().prefix());
      out.key("occurrence").integer(dataset.name().occurrence());
      writeSamples(out.key("order_samples"), dataset.orderSamples());
      out.key("consumed").integer(dataset.consumed()).endObject();
    }
    out.endArray();
  }

  private static void writeSamples(PythonJson out, long samples) {
    if (samples == GptDataset.ONE_EPOCH) {
      out.nullValue();
    } else {
      out.integer(samples);
    }
  }

  static DataLedger read(String json, Path file) throws IOException {
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      DataLedger ledger = new DataLedgerJson(parser, file).ledger();
      if (parser.nextToken() != null) {
        throw new CorruptDatasetException(
            file,
            parser.currentTokenLocation().getCharOffset(),
            "data ledger",
            "its end",
            parser.getText());
      }
      return ledger;
    } catch (JacksonException e) {
      throw new CorruptDatasetException(
          file, e.getLocation().getCharOffset(), "data ledger", "JSON", e.getOriginalMessage());
    } catch (IllegalArgumentException e) {
      throw new CorruptDatasetException(
          file, 0, "data ledger", "a consistent one", String.valueOf(e.getMessage()));
    }
  }

  private DataLedger ledger() throws IOException {
    expect(parser.nextToken(), JsonToken.START_OBJECT);
    long format = integer("format");
    if (format != FORMAT) {
      throw damaged("format " + FORMAT, Long.toString(format));
    }
    long seed = integer("seed");
    int seqLength = smallInteger("seq_length");
    String split = text("split");
    boolean extra = integer("add_extra_token_to_sequence") != 0;
    List<DataLedger.Phase> phases = new ArrayList<>();
    key("phases");
    expect(parser.nextToken(), JsonToken.START_ARRAY);
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      phases.add(phase());
    }
    key("position");
    DataLedger.Position position = null;
    if (parser.nextToken() != JsonToken.VALUE_NULL) {
      expect(parser.currentToken(), JsonToken.START_OBJECT);
      position = new DataLedger.Position(integer("iteration"), integer("samples"), datasets());
      expect(parser.nextToken(), JsonToken.END_OBJECT);
    }
    expect(parser.nextToken(), JsonToken.END_OBJECT);
    // Checks seed and length.
    GptDatasetConfig checked = GptDatasetConfig.of(seed, seqLength, split);
    return new DataLedger(checked.seed(), seqLength, split, extra, phases, position);
  }

  private DataLedger.Phase phase() throws IOException {
    expect(parser.currentToken(), JsonToken.START_OBJECT);
    long firstIteration = integer("first_iteration");
    long firstSample = integer("first_sample");
    long requested = samples("requested_samples");
    int globalBatchSize = smallInteger("global_batch_size");
    BatchSchedule.Rampup rampup = null;
    key("rampup");
    if (parser.nextToken() != JsonToken.VALUE_NULL) {
      expect(parser.currentToken(), JsonToken.START_ARRAY);
      rampup = new BatchSchedule.Rampup(Math.toIntExact(element()), (int) element(), element());
      expect(parser.nextToken(), JsonToken.END_ARRAY);
    }
    List<Blend.Member> members = new ArrayList<>();
    key("blend");
    expect(parser.nextToken(), JsonToken.START_ARRAY);
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(parser.currentToken(), JsonToken.START_OBJECT);
      String prefix = requiredText("prefix");
      key("weight");
      Double weight = null;
      if (parser.nextToken() != JsonToken.VALUE_NULL) {
        if (!parser.currentToken().isNumeric()) {
          throw damaged("a number or null", parser.getText());
        }
        weight = parser.getDoubleValue();
      }
      members.add(new Blend.Member(prefix, weight));
      expect(parser.nextToken(), JsonToken.END_OBJECT);
    }
    List<DataLedger.DatasetState> datasets = datasets();
    expect(parser.nextToken(), JsonToken.END_OBJECT);
    return new DataLedger.Phase(
        firstIteration,
        firstSample,
        requested,
        new BatchSchedule(globalBatchSize, rampup),
        new Blend(members),
        datasets);
  }

  private List<DataLedger.DatasetState> datasets() throws IOException {
    List<DataLedger.DatasetState> datasets = new ArrayList<>();
    key("datasets");
    expect(parser.nextToken(), JsonToken.START_ARRAY);
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(parser.currentToken(), JsonToken.START_OBJECT);
      String prefix = requiredText("prefix");
      int occurrence = smallInteger("occurrence");
      datasets.add(
          new DataLedger.DatasetState(
              new DataLedger.DatasetName(prefix, occurrence),
              samples("order_samples"),
              integer("consumed")));
      expect(parser.nextToken(), JsonToken.END_OBJECT);
    }
    return datasets;
  }

  private void key(String name) throws IOException {
    if (parser.nextToken() != JsonToken.FIELD_NAME || !name.equals(parser.currentName())) {
      throw damaged("the key " + name, String.valueOf(parser.getText()));
    }
  }

  private long integer(String name) throws IOException {
    key(name);
    return element();
  }

  private int smallInteger(String name) throws IOException {
    long value = integer(name);
    if (value < 0 || value > Integer.MAX_VALUE) {
      throw damaged(name + " in 0..2147483647", Long.toString(value));
    }
    return (int) value;
  }

  private long element() throws IOException {
    expect(parser.nextToken(), JsonToken.VALUE_NUMBER_INT);
    return parser.getLongValue();
  }

  private long samples(String name) throws IOException {
    key(name);
    if (parser.nextToken() == JsonToken.VALUE_NULL) {
      return GptDataset.ONE_EPOCH;
    }
    expect(parser.currentToken(), JsonToken.VALUE_NUMBER_INT);
    if (parser.getLongValue() < 0) {
      throw damaged(name + " of at least 0, or null", parser.getText());
    }
    return parser.getLongValue();
  }

  private @Nullable String text(String name) throws IOException {
    key(name);
    if (parser.nextToken() == JsonToken.VALUE_NULL) {
      return null;
    }
    expect(parser.currentToken(), JsonToken.VALUE_STRING);
    return parser.getText();
  }

  private String requiredText(String name) throws IOException {
    String text = text(name);
    if (text == null) {
      throw damaged(name, "null");
    }
    return text;
  }

  private void expect(@Nullable JsonToken found, JsonToken expected) throws IOException {
    if (found != expected) {
      throw damaged(expected.toString(), String.valueOf(parser.getText()));
    }
  }

  private CorruptDatasetException damaged(String expected, String found) {
    return new CorruptDatasetException(
        file, parser.currentTokenLocation().getCharOffset(), "data ledger", expected, found);
  }
}
