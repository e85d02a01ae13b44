package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleNodes.Dict;
import io.github.pretrain4j.checkpoint.PickleNodes.Instance;
import io.github.pretrain4j.checkpoint.PickleNodes.Sequence;
import io.github.pretrain4j.checkpoint.PickleNodes.Storage;
import io.github.pretrain4j.checkpoint.PickleNodes.Tuple;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState.Construction;
import io.github.pretrain4j.checkpoint.PickleObject.PyBool;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyNone;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The calls in a pickle that mean something to us, and the storages it names. Everything else is
 * pictured as an object.
 */
final class PickleCalls {
  private static final int MAX_RANK = 64;
  private static final int MAX_NESTED_REBUILDS = 8;

  private final boolean strict;
  private final Map<String, TensorStorage> storages = new LinkedHashMap<>();
  private final Map<String, Integer> elementBytes = new HashMap<>();

  PickleCalls(boolean strict) {
    this.strict = strict;
  }

  /** Storages by key, in order of appearance. */
  Map<String, TensorStorage> storages() {
    return Collections.unmodifiableMap(storages);
  }

  /** Width in which the file counts a storage's elements. */
  int elementBytes(TensorStorage storage) {
    return elementBytes.getOrDefault(storage.key(), 1);
  }

  void check(PickleInput in, PyGlobal global) throws IOException {
    if (strict && !PickleGlobals.isKnown(global)) {
      throw in.corrupt("pickled name", "one that weights need", global.qualifiedName());
    }
  }

  Object call(PickleInput in, PyGlobal callable, Tuple arguments, Construction construction)
      throws IOException {
    if (PickleGlobals.UNSUPPORTED_TENSORS.contains(callable.qualifiedName())) {
      throw in.corrupt("tensor", "a dense one", callable.qualifiedName());
    }
    return call(in, callable, arguments, construction, 0);
  }

  private Object call(
      PickleInput in, PyGlobal callable, Tuple arguments, Construction construction, int depth)
      throws IOException {
    List<Object> args = arguments.items;
    switch (callable.qualifiedName()) {
      case "collections.OrderedDict" -> {
        return orderedDict(in, args);
      }
      case "torch._utils._rebuild_tensor" -> {
        return tensor(in, args, 4, false, null);
      }
      case "torch._utils._rebuild_tensor_v2" -> {
        return tensor(in, args, 6, bool(in, args, 4), null);
      }
      case "torch._utils._rebuild_tensor_v3" -> {
        return tensor(in, args, 7, bool(in, args, 4), dataType(in, argument(in, args, 6)));
      }
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state" -> {
        return parameter(in, args);
      }
      case "torch._tensor._rebuild_from_type_v2" -> {
        return rebuildFromType(in, args, depth);
      }
      case "_codecs.encode" -> {
        return encoded(in, args);
      }
      case "builtins.bytes", "builtins.bytearray" -> {
        if (args.isEmpty()) {
          return PyBytes.of(new byte[0]);
        }
        return argument(in, args, 0) instanceof PyBytes bytes ? bytes : encoded(in, args);
      }
      case "builtins.set", "builtins.frozenset" -> {
        if (args.isEmpty()) {
          return new Sequence(true, new ArrayList<>());
        }
        if (argument(in, args, 0) instanceof Sequence items) {
          return new Sequence(true, new ArrayList<>(items.items));
        }
        throw in.corrupt("set", "a list of items", PickleMachine.kind(args.get(0)));
      }
      default -> {
        return new Instance(callable, construction, arguments);
      }
    }
  }

  private static Object argument(PickleInput in, List<Object> args, int index) throws IOException {
    if (index >= args.size()) {
      throw in.corrupt("arguments", "at least " + (index + 1), args.size());
    }
    return args.get(index);
  }

  private static long integer(PickleInput in, Object value, String what) throws IOException {
    if (value instanceof PyInt integer && integer.value().bitLength() < Long.SIZE) {
      return integer.longValueExact();
    }
    throw in.corrupt(what, "an int of 64 bits", PickleMachine.kind(value));
  }

  private static boolean bool(PickleInput in, List<Object> args, int index) throws IOException {
    if (argument(in, args, index) instanceof PyBool bool) {
      return bool.value();
    }
    throw in.corrupt("requires_grad", "a bool", PickleMachine.kind(args.get(index)));
  }

  private static DataType dataType(PickleInput in, Object value) throws IOException {
    if (value instanceof PyGlobal global && global.module().equals("torch")) {
      var type = DataType.ofTorchName(global.name());
      if (type.isPresent()) {
        return type.get();
      }
    }
    throw in.corrupt("dtype of a tensor", "a supported one", PickleMachine.kind(value));
  }

  private static Dict orderedDict(PickleInput in, List<Object> args) throws IOException {
    Dict dict = new Dict(true);
    if (!args.isEmpty()) {
      if (!(args.get(0) instanceof Sequence pairs)) {
        throw in.corrupt("OrderedDict", "a list of pairs", PickleMachine.kind(args.get(0)));
      }
      for (Object pair : pairs.items) {
        List<Object> keyAndValue =
            pair instanceof Tuple tuple
                ? tuple.items
                : pair instanceof Sequence list ? list.items : List.of();
        if (keyAndValue.size() != 2) {
          throw in.corrupt("OrderedDict", "a list of pairs", PickleMachine.kind(pair));
        }
        dict.entries.addAll(keyAndValue);
      }
    }
    return dict;
  }

  /** {@code (storage, offset, sizes, strides, …)}; {@code type} is null if the storage has one. */
  private TensorReference tensor(
      PickleInput in, List<Object> args, int minimum, boolean requiresGrad, @Nullable DataType type)
      throws IOException {
    argument(in, args, minimum - 1);
    requirePlainValues(in, args.subList(minimum, args.size()));
    if (!(args.get(0) instanceof Storage storage)) {
      throw in.corrupt("tensor", "a storage", PickleMachine.kind(args.get(0)));
    }
    DataType elementType = type == null ? storage.type : type;
    if (elementType == null) {
      throw in.corrupt("tensor", "a storage with a type", "an untyped one");
    }
    List<Long> shape = longs(in, args.get(2), "shape of a tensor");
    List<Long> strides = longs(in, args.get(3), "strides of a tensor");
    long offset = integer(in, args.get(1), "offset of a tensor");
    TensorStorage view =
        new TensorStorage(
            storage.storage.key(),
            storage.viewCount * (storage.type == null ? 1 : storage.type.bytes()));
    try {
      TensorReference inView =
          new TensorReference(elementType, view, offset, shape, strides, requiresGrad, false);
      return storage.viewOffset == 0 && view.equals(storage.storage)
          ? inView
          : new TensorReference(
              elementType,
              storage.storage,
              Math.addExact(offset, storage.viewOffset),
              shape,
              strides,
              requiresGrad,
              false);
    } catch (IllegalArgumentException | ArithmeticException e) {
      String found = String.valueOf(e.getMessage());
      throw (CorruptCheckpointException)
          in.corrupt("tensor", "a view inside its storage", found).initCause(e);
    }
  }

  /** A tensor may be the conjugate or the negative of what is stored: not what the bytes say. */
  private static void requirePlainValues(PickleInput in, List<Object> more) throws IOException {
    for (Object metadata : more) {
      if (metadata instanceof Dict dict && dict.entries.contains(new PyBool(true))) {
        throw in.corrupt("tensor", "stored as it is", "a conjugate or negative view");
      }
    }
  }

  private static List<Long> longs(PickleInput in, Object value, String what) throws IOException {
    List<Object> items = List.of();
    if (value instanceof Tuple tuple) {
      items = tuple.items;
    } else if (value instanceof Instance size
        && size.type.qualifiedName().equals("torch.Size")
        && size.arguments.items.size() == 1
        && size.arguments.items.get(0) instanceof Tuple tuple) {
      items = tuple.items;
    } else {
      throw in.corrupt(what, "a tuple", PickleMachine.kind(value));
    }
    if (items.size() > MAX_RANK) {
      throw in.corrupt(what, "at most " + MAX_RANK + " dimensions", items.size());
    }
    List<Long> result = new ArrayList<>();
    for (Object item : items) {
      result.add(integer(in, item, what));
    }
    return result;
  }

  private static TensorReference parameter(PickleInput in, List<Object> args) throws IOException {
    if (argument(in, args, 0) instanceof TensorReference tensor) {
      return new TensorReference(
          tensor.type(),
          tensor.storage(),
          tensor.storageOffset(),
          tensor.shape(),
          tensor.strides(),
          bool(in, args, 1),
          true);
    }
    throw in.corrupt("parameter", "a tensor", PickleMachine.kind(args.get(0)));
  }

  /** {@code (function, type, arguments, state)}: the tensor is what the function makes. */
  private Object rebuildFromType(PickleInput in, List<Object> args, int depth) throws IOException {
    if (argument(in, args, 2) instanceof Tuple inner && args.get(0) instanceof PyGlobal function) {
      if (PickleGlobals.UNSUPPORTED_TENSORS.contains(function.qualifiedName())
          || depth == MAX_NESTED_REBUILDS) {
        throw in.corrupt("tensor", "a dense one", function.qualifiedName());
      }
      return call(in, function, inner, Construction.CALL, depth + 1);
    }
    throw in.corrupt("tensor of a subclass", "(function, type, arguments)", "other arguments");
  }

  /** Python 2's way to write bytes: text with one character per byte. */
  private static PyBytes encoded(PickleInput in, List<Object> args) throws IOException {
    if (args.size() == 2
        && args.get(0) instanceof PyString text
        && args.get(1) instanceof PyString encoding) {
      switch (encoding.value()) {
        case "latin1", "latin-1", "iso-8859-1" -> {
          if (text.value().chars().allMatch(c -> c <= 0xFF)) {
            return PyBytes.of(text.value().getBytes(StandardCharsets.ISO_8859_1));
          }
        }
        case "utf-8", "utf8" -> {
          return PyBytes.of(PickleText.encode(text.value()));
        }
        default -> {}
      }
    }
    throw in.corrupt("bytes", "(text, latin1)", "other arguments");
  }

  /** {@code ('storage', class, key, location, numel[, view])}. */
  Object persistent(PickleInput in, Tuple id) throws IOException {
    List<Object> parts = id.items;
    if (parts.size() >= 2
        && parts.get(0).equals(new PyString("module"))
        && parts.get(1) instanceof PyGlobal module) {
      return module; // legacy files carry the source of classes along
    }
    if (parts.size() < 5
        || parts.size() > 6
        || !parts.get(0).equals(new PyString("storage"))
        || !(parts.get(1) instanceof PyGlobal storageClass)
        || !(parts.get(2) instanceof PyString key)) {
      throw in.corrupt("persistent id", "('storage', class, key, location, size)", "another");
    }
    DataType type = storageType(in, storageClass);
    long numel = integer(in, parts.get(4), "size of storage " + key.value());
    int width = type == null ? 1 : type.bytes();
    if (numel < 0 || numel > Long.MAX_VALUE / width) {
      throw in.corrupt("size of storage " + key.value(), "a size", numel);
    }
    TensorStorage storage = new TensorStorage(key.value(), numel * width);
    elementBytes.put(key.value(), width);
    TensorStorage before = storages.putIfAbsent(key.value(), storage);
    if (before != null && !before.equals(storage)) {
      throw in.corrupt(
          "storage " + key.value(), before.byteCount() + " bytes", storage.byteCount());
    }
    return view(in, before == null ? storage : before, type, numel, parts);
  }

  /** The last part of an old file's id: None, or {@code (key, offset, count)} of a stretch. */
  private static Storage view(
      PickleInput in,
      TensorStorage storage,
      @Nullable DataType type,
      long numel,
      List<Object> parts)
      throws IOException {
    if (parts.size() < 6 || parts.get(5) instanceof PyNone) {
      return new Storage(storage, type, 0, numel);
    }
    String what = "view of storage " + storage.key();
    if (!(parts.get(5) instanceof Tuple view) || view.items.size() != 3) {
      throw in.corrupt(what, "(key, offset, count)", PickleMachine.kind(parts.get(5)));
    }
    long offset = integer(in, view.items.get(1), what);
    long count = integer(in, view.items.get(2), what);
    if (offset < 0 || count < 0 || offset > numel - count) {
      throw in.corrupt(what, "inside its " + numel + " elements", offset + "+" + count);
    }
    return new Storage(storage, type, offset, count);
  }

  private static @Nullable DataType storageType(PickleInput in, PyGlobal storageClass)
      throws IOException {
    if (PickleGlobals.isStorageClass(storageClass)) {
      if (storageClass.name().equals("UntypedStorage")) {
        return null;
      }
      for (Map.Entry<DataType, String> entry : PickleGlobals.STORAGE_CLASSES.entrySet()) {
        if (entry.getValue().equals(storageClass.name())) {
          return entry.getKey();
        }
      }
    }
    throw in.corrupt("storage class", "one of a supported type", storageClass.qualifiedName());
  }
}
