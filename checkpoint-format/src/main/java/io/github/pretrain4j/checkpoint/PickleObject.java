package io.github.pretrain4j.checkpoint;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A value of the object tree in a torch file: an inert, immutable picture of Python objects.
 * Nothing in it was or can be executed; classes and functions are mere names.
 *
 * <p>Two values are equal if they picture the same thing. A subtree may be shared, but there are no
 * cycles.
 */
public sealed interface PickleObject
    permits PickleObject.PyNone,
        PickleObject.PyBool,
        PickleObject.PyInt,
        PickleObject.PyFloat,
        PickleObject.PyString,
        PickleObject.PyBytes,
        PickleObject.PyList,
        PickleObject.PyTuple,
        PickleObject.PySet,
        PickleObject.PyDict,
        PickleObject.PyGlobal,
        PickleObject.ObjectState,
        TensorReference {

  /** Python's {@code None}. */
  record PyNone() implements PickleObject {
    static final PyNone NONE = new PyNone();
  }

  /** A bool. */
  record PyBool(boolean value) implements PickleObject {}

  /** An int of any size. */
  record PyInt(BigInteger value) implements PickleObject {
    /** An int. */
    public static PyInt of(long value) {
      return new PyInt(BigInteger.valueOf(value));
    }

    /**
     * The value.
     *
     * @throws ArithmeticException if it does not fit a long
     */
    public long longValueExact() {
      return value.longValueExact();
    }
  }

  /** A float; NaNs are equal, 0.0 and -0.0 are not. */
  record PyFloat(double value) implements PickleObject {}

  /** A str; may hold lone surrogates. */
  record PyString(String value) implements PickleObject {}

  /** A bytes or bytearray object. */
  final class PyBytes implements PickleObject {
    private final byte[] bytes;

    private PyBytes(byte[] bytes) {
      this.bytes = bytes;
    }

    /** Copies the array. */
    public static PyBytes of(byte[] bytes) {
      return new PyBytes(bytes.clone());
    }

    /** Number of bytes. */
    public int size() {
      return bytes.length;
    }

    /** A copy of the content. */
    public byte[] toByteArray() {
      return bytes.clone();
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof PyBytes that && Arrays.equals(bytes, that.bytes);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
      return "PyBytes[" + bytes.length + " bytes]";
    }
  }

  /** A list. */
  record PyList(List<PickleObject> items) implements PickleObject {
    /** Copies the list. */
    public PyList {
      items = List.copyOf(items);
    }
  }

  /** A tuple. */
  record PyTuple(List<PickleObject> items) implements PickleObject {
    static final PyTuple EMPTY = new PyTuple(List.of());

    /** Copies the list. */
    public PyTuple {
      items = List.copyOf(items);
    }

    /** A tuple of these items. */
    public static PyTuple of(PickleObject... items) {
      return new PyTuple(List.of(items));
    }
  }

  /** A set or frozenset, in the order of the file. */
  record PySet(List<PickleObject> items) implements PickleObject {
    /** Copies the list. */
    public PySet {
      items = List.copyOf(items);
    }
  }

  /**
   * A dict, or an OrderedDict if {@code ordered}; either keeps its order.
   *
   * @param entries iterates in the order of the file
   */
  record PyDict(boolean ordered, Map<PickleObject, PickleObject> entries) implements PickleObject {
    /** Copies the map. */
    public PyDict {
      entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
    }

    /** A dict with string keys. */
    public static PyDict of(Map<String, ? extends PickleObject> entries) {
      return new PyDict(false, keyed(entries));
    }

    /** An OrderedDict with string keys. */
    public static PyDict ordered(Map<String, ? extends PickleObject> entries) {
      return new PyDict(true, keyed(entries));
    }

    private static Map<PickleObject, PickleObject> keyed(
        Map<String, ? extends PickleObject> entries) {
      Map<PickleObject, PickleObject> keyed = new LinkedHashMap<>();
      entries.forEach((key, value) -> keyed.put(new PyString(key), value));
      return keyed;
    }

    /** The value of a string key, or null. */
    public @Nullable PickleObject get(String key) {
      return entries.get(new PyString(key));
    }

    /** The entries whose key is a str, in order. */
    public Map<String, PickleObject> stringEntries() {
      Map<String, PickleObject> result = new LinkedHashMap<>();
      entries.forEach(
          (key, value) -> {
            if (key instanceof PyString string) {
              result.put(string.value(), value);
            }
          });
      return Collections.unmodifiableMap(result);
    }
  }

  /** The name of a class, a function or a constant such as {@code torch.bfloat16}. */
  record PyGlobal(String module, String name) implements PickleObject {
    /** Module and name joined by a dot. */
    public String qualifiedName() {
      return module + "." + name;
    }

    /** The constant for a data type, such as {@code torch.float32}. */
    public static PyGlobal of(DataType type) {
      return new PyGlobal("torch", type.torchName());
    }
  }

  /**
   * Any other object: its class, how it is made, and its state. Namespaces, enum members, {@code
   * torch.Size}, numpy arrays and objects of unknown classes all look like this.
   *
   * @param type the class, or the function that makes the object
   * @param construction how {@code type} is applied to {@code arguments}
   * @param state what {@code __setstate__} or {@code __dict__} receives, or null
   * @param elements what is appended to the object; empty for most
   * @param items what is put into the object by key; empty for most
   */
  record ObjectState(
      PyGlobal type,
      Construction construction,
      PyTuple arguments,
      @Nullable PickleObject state,
      List<PickleObject> elements,
      Map<PickleObject, PickleObject> items)
      implements PickleObject {

    /** How an object comes to be. */
    public enum Construction {
      /** {@code type(*arguments)}. */
      CALL,
      /** {@code type.__new__(type, *arguments)}. */
      NEW
    }

    /** Copies the collections. */
    public ObjectState {
      elements = List.copyOf(elements);
      items = Collections.unmodifiableMap(new LinkedHashMap<>(items));
    }

    /** The result of {@code module.name(*arguments)}. */
    public static ObjectState call(String module, String name, PickleObject... arguments) {
      return new ObjectState(
          new PyGlobal(module, name),
          Construction.CALL,
          PyTuple.of(arguments),
          null,
          List.of(),
          Map.of());
    }

    /**
     * An {@code argparse.Namespace} with these attributes, as in {@code args} of a Megatron
     * checkpoint.
     */
    public static ObjectState namespace(Map<String, ? extends PickleObject> attributes) {
      return new ObjectState(
          new PyGlobal("argparse", "Namespace"),
          Construction.NEW,
          PyTuple.EMPTY,
          PyDict.of(attributes),
          List.of(),
          Map.of());
    }

    /**
     * The state's string entries if the state is a dict, such as the attributes of a namespace;
     * else empty.
     */
    public Map<String, PickleObject> attributes() {
      return state instanceof PyDict dict ? dict.stringEntries() : Map.of();
    }
  }

  /** {@code None}. */
  static PickleObject none() {
    return PyNone.NONE;
  }

  /** A bool. */
  static PickleObject of(boolean value) {
    return new PyBool(value);
  }

  /** An int. */
  static PickleObject of(long value) {
    return PyInt.of(value);
  }

  /** A float. */
  static PickleObject of(double value) {
    return new PyFloat(value);
  }

  /** A str. */
  static PickleObject of(String value) {
    return new PyString(value);
  }
}
