package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The header of a safetensors file, checked on its own: eight bytes with its length
 * (little-endian), then a JSON object {@code name → {dtype, shape, data_offsets}}; the tensors'
 * bytes follow without gaps to the end of the file.
 *
 * @param tensors by name
 */
record SafetensorsHeader(SortedMap<String, Tensor> tensors) {
  static final int MAX_HEADER_BYTES = 100_000_000; // the format's own limit
  private static final Map<String, Integer> TYPE_BITS =
      Map.ofEntries(
          Map.entry("F64", 64),
          Map.entry("F32", 32),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("I64", 64),
          Map.entry("I32", 32),
          Map.entry("I16", 16),
          Map.entry("I8", 8),
          Map.entry("U64", 64),
          Map.entry("U32", 32),
          Map.entry("U16", 16),
          Map.entry("U8", 8),
          Map.entry("BOOL", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E5M2", 8));

  /** A tensor; {@code begin} and {@code end} count from the end of the header. */
  record Tensor(String type, List<Long> shape, long begin, long end) {
    long elementCount() {
      long count = 1;
      for (long dimension : shape) {
        count = Math.multiplyExact(count, dimension);
      }
      return count;
    }
  }

  /** What is wrong with a header; the message has the byte where it matters. */
  static final class BadHeader extends Exception {
    BadHeader(String message) {
      super(message);
    }
  }

  static SafetensorsHeader read(Path file) throws IOException, BadHeader {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size < 8) {
        throw new BadHeader("is " + size + " bytes long, too short for a safetensors header");
      }
      long length = bytes(channel, 0, 8).getLong();
      if (length < 2 || length > MAX_HEADER_BYTES || length > size - 8) {
        throw new BadHeader(
            "header length at byte 0: expected 2 to "
                + Math.min(MAX_HEADER_BYTES, size - 8)
                + ", found "
                + Long.toUnsignedString(length));
      }
      byte[] json = new byte[(int) length];
      bytes(channel, 8, json.length).get(json);
      SafetensorsHeader header = parse(json);
      header.checkLayout(size - 8 - length);
      return header;
    }
  }

  private static ByteBuffer bytes(FileChannel channel, long at, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, at + buffer.position()) < 0) {
        throw new IOException("file shrank while it was read");
      }
    }
    return buffer.flip();
  }

  private static SafetensorsHeader parse(byte[] json) throws IOException, BadHeader {
    JsonNode root;
    try {
      root = Json.mapper().readTree(json);
    } catch (JsonProcessingException e) {
      long at = e.getLocation() == null ? 0 : e.getLocation().getByteOffset();
      throw new BadHeader("header is not JSON at byte " + (8 + at));
    }
    if (!root.isObject()) {
      throw new BadHeader("header at byte 8 is not a JSON object");
    }
    SortedMap<String, Tensor> tensors = new TreeMap<>();
    for (Map.Entry<String, JsonNode> entry : root.properties()) {
      if (!entry.getKey().equals("__metadata__")) {
        tensors.put(entry.getKey(), tensor(entry.getKey(), entry.getValue()));
      }
    }
    return new SafetensorsHeader(tensors);
  }

  private static Tensor tensor(String name, JsonNode node) throws BadHeader {
    String type = node.path("dtype").asText();
    Integer bits = TYPE_BITS.get(type);
    if (bits == null) {
      throw new BadHeader("tensor " + name + " has the unknown dtype '" + type + "'");
    }
    List<Long> shape = longs(name, "shape", node.get("shape"));
    List<Long> offsets = longs(name, "data_offsets", node.get("data_offsets"));
    if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
      throw new BadHeader("tensor " + name + " has the impossible data_offsets " + offsets);
    }
    Tensor tensor = new Tensor(type, shape, offsets.get(0), offsets.get(1));
    long expected;
    try {
      expected = Math.multiplyExact(tensor.elementCount(), bits / 8);
    } catch (ArithmeticException e) {
      throw new BadHeader("tensor " + name + " has the impossible shape " + shape);
    }
    if (expected != tensor.end() - tensor.begin()) {
      throw new BadHeader(
          "tensor "
              + name
              + ": "
              + type
              + shape
              + " takes "
              + expected
              + " bytes, its data_offsets give "
              + (tensor.end() - tensor.begin()));
    }
    return tensor;
  }

  private static List<Long> longs(String name, String what, @Nullable JsonNode node)
      throws BadHeader {
    List<Long> values = new ArrayList<>();
    boolean valid = node != null && node.isArray();
    if (node != null && valid) {
      for (JsonNode value : node) {
        valid &= value.isIntegralNumber() && value.canConvertToLong() && value.asLong() >= 0;
        values.add(value.asLong());
      }
    }
    if (!valid) {
      throw new BadHeader("tensor " + name + " has no valid " + what);
    }
    return values;
  }

  private void checkLayout(long dataBytes) throws BadHeader {
    List<Map.Entry<String, Tensor>> inOrder = new ArrayList<>(tensors.entrySet());
    inOrder.sort(
        Comparator.comparingLong((Map.Entry<String, Tensor> e) -> e.getValue().begin())
            .thenComparingLong(e -> e.getValue().end()));
    long at = 0;
    for (Map.Entry<String, Tensor> entry : inOrder) {
      if (entry.getValue().begin() != at) {
        throw new BadHeader(
            "tensor "
                + entry.getKey()
                + ": expected to begin at "
                + at
                + ", begins at "
                + entry.getValue().begin());
      }
      at = entry.getValue().end();
    }
    if (at != dataBytes) {
      throw new BadHeader("tensors take " + at + " bytes, the file has " + dataBytes + " for them");
    }
  }
}
