package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The attributes of {@code args} as plain Java values: null, {@link Boolean}, {@link Long}, {@link
 * Double}, {@link String}, {@link DataType} for torch's types, {@link List}, {@link Map} with
 * string keys. What is none of these stays a {@link PickleObject}.
 */
final class ArgumentValues {
  private ArgumentValues() {}

  static Map<String, @Nullable Object> toJava(Map<String, PickleObject> attributes) {
    Map<String, @Nullable Object> values = new LinkedHashMap<>();
    attributes.forEach((name, value) -> values.put(name, toJava(value)));
    return Collections.unmodifiableMap(values);
  }

  private static @Nullable Object toJava(PickleObject value) {
    if (value instanceof PickleObject.PyNone) {
      return null;
    }
    if (value instanceof PickleObject.PyBool bool) {
      return bool.value();
    }
    if (value instanceof PickleObject.PyInt integer) {
      return integer.value().bitLength() < Long.SIZE
          ? (Object) integer.longValueExact()
          : integer.value();
    }
    if (value instanceof PickleObject.PyFloat number) {
      return number.value();
    }
    if (value instanceof PickleObject.PyString string) {
      return string.value();
    }
    if (value instanceof PickleObject.PyList list) {
      return toJava(list.items());
    }
    if (value instanceof PickleObject.PyTuple tuple) {
      return toJava(tuple.items());
    }
    if (value instanceof PickleObject.PyDict dict
        && dict.stringEntries().size() == dict.entries().size()) {
      return toJava(dict.stringEntries());
    }
    if (value instanceof PickleObject.PyGlobal global && global.module().equals("torch")) {
      Optional<DataType> type = DataType.ofTorchName(global.name());
      if (type.isPresent()) {
        return type.get();
      }
    }
    return value;
  }

  private static List<@Nullable Object> toJava(List<PickleObject> items) {
    List<@Nullable Object> values = new ArrayList<>();
    items.forEach(item -> values.add(toJava(item)));
    return Collections.unmodifiableList(values);
  }

  static Map<String, PickleObject> toPickle(Map<String, ? extends @Nullable Object> values) {
    Map<String, PickleObject> attributes = new LinkedHashMap<>();
    values.forEach((name, value) -> attributes.put(name, toPickle(name, value)));
    return attributes;
  }

  private static PickleObject toPickle(String name, @Nullable Object value) {
    if (value == null) {
      return PickleObject.none();
    }
    if (value instanceof PickleObject object) {
      return object;
    }
    if (value instanceof Boolean bool) {
      return PickleObject.of(bool.booleanValue());
    }
    if (value instanceof Long || value instanceof Integer) {
      return PickleObject.of(((Number) value).longValue());
    }
    if (value instanceof BigInteger integer) {
      return new PickleObject.PyInt(integer);
    }
    if (value instanceof Double || value instanceof Float) {
      return PickleObject.of(((Number) value).doubleValue());
    }
    if (value instanceof String string) {
      return PickleObject.of(string);
    }
    if (value instanceof DataType type) {
      return PickleObject.PyGlobal.of(type);
    }
    if (value instanceof List<?> list) {
      return new PickleObject.PyList(list.stream().map(item -> toPickle(name, item)).toList());
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, PickleObject> entries = new LinkedHashMap<>();
      map.forEach((key, item) -> entries.put(String.valueOf(key), toPickle(name, item)));
      return PickleObject.PyDict.of(entries);
    }
    throw new IllegalArgumentException(
        "argument " + name + ": cannot write a " + value.getClass().getName());
  }
}
