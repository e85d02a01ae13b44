package io.github.pretrain4j.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The JSON head of a safetensors file. Layout and limits: see the package. */
record SafetensorsHeader(
    long dataOffset, Map<String, String> metadata, Map<String, Entry> entries) {
  static final long MAX_BYTES = 100_000_000;
  static final String METADATA_KEY = "__metadata__";
  private static final int LENGTH_BYTES = 8;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(8).maxNameLength(1 << 20).build())
          .build();

  /** One tensor: {@code begin} and {@code end} count from the start of the data. */
  record Entry(TensorInfo info, long begin, long end) {}

  List<TensorInfo> tensors() {
    return entries.values().stream().map(Entry::info).toList();
  }

  static SafetensorsHeader read(FileBytes bytes) throws IOException {
    if (bytes.size() < LENGTH_BYTES) {
      throw bytes.corrupt(0, "header length", LENGTH_BYTES + " bytes", bytes.size());
    }
    long length = bytes.read(0, LENGTH_BYTES).getLong();
    if (length < 0 || length > MAX_BYTES) {
      String kind = FileStarts.kind(bytes);
      throw bytes.corrupt(
          0,
          "header length",
          "at most " + MAX_BYTES,
          kind == null ? Long.toUnsignedString(length) : kind);
    }
    if (length > bytes.size() - LENGTH_BYTES) {
      throw bytes.corrupt(0, "header length", "at most " + (bytes.size() - LENGTH_BYTES), length);
    }
    ByteBuffer utf8 = bytes.read(LENGTH_BYTES, (int) length);
    String json;
    try {
      json = StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw bytes.corrupt(LENGTH_BYTES + utf8.position(), "header", "UTF-8", "other bytes");
    }
    try (JsonParser parser = JSON.createParser(json)) {
      SafetensorsHeader header = new Parse(bytes, parser).header(LENGTH_BYTES + length);
      header.checkLayout(bytes);
      return header;
    } catch (JsonProcessingException e) {
      long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getCharOffset());
      throw (CorruptCheckpointException)
          bytes.corrupt(LENGTH_BYTES + at, "header", "JSON", e.getOriginalMessage()).initCause(e);
    }
  }

  /** Tensors must tile the data without gaps and end where the file ends. */
  private void checkLayout(FileBytes bytes) throws IOException {
    long end = 0;
    for (Entry entry : entries.values()) {
      String name = "data_offsets of " + entry.info().name();
      if (entry.begin() != end) {
        throw bytes.corrupt(dataOffset + entry.begin(), name, "begin at " + end, entry.begin());
      }
      if (entry.end() - entry.begin() != entry.info().byteCount()) {
        throw bytes.corrupt(
            dataOffset + entry.begin(),
            name,
            entry.info().byteCount() + " bytes for " + entry.info().type() + entry.info().shape(),
            entry.end() - entry.begin());
      }
      end = entry.end();
    }
    if (bytes.size() - dataOffset != end) {
      throw bytes.corrupt(
          bytes.size(), "file size", dataOffset + "+" + end + " bytes", bytes.size());
    }
  }

  private record Parse(FileBytes bytes, JsonParser json) {

    SafetensorsHeader header(long dataOffset) throws IOException {
      expect(json.nextToken(), JsonToken.START_OBJECT, "header");
      Map<String, String> metadata = Map.of();
      boolean metadataSeen = false;
      Map<String, Entry> found = new LinkedHashMap<>();
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        json.nextToken();
        if (name.equals(METADATA_KEY)) {
          if (metadataSeen) {
            throw fail(METADATA_KEY, "once", "twice");
          }
          metadataSeen = true;
          metadata = metadata();
        } else if (found.put(name, entry(name)) != null) {
          throw fail("tensor " + name, "once", "twice");
        }
      }
      if (json.nextToken() != null) {
        throw fail("header", "one JSON object", "more after it");
      }
      return new SafetensorsHeader(dataOffset, metadata, inDataOrder(found.values()));
    }

    private static Map<String, Entry> inDataOrder(Collection<Entry> found) {
      List<Entry> sorted = new ArrayList<>(found);
      sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      Map<String, Entry> entries = new LinkedHashMap<>();
      for (Entry entry : sorted) {
        entries.put(entry.info().name(), entry);
      }
      return Collections.unmodifiableMap(entries);
    }

    private Map<String, String> metadata() throws IOException {
      if (json.currentToken() == JsonToken.VALUE_NULL) {
        return Map.of();
      }
      expect(json.currentToken(), JsonToken.START_OBJECT, METADATA_KEY);
      Map<String, String> metadata = new LinkedHashMap<>();
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String key = json.currentName();
        expect(json.nextToken(), JsonToken.VALUE_STRING, METADATA_KEY + "." + key);
        metadata.put(key, json.getText());
      }
      return Collections.unmodifiableMap(metadata);
    }

    private Entry entry(String name) throws IOException {
      expect(json.currentToken(), JsonToken.START_OBJECT, "tensor " + name);
      DataType type = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String field = json.currentName();
        json.nextToken();
        switch (field) {
          case "dtype" -> type = dataType(name);
          case "shape" -> shape = longs("shape of " + name);
          case "data_offsets" -> offsets = longs("data_offsets of " + name);
          default -> json.skipChildren();
        }
      }
      if (type == null || shape == null || offsets == null) {
        throw fail("tensor " + name, "dtype, shape and data_offsets", "fewer");
      }
      if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
        throw fail("data_offsets of " + name, "[begin, end]", offsets);
      }
      try {
        return new Entry(new TensorInfo(name, type, shape), offsets.get(0), offsets.get(1));
      } catch (IllegalArgumentException e) {
        throw fail("shape of " + name, "a size that fits 63 bits", shape);
      }
    }

    private DataType dataType(String name) throws IOException {
      expect(json.currentToken(), JsonToken.VALUE_STRING, "dtype of " + name);
      DataType type = find(json.getText());
      if (type == null) {
        throw fail("dtype of " + name, "a known type", json.getText());
      }
      return type;
    }

    private static @Nullable DataType find(String dtype) {
      for (DataType type : DataType.values()) {
        if (type != DataType.C128 && type.name().equals(dtype)) {
          return type;
        }
      }
      return null;
    }

    private List<Long> longs(String what) throws IOException {
      expect(json.currentToken(), JsonToken.START_ARRAY, what);
      List<Long> values = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        expect(json.currentToken(), JsonToken.VALUE_NUMBER_INT, what);
        if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER || json.getLongValue() < 0) {
          throw fail(what, "an integer in 0..2^63-1", json.getText());
        }
        values.add(json.getLongValue());
      }
      return values;
    }

    private void expect(@Nullable JsonToken found, JsonToken expected, String what)
        throws IOException {
      if (found != expected) {
        throw fail(what, expected, String.valueOf(found));
      }
    }

    private CorruptCheckpointException fail(String what, Object expected, Object found) {
      long at = LENGTH_BYTES + Math.max(0, json.currentTokenLocation().getCharOffset());
      return bytes.corrupt(at, what, expected, found);
    }
  }
}
