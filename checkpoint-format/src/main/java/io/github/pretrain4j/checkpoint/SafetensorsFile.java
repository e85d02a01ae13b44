package io.github.pretrain4j.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Plans safetensors files, byte for byte as the reference implementation makes them. Layout: see
 * the package.
 */
public final class SafetensorsFile {
  /** By type, widest first, then by the bytes of the name: so that every tensor is aligned. */
  private static final Comparator<TensorInfo> DATA_ORDER =
      Comparator.comparing(TensorInfo::type)
          .thenComparing(
              info -> info.name().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  private SafetensorsFile() {}

  /**
   * Plans a file with one slot for each tensor.
   *
   * @param tensors in any order; the file has its own
   * @param metadata free-form strings; {@code {"format": "pt"}} for Hugging Face models
   * @throws IllegalArgumentException if two tensors have one name or the format cannot express them
   */
  public static PlannedFile plan(
      String path,
      Collection<TensorInfo> tensors,
      Map<String, String> metadata,
      TensorContent content) {
    List<TensorInfo> ordered = new ArrayList<>(tensors);
    ordered.sort(DATA_ORDER);
    byte[] json = header(ordered, metadata);
    ByteBuffer header =
        ByteBuffer.allocate(Long.BYTES + json.length).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(json.length).put(json).flip();
    List<PlannedFile.Slot> slots = new ArrayList<>();
    long end = header.remaining();
    for (TensorInfo tensor : ordered) {
      slots.add(new PlannedFile.Slot(end, tensor, content));
      end = Math.addExact(end, tensor.byteCount());
    }
    return new FramedFile(
        path, end, slots, (sink, checksums) -> sink.write(0, header.asReadOnlyBuffer()));
  }

  private static byte[] header(List<TensorInfo> ordered, Map<String, String> metadata) {
    StringBuilder json = new StringBuilder("{");
    if (!metadata.isEmpty()) {
      appendString(json, SafetensorsHeader.METADATA_KEY).append(":{");
      String separator = "";
      for (Map.Entry<String, String> entry : metadata.entrySet()) {
        appendString(json.append(separator), entry.getKey()).append(':');
        appendString(json, entry.getValue());
        separator = ",";
      }
      json.append('}');
    }
    Set<String> names = new HashSet<>();
    long begin = 0;
    for (TensorInfo tensor : ordered) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("two tensors named " + tensor.name());
      }
      if (tensor.type() == DataType.C128 || tensor.name().equals(SafetensorsHeader.METADATA_KEY)) {
        throw new IllegalArgumentException("safetensors cannot hold " + tensor);
      }
      long end = Math.addExact(begin, tensor.byteCount());
      appendString(json.append(json.length() == 1 ? "" : ","), tensor.name())
          .append(":{\"dtype\":\"" + tensor.type() + "\",\"shape\":")
          .append(tensor.shape().toString().replace(" ", ""))
          .append(",\"data_offsets\":[" + begin + "," + end + "]}");
      begin = end;
    }
    return padded(json.append('}'));
  }

  /** The header in UTF-8, filled with spaces to a multiple of 8 so that the data is aligned. */
  private static byte[] padded(StringBuilder json) {
    ByteBuffer utf8;
    try {
      utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(json));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("a tensor name holds a lone surrogate", e);
    }
    int length = utf8.remaining();
    if (length > SafetensorsHeader.MAX_BYTES - 8) {
      throw new IllegalArgumentException("header of " + length + " bytes is too large");
    }
    byte[] header = new byte[(length + 7) / 8 * 8];
    Arrays.fill(header, (byte) ' ');
    utf8.get(header, 0, length);
    return header;
  }

  private static StringBuilder appendString(StringBuilder json, String text) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> json.append("\\\"");
        case '\\' -> json.append("\\\\");
        case '\b' -> json.append("\\b");
        case '\t' -> json.append("\\t");
        case '\n' -> json.append("\\n");
        case '\f' -> json.append("\\f");
        case '\r' -> json.append("\\r");
        default -> {
          if (c < ' ') {
            json.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            json.append(c);
          }
        }
      }
    }
    return json.append('"');
  }
}
