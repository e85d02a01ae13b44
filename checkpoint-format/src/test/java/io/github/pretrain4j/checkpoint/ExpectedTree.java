package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyBool;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PySet;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Compares an object tree with the description in an {@code X.expected.json} and {@code
 * X.expected.safetensors}.
 */
final class ExpectedTree {
  private final TorchFileReader reader;
  private final TensorSource data;

  ExpectedTree(TorchFileReader reader, TensorSource data) {
    this.reader = reader;
    this.data = data;
  }

  void compare(String at, JsonNode expected, PickleObject actual) throws IOException {
    if (!expected.isObject()) {
      assertEquals(leaf(expected), actual, at);
      return;
    }
    String key = expected.fieldNames().next();
    JsonNode value = expected.get(key);
    switch (key) {
      case "$tensor" -> compareTensor(at, expected, (TensorReference) actual);
      case "$dict" -> compareDict(at, expected, (PyDict) actual);
      case "$list" -> compareAll(at, value, ((PyList) actual).items());
      case "$tuple" -> compareAll(at, value, ((PyTuple) actual).items());
      case "$set" -> {
        List<PickleObject> items = new ArrayList<>();
        for (JsonNode item : value) {
          items.add(leaf(item));
        }
        assertEquals(new HashSet<>(items), new HashSet<>(((PySet) actual).items()), at);
      }
      case "$bigint" -> assertEquals(new PyInt(new BigInteger(value.asText())), actual, at);
      case "$float_bits" -> compareFloat(at, Long.parseUnsignedLong(value.asText(), 16), actual);
      case "$bytes" ->
          assertEquals(PyBytes.of(HexFormat.of().parseHex(value.asText())), actual, at);
      case "$other" -> compareOther(at, value.asText(), actual);
      case "$Namespace" -> compareAttributes(at, value, actual, "argparse.Namespace");
      case "$SimpleNamespace" -> compareAttributes(at, value, actual, "types.SimpleNamespace");
      case "$torch.Size" -> {
        ObjectState size = (ObjectState) actual;
        assertEquals("torch.Size", size.type().qualifiedName(), at);
        compareAll(at, value, ((PyTuple) size.arguments().items().get(0)).items());
      }
      case "$numpy_scalar" -> compareNumpy(at, expected, value, scalar(actual));
      case "$ndarray" -> compareNumpy(at, expected, value, array(at, expected, actual));
      default -> fail(at + ": unknown description " + key);
    }
  }

  private static PickleObject leaf(JsonNode expected) {
    if (expected.isNull()) {
      return PickleObject.none();
    }
    if (expected.isBoolean()) {
      return new PyBool(expected.booleanValue());
    }
    return expected.isTextual()
        ? new PyString(expected.textValue())
        : new PyInt(expected.bigIntegerValue());
  }

  private void compareAll(String at, JsonNode expected, List<PickleObject> actual)
      throws IOException {
    assertEquals(expected.size(), actual.size(), at);
    for (int i = 0; i < actual.size(); i++) {
      compare(at + "/" + i, expected.get(i), actual.get(i));
    }
  }

  private void compareDict(String at, JsonNode expected, PyDict actual) throws IOException {
    assertEquals(expected.get("$dict").asText().equals("OrderedDict"), actual.ordered(), at);
    JsonNode items = expected.get("items");
    assertEquals(items.size(), actual.entries().size(), at);
    Iterator<Map.Entry<PickleObject, PickleObject>> entries =
        actual.entries().entrySet().iterator();
    for (JsonNode item : items) {
      Map.Entry<PickleObject, PickleObject> entry = entries.next();
      compare(at + " key", item.get(0), entry.getKey());
      compare(at + "/" + item.get(0), item.get(1), entry.getValue());
    }
  }

  private void compareAttributes(String at, JsonNode expected, PickleObject actual, String type)
      throws IOException {
    ObjectState object = (ObjectState) actual;
    assertEquals(type, object.type().qualifiedName(), at);
    assertEquals(expected.size(), object.attributes().size(), at);
    for (Map.Entry<String, PickleObject> entry : object.attributes().entrySet()) {
      compare(at + "." + entry.getKey(), expected.get(entry.getKey()), entry.getValue());
    }
  }

  private void compareTensor(String at, JsonNode expected, TensorReference actual)
      throws IOException {
    assertEquals(expected.get("dtype").asText(), actual.type().torchName(), at);
    assertEquals(expected.get("shape").toString(), actual.shape().toString().replace(" ", ""), at);
    if (actual.elementCount() > 0) {
      assertEquals(expected.get("stride").toString(), actual.strides().toString().replace(" ", ""));
    }
    assertEquals(expected.get("storage_offset").asLong(), actual.storageOffset(), at);
    assertEquals(
        expected.get("storage_numel").asLong() * actual.type().bytes(),
        actual.storage().byteCount(),
        at);
    assertEquals(expected.get("requires_grad").asBoolean(), actual.requiresGrad(), at);
    assertEquals(expected.get("parameter").asBoolean(), actual.parameter(), at);
    String key = expected.get("$tensor").asText().replaceFirst("^/", "");
    key = key.isEmpty() ? "." : key;
    byte[] wanted = new byte[(int) data.get(key).byteCount()];
    data.read(key, 0, ByteBuffer.wrap(wanted));
    assertArrayEquals(wanted, inPieces(reader, actual, Integer.MAX_VALUE), at);
    assertArrayEquals(wanted, inPieces(reader, actual, 7), at);
  }

  static byte[] inPieces(TorchFileReader reader, TensorReference tensor, int pieceBytes)
      throws IOException {
    byte[] all = new byte[(int) tensor.byteCount()];
    for (int at = 0; at < all.length; ) {
      int count = Math.min(pieceBytes, all.length - at);
      reader.read(tensor, at, ByteBuffer.wrap(all, at, count));
      at += count;
    }
    return all;
  }

  private static void compareFloat(String at, long bits, PickleObject actual) {
    double value =
        actual instanceof PyFloat real
            ? real.value()
            : scalar(actual).order(ByteOrder.LITTLE_ENDIAN).getDouble();
    assertEquals(bits, Double.doubleToRawLongBits(value), at);
  }

  private static void compareOther(String at, String expected, PickleObject actual) {
    String found =
        actual instanceof PyGlobal global
            ? global.qualifiedName()
            : String.join("/", strings(((ObjectState) actual).arguments().items()));
    assertEquals(expected, found.replaceFirst("^//", "/"), at);
  }

  private static List<String> strings(List<PickleObject> items) {
    return items.stream().map(item -> ((PyString) item).value()).toList();
  }

  /** {@code scalar(dtype, bytes)}. */
  private static ByteBuffer scalar(PickleObject actual) {
    PyBytes bytes = (PyBytes) ((ObjectState) actual).arguments().items().get(1);
    return ByteBuffer.wrap(bytes.toByteArray());
  }

  /** State {@code (version, shape, dtype, fortran, bytes)}. */
  private static ByteBuffer array(String at, JsonNode expected, PickleObject actual) {
    PyTuple state = (PyTuple) Objects.requireNonNull(((ObjectState) actual).state());
    List<String> shape =
        ((PyTuple) state.items().get(1))
            .items().stream().map(i -> ((PyInt) i).value() + "").toList();
    assertEquals(expected.get("shape").toString(), "[" + String.join(",", shape) + "]", at);
    byte[] bytes = ((PyBytes) state.items().get(4)).toByteArray();
    if (!state.items().get(3).equals(PickleObject.of(true))) {
      return ByteBuffer.wrap(bytes);
    }
    int rows = Integer.parseInt(shape.get(0));
    int columns = Integer.parseInt(shape.get(1));
    int width = bytes.length / rows / columns;
    ByteBuffer rowMajor = ByteBuffer.allocate(bytes.length);
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        rowMajor.put(bytes, (c * rows + r) * width, width);
      }
    }
    return rowMajor.flip();
  }

  private static void compareNumpy(String at, JsonNode expected, JsonNode value, ByteBuffer data) {
    data.order(ByteOrder.LITTLE_ENDIAN);
    List<JsonNode> flat = new ArrayList<>();
    flatten(value, flat);
    for (JsonNode item : flat) {
      switch (expected.get("dtype").asText()) {
        case "int64" -> assertEquals(item.asLong(), data.getLong(), at);
        case "int32" -> assertEquals(item.asInt(), data.getInt(), at);
        case "uint32" -> assertEquals(item.asLong(), Integer.toUnsignedLong(data.getInt()), at);
        case "float64" -> assertEquals(item.asDouble(), data.getDouble(), at);
        case "float32" -> assertEquals(item.asDouble(), data.getFloat(), at);
        case "bool" -> assertEquals(item.asBoolean(), data.get() != 0, at);
        default -> fail(at + ": dtype " + expected);
      }
    }
    assertEquals(0, data.remaining(), at);
  }

  private static void flatten(JsonNode value, List<JsonNode> flat) {
    if (value.isArray()) {
      value.forEach(item -> flatten(item, flat));
    } else {
      flat.add(value);
    }
  }
}
