package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleNodes.Dict;
import io.github.pretrain4j.checkpoint.PickleNodes.Instance;
import io.github.pretrain4j.checkpoint.PickleNodes.Node;
import io.github.pretrain4j.checkpoint.PickleNodes.Sequence;
import io.github.pretrain4j.checkpoint.PickleNodes.Storage;
import io.github.pretrain4j.checkpoint.PickleNodes.Tuple;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PySet;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.io.IOException;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns the nodes of a finished pickle into an immutable tree.
 *
 * <p>Shared nodes stay shared, so a few bytes of pickle can picture a tree of astronomic size: its
 * size with every sharing unfolded is bounded, as are its depth and the size of dict keys. A cycle
 * is refused.
 */
final class PickleFreezer {
  private static final int MAX_DEPTH = 1000;
  private static final long MAX_VALUES = 200_000_000;
  private static final int MAX_KEY_VALUES = 10_000;

  private record Frozen(PickleObject value, long valueCount, int height) {}

  private final PickleInput in;
  private final IdentityHashMap<Node, Frozen> done = new IdentityHashMap<>();
  private final IdentityHashMap<Node, Boolean> open = new IdentityHashMap<>();

  PickleFreezer(PickleInput in) {
    this.in = in;
  }

  PickleObject freeze(Object root) throws IOException {
    return freeze(root, 0).value();
  }

  private Frozen freeze(Object value, int depth) throws IOException {
    if (value instanceof PickleObject leaf) {
      return new Frozen(leaf, 1, 1);
    }
    Node node = (Node) value;
    Frozen known = done.get(node);
    if (known != null) {
      if (depth + known.height() > MAX_DEPTH) {
        throw tooDeep();
      }
      return known;
    }
    if (depth > MAX_DEPTH) {
      throw tooDeep();
    }
    if (open.put(node, true) != null) {
      throw in.corrupt("object tree", "a tree", "a cycle");
    }
    Frozen frozen = new Children(depth).freeze(node);
    if (frozen.valueCount() > MAX_VALUES) {
      throw in.corrupt("object tree", "at most " + MAX_VALUES + " values", frozen.valueCount());
    }
    open.remove(node);
    done.put(node, frozen);
    return frozen;
  }

  private CorruptCheckpointException tooDeep() {
    return in.corrupt("object tree", "at most " + MAX_DEPTH + " levels", "more");
  }

  /** Freezes one node's children and counts them. */
  private final class Children {
    private final int depth;
    private long valueCount = 1;
    private int height;

    Children(int depth) {
      this.depth = depth;
    }

    Frozen freeze(Node node) throws IOException {
      PickleObject value;
      if (node instanceof Tuple tuple) {
        value = new PyTuple(all(tuple.items));
      } else if (node instanceof Sequence sequence) {
        List<PickleObject> items = all(sequence.items);
        value = sequence.set ? new PySet(items) : new PyList(items);
      } else if (node instanceof Dict dict) {
        value = new PyDict(dict.ordered, entries(dict.entries));
      } else if (node instanceof Instance instance) {
        value =
            new ObjectState(
                instance.type,
                instance.construction,
                (PyTuple) child(instance.arguments),
                instance.state == null ? null : child(instance.state),
                all(instance.elements),
                entries(instance.entries));
      } else {
        throw in.corrupt(
            "object tree", "tensors", "a bare storage " + ((Storage) node).storage.key());
      }
      return new Frozen(value, valueCount, height + 1);
    }

    private PickleObject child(Object item) throws IOException {
      return counted(item).value();
    }

    private Frozen counted(Object item) throws IOException {
      Frozen frozen = PickleFreezer.this.freeze(item, depth + 1);
      valueCount = Math.min(MAX_VALUES + 1, valueCount + frozen.valueCount());
      height = Math.max(height, frozen.height());
      return frozen;
    }

    private List<PickleObject> all(List<Object> items) throws IOException {
      List<PickleObject> result = new ArrayList<>(items.size());
      for (Object item : items) {
        result.add(child(item));
      }
      return result;
    }

    /** Hashing a key walks all of it, so keys must be small, and of kinds that Python can hash. */
    private Map<PickleObject, PickleObject> entries(List<Object> keysAndValues) throws IOException {
      Map<PickleObject, PickleObject> result = new LinkedHashMap<>();
      for (int i = 0; i < keysAndValues.size(); i += 2) {
        Frozen key = counted(keysAndValues.get(i));
        if (key.valueCount() > MAX_KEY_VALUES
            || key.height() > 100
            || key.value() instanceof PyList
            || key.value() instanceof PyDict
            || key.value() instanceof PySet) {
          throw in.corrupt("dict key", "a small hashable value", PickleMachine.kind(key.value()));
        }
        result.put(key.value(), child(keysAndValues.get(i + 1)));
      }
      return result;
    }
  }
}
