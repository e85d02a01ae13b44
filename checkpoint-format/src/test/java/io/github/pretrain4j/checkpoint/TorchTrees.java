package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PySet;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Walks object trees and copies torch files. */
final class TorchTrees {
  private TorchTrees() {}

  /** All tensors, in order. */
  static List<TensorReference> tensors(PickleObject root) {
    List<TensorReference> found = new ArrayList<>();
    collect(root, found);
    return found;
  }

  private static void collect(PickleObject value, List<TensorReference> found) {
    if (value instanceof TensorReference tensor) {
      found.add(tensor);
    } else if (value instanceof PyList list) {
      collectAll(list.items(), found);
    } else if (value instanceof PyTuple tuple) {
      collectAll(tuple.items(), found);
    } else if (value instanceof PySet set) {
      collectAll(set.items(), found);
    } else if (value instanceof PyDict dict) {
      collectAll(dict.entries().keySet(), found);
      collectAll(dict.entries().values(), found);
    } else if (value instanceof ObjectState object) {
      collect(object.arguments(), found);
      if (object.state() != null) {
        collect(object.state(), found);
      }
      collectAll(object.elements(), found);
      collectAll(object.items().keySet(), found);
      collectAll(object.items().values(), found);
    }
  }

  private static void collectAll(Collection<PickleObject> values, List<TensorReference> found) {
    values.forEach(value -> collect(value, found));
  }

  /** Writes the reader's tree and whole storages to another file. */
  static void copy(TorchFileReader reader, Path target) throws IOException {
    Map<String, TensorReference> whole = new HashMap<>();
    for (TensorReference tensor : tensors(reader.root())) {
      TensorStorage storage = tensor.storage();
      whole.putIfAbsent(
          storage.key(),
          new TensorReference(
              DataType.U8, storage, 0, List.of(storage.byteCount()), List.of(1L), false, false));
    }
    TorchFileWriter.write(
        target,
        reader.root(),
        (tensor, out) -> {
          ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
          reader.read(Objects.requireNonNull(whole.get(tensor.name())), 0, data);
          out.write(data.flip());
        });
  }
}
