package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState.Construction;
import io.github.pretrain4j.checkpoint.PickleObject.PyBool;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyNone;
import io.github.pretrain4j.checkpoint.PickleObject.PySet;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes an object tree as a protocol 2 pickle with only the opcodes that PyTorch's weights-only
 * loader accepts. Texts and names that repeat are written once and fetched from the memo after
 * that.
 */
final class PickleWriter {
  private static final int MAX_DEPTH = 1000;
  private static final int BATCH = 1000;
  private static final PyDict EMPTY_ORDERED_DICT = new PyDict(true, Map.of());

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final Map<PickleObject, Integer> memo = new HashMap<>();
  private final Map<String, Integer> storageNumbers = new HashMap<>();
  private final Map<String, TensorReference> storages = new LinkedHashMap<>();

  /** The pickle of a tree. */
  byte[] write(PickleObject root) {
    out.write(0x80);
    out.write(2);
    write(root, 0);
    out.write('.');
    return out.toByteArray();
  }

  /**
   * The first reference to each storage, in order of appearance, which is the order of their
   * numbers.
   */
  List<TensorReference> storages() {
    return new ArrayList<>(storages.values());
  }

  private void write(PickleObject value, int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException("object tree deeper than " + MAX_DEPTH + " levels");
    }
    if (value instanceof PyNone) {
      out.write('N');
    } else if (value instanceof PyBool bool) {
      out.write(bool.value() ? 0x88 : 0x89);
    } else if (value instanceof PyInt integer) {
      writeInt(integer);
    } else if (value instanceof PyFloat real) {
      out.write('G');
      out.writeBytes(ByteBuffer.allocate(Double.BYTES).putDouble(real.value()).array());
    } else if (value instanceof PyString text) {
      writeText(text);
    } else if (value instanceof PyBytes bytes) {
      writeBytes(bytes);
    } else if (value instanceof PyGlobal global) {
      writeGlobal(global);
    } else if (value instanceof PyTuple tuple) {
      writeTuple(tuple.items(), depth);
    } else if (value instanceof PyList list) {
      out.write(']');
      writeAppends(list.items(), depth);
    } else if (value instanceof PySet set) {
      writeGlobal(new PyGlobal("builtins", "set"));
      writeTuple(List.of(new PyList(set.items())), depth);
      out.write('R');
    } else if (value instanceof PyDict dict) {
      writeDict(dict, depth);
    } else if (value instanceof ObjectState object) {
      writeObject(object, depth);
    } else {
      writeTensor((TensorReference) value, depth);
    }
  }

  private void writeInt(PyInt integer) {
    int bits = integer.value().bitLength();
    long value = integer.value().longValue();
    if (bits <= 8 && value >= 0) {
      out.write('K');
      out.write((int) value);
    } else if (bits <= 16 && value >= 0) {
      out.write('M');
      writeLittleEndian(value, 2);
    } else if (bits < 32) {
      out.write('J');
      writeLittleEndian(value, 4);
    } else {
      byte[] bytes = integer.value().toByteArray();
      if (bytes.length > 255) {
        throw new IllegalArgumentException("int of " + bytes.length + " bytes");
      }
      out.write(0x8A);
      out.write(bytes.length);
      for (int i = bytes.length - 1; i >= 0; i--) {
        out.write(bytes[i]);
      }
    }
  }

  private void writeLittleEndian(long value, int count) {
    byte[] bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    out.write(bytes, 0, count);
  }

  /**
   * Fetches a value that was written before, or takes note that it is about to be; false if it must
   * be written.
   */
  private boolean fetch(PickleObject value) {
    Integer index = memo.get(value);
    if (index != null) {
      out.write(index < 256 ? 'h' : 'j');
      writeLittleEndian(index, index < 256 ? 1 : 4);
    }
    return index != null;
  }

  private void remember(PickleObject value) {
    int index = memo.size();
    memo.put(value, index);
    out.write(index < 256 ? 'q' : 'r');
    writeLittleEndian(index, index < 256 ? 1 : 4);
  }

  private void writeText(PyString text) {
    if (!fetch(text)) {
      writeRawText(text.value());
      remember(text);
    }
  }

  private void writeRawText(String text) {
    byte[] utf8 = PickleText.encode(text);
    out.write('X');
    writeLittleEndian(utf8.length, 4);
    out.writeBytes(utf8);
  }

  private void writeGlobal(PyGlobal global) {
    if (fetch(global)) {
      return;
    }
    if (global.qualifiedName().indexOf('\n') >= 0) {
      throw new IllegalArgumentException("line feed in the name " + global);
    }
    out.write('c');
    out.writeBytes(PickleText.encode(PickleGlobals.protocol2Module(global.module())));
    out.write('\n');
    out.writeBytes(PickleText.encode(global.name()));
    out.write('\n');
    remember(global);
  }

  /** Protocol 2 has no bytes: text with one character per byte, encoded when it is loaded. */
  private void writeBytes(PyBytes bytes) {
    if (bytes.size() == 0) {
      writeGlobal(new PyGlobal("builtins", "bytes"));
      out.write(')');
    } else {
      writeGlobal(new PyGlobal("_codecs", "encode"));
      writeRawText(new String(bytes.toByteArray(), StandardCharsets.ISO_8859_1));
      writeText(new PyString("latin1"));
      out.write(0x86);
    }
    out.write('R');
  }

  private void writeTuple(List<? extends PickleObject> items, int depth) {
    if (items.isEmpty()) {
      out.write(')');
      return;
    }
    if (items.size() > 3) {
      out.write('(');
    }
    for (PickleObject item : items) {
      write(item, depth + 1);
    }
    out.write(items.size() > 3 ? 't' : 0x84 + items.size());
  }

  private void writeAppends(List<PickleObject> items, int depth) {
    for (int start = 0; start < items.size(); start += BATCH) {
      List<PickleObject> batch = items.subList(start, Math.min(items.size(), start + BATCH));
      if (batch.size() > 1) {
        out.write('(');
      }
      for (PickleObject item : batch) {
        write(item, depth + 1);
      }
      out.write(batch.size() > 1 ? 'e' : 'a');
    }
  }

  private void writeDict(PyDict dict, int depth) {
    if (dict.ordered()) {
      writeGlobal(new PyGlobal("collections", "OrderedDict"));
      out.write(')');
      out.write('R');
    } else {
      out.write('}');
    }
    writeItems(dict.entries(), depth);
  }

  private void writeItems(Map<PickleObject, PickleObject> entries, int depth) {
    List<Map.Entry<PickleObject, PickleObject>> items = new ArrayList<>(entries.entrySet());
    for (int start = 0; start < items.size(); start += BATCH) {
      List<Map.Entry<PickleObject, PickleObject>> batch =
          items.subList(start, Math.min(items.size(), start + BATCH));
      if (batch.size() > 1) {
        out.write('(');
      }
      for (Map.Entry<PickleObject, PickleObject> item : batch) {
        write(item.getKey(), depth + 1);
        write(item.getValue(), depth + 1);
      }
      out.write(batch.size() > 1 ? 'u' : 's');
    }
  }

  private void writeObject(ObjectState object, int depth) {
    writeGlobal(object.type());
    writeTuple(object.arguments().items(), depth);
    out.write(object.construction() == Construction.CALL ? 'R' : 0x81);
    writeAppends(object.elements(), depth);
    writeItems(object.items(), depth);
    if (object.state() != null) {
      write(object.state(), depth + 1);
      out.write('b');
    }
  }

  private void writeTensor(TensorReference tensor, int depth) {
    if (tensor.parameter()) {
      writeGlobal(new PyGlobal("torch._utils", "_rebuild_parameter"));
      writeView(tensor, depth);
      out.write(tensor.requiresGrad() ? 0x88 : 0x89);
      writeDict(EMPTY_ORDERED_DICT, depth);
      out.write(0x87);
      out.write('R');
    } else {
      writeView(tensor, depth);
    }
  }

  private void writeView(TensorReference tensor, int depth) {
    String storageClass = PickleGlobals.STORAGE_CLASSES.get(tensor.type());
    writeGlobal(
        new PyGlobal(
            "torch._utils", storageClass == null ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2"));
    out.write('(');
    out.write('(');
    writeText(new PyString("storage"));
    writeGlobal(
        storageClass == null
            ? new PyGlobal("torch.storage", "UntypedStorage")
            : new PyGlobal("torch", storageClass));
    writeText(new PyString(Integer.toString(number(tensor))));
    writeText(new PyString("cpu"));
    long width = storageClass == null ? 1 : tensor.type().bytes();
    writeInt(PyInt.of(tensor.storage().byteCount() / width));
    out.write('t');
    out.write('Q');
    writeInt(PyInt.of(tensor.storageOffset()));
    writeTuple(tensor.shape().stream().map(PyInt::of).toList(), depth);
    writeTuple(tensor.strides().stream().map(PyInt::of).toList(), depth);
    out.write(tensor.requiresGrad() && !tensor.parameter() ? 0x88 : 0x89);
    writeDict(EMPTY_ORDERED_DICT, depth);
    if (storageClass == null) {
      writeGlobal(PyGlobal.of(tensor.type()));
    }
    out.write('t');
    out.write('R');
  }

  private int number(TensorReference tensor) {
    TensorStorage storage = tensor.storage();
    TensorReference first = storages.putIfAbsent(storage.key(), tensor);
    if (first != null && (!first.storage().equals(storage) || first.type() != tensor.type())) {
      throw new IllegalArgumentException(
          "two views of storage " + storage.key() + " differ: " + first + ", " + tensor);
    }
    if (storage.byteCount() % tensor.type().bytes() != 0) {
      throw new IllegalArgumentException(
          storage + " does not hold whole elements of " + tensor.type());
    }
    return storageNumbers.computeIfAbsent(storage.key(), key -> storageNumbers.size());
  }
}
