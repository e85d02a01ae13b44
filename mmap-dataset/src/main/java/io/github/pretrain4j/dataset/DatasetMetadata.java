package io.github.pretrain4j.dataset;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where a dataset comes from: the sidecar {@code prefix.meta.json} beside {@code prefix.bin} and
 * {@code prefix.idx}, which stay purely Megatron's. Megatron never sees it, and a dataset without
 * one is as good as any.
 *
 * <p>The same dataset has the same bytes here too: no times, no hosts.
 *
 * <pre>{@code
 * {
 *   "format": 1,
 *   "tool": "pretrain4j 0.1.0",
 *   "tokenizer": {"type", "name", "sha256", "vocabulary_size", "eod_id"} or null,
 *   "key": "text", "level": "document", "append_eod": true, "token_type": "uint16",
 *   "documents": 4, "sequences": 4, "tokens": 10,
 *   "sources": [{"name", "bytes", "sha256", "documents"}, ...]
 * }
 * }</pre>
 *
 * @param tool the program that made it, and its version
 * @param tokenizer the tokenizer, or null if it is not known
 * @param key the JSON key whose texts these are
 * @param level what one sequence is, as in the name of the file: a document or a sentence
 * @param appendEod whether every document that is not empty ends with the eod
 * @param type what one token is in the {@code .bin}
 * @param documents documents, empty ones included
 * @param sequences sequences
 * @param tokens tokens, eods included
 * @param sources the files whose lines became documents, in that order
 */
public record DatasetMetadata(
    String tool,
    @Nullable TokenizerIdentity tokenizer,
    String key,
    String level,
    boolean appendEod,
    TokenType type,
    long documents,
    long sequences,
    long tokens,
    List<Source> sources) {
  static final int FORMAT = 1;
  private static final String SUFFIX = ".meta.json";

  /** Enough for hundreds of thousands of sources. */
  private static final long MAX_BYTES = 1L << 28;

  /** Checks and copies. */
  public DatasetMetadata {
    sources = List.copyOf(sources);
    if (documents < 0 || sequences < 0 || tokens < 0) {
      throw new IllegalArgumentException(
          "negative counts: "
              + documents
              + " documents, "
              + sequences
              + " sequences, "
              + tokens
              + " tokens");
    }
  }

  /**
   * A file that documents come from.
   *
   * @param name its path as it was given
   * @param bytes its size
   * @param sha256 of its bytes, 64 hexadecimal digits
   * @param documents documents of this dataset that are its lines
   */
  public record Source(String name, long bytes, String sha256, long documents) {
    /** Checks. */
    public Source {
      Objects.requireNonNull(name, "name");
      if (bytes < 0 || documents < 0) {
        throw new IllegalArgumentException(
            name + ": negative counts: " + bytes + " bytes, " + documents + " documents");
      }
      if (!sha256.matches("[0-9a-f]{64}")) {
        throw new IllegalArgumentException(name + ": no SHA-256: " + sha256);
      }
    }
  }

  /** {@code prefix.meta.json}. */
  public static Path file(Path prefix) {
    return IndexedDataset.withSuffix(prefix, SUFFIX);
  }

  /**
   * The sidecar of a dataset, or nothing if it has none.
   *
   * @throws CorruptDatasetException if it is not what {@link #write} writes
   */
  public static Optional<DatasetMetadata> read(Path prefix) throws IOException {
    Path file = file(prefix);
    byte[] bytes;
    try {
      long size = Files.size(file);
      if (size > MAX_BYTES) {
        throw new CorruptDatasetException(file, 0, "size", "up to " + MAX_BYTES + " bytes", size);
      }
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    return Optional.of(new DatasetMetadataParser(file, bytes).parse());
  }

  /** Appends the sidecar's bytes to a file that will be {@link #file}. */
  public void write(PendingFile file) throws IOException {
    file.put(toJson());
  }

  /** The bytes of the sidecar. */
  byte[] toJson() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DefaultIndenter lines = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer = new DefaultPrettyPrinter();
    printer.indentObjectsWith(lines);
    printer.indentArraysWith(lines);
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.setPrettyPrinter(printer);
      json.writeStartObject();
      json.writeNumberField("format", FORMAT);
      json.writeStringField("tool", tool);
      writeTokenizer(json);
      json.writeStringField("key", key);
      json.writeStringField("level", level);
      json.writeBooleanField("append_eod", appendEod);
      json.writeStringField("token_type", DatasetMetadataParser.name(type));
      json.writeNumberField("documents", documents);
      json.writeNumberField("sequences", sequences);
      json.writeNumberField("tokens", tokens);
      json.writeArrayFieldStart("sources");
      for (Source source : sources) {
        json.writeStartObject();
        json.writeStringField("name", source.name());
        json.writeNumberField("bytes", source.bytes());
        json.writeStringField("sha256", source.sha256());
        json.writeNumberField("documents", source.documents());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    bytes.write('\n');
    return bytes.toByteArray();
  }

  private void writeTokenizer(JsonGenerator json) throws IOException {
    TokenizerIdentity identity = tokenizer;
    if (identity == null) {
      json.writeNullField("tokenizer");
      return;
    }
    json.writeObjectFieldStart("tokenizer");
    json.writeStringField("type", identity.type());
    json.writeStringField("name", identity.name());
    json.writeStringField("sha256", identity.sha256());
    json.writeNumberField("vocabulary_size", identity.vocabularySize());
    Integer eodId = identity.eodId();
    if (eodId == null) {
      json.writeNullField("eod_id");
    } else {
      json.writeNumberField("eod_id", eodId);
    }
    json.writeEndObject();
  }

  /**
   * What the datasets are together, put one after the other. Keys and levels that differ are joined
   * with {@code +}; the counts of one source in several parts are added up.
   *
   * @throws IllegalArgumentException if there is none, or two of different tokenizers or types
   */
  public static DatasetMetadata merge(List<DatasetMetadata> parts) {
    if (parts.isEmpty()) {
      throw new IllegalArgumentException("nothing to merge");
    }
    DatasetMetadata first = parts.get(0);
    Set<String> tools = new LinkedHashSet<>();
    Set<String> keys = new LinkedHashSet<>();
    Set<String> levels = new LinkedHashSet<>();
    boolean appendEod = true;
    long documents = 0;
    long sequences = 0;
    long tokens = 0;
    Map<Source, Long> sources = new LinkedHashMap<>(); // a source with 0 documents -> documents
    for (DatasetMetadata part : parts) {
      requireSameTokens(first, part);
      tools.add(part.tool);
      keys.add(part.key);
      levels.add(part.level);
      appendEod &= part.appendEod;
      documents = Math.addExact(documents, part.documents);
      sequences = Math.addExact(sequences, part.sequences);
      tokens = Math.addExact(tokens, part.tokens);
      for (Source s : part.sources) {
        sources.merge(new Source(s.name, s.bytes, s.sha256, 0), s.documents, Math::addExact);
      }
    }
    List<Source> merged = new ArrayList<>();
    sources.forEach((s, count) -> merged.add(new Source(s.name, s.bytes, s.sha256, count)));
    return new DatasetMetadata(
        String.join(", ", tools),
        first.tokenizer,
        joined(keys),
        joined(levels),
        appendEod,
        first.type,
        documents,
        sequences,
        tokens,
        merged);
  }

  private static String joined(Set<String> names) {
    return names.stream().collect(Collectors.joining("+"));
  }

  private static void requireSameTokens(DatasetMetadata first, DatasetMetadata part) {
    TokenizerIdentity one = first.tokenizer;
    TokenizerIdentity other = part.tokenizer;
    boolean same = (one == null || other == null) ? Objects.equals(one, other) : one.sameAs(other);
    if (!same) {
      throw new IllegalArgumentException(
          "datasets of different tokenizers: " + orUnknown(one) + " and " + orUnknown(other));
    }
    if (first.type != part.type) {
      throw new IllegalArgumentException(
          "datasets of different token types: " + first.type + " and " + part.type);
    }
  }

  private static String orUnknown(@Nullable TokenizerIdentity identity) {
    return identity == null ? "an unknown one" : identity.toString();
  }
}
