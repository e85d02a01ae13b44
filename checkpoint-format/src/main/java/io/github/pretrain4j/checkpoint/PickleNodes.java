package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleObject.ObjectState.Construction;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What lies on the stack of a {@link PickleMachine} beside finished leaves: containers that may
 * still grow.
 */
final class PickleNodes {
  private PickleNodes() {}

  /** A value under construction. Compared by identity, since the memo shares it. */
  abstract static sealed class Node permits Tuple, Sequence, Dict, Instance, Storage {}

  static final class Tuple extends Node {
    final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }
  }

  /** A list, a set or a frozenset. */
  static final class Sequence extends Node {
    final boolean set;
    final List<Object> items;

    Sequence(boolean set, List<Object> items) {
      this.set = set;
      this.items = items;
    }
  }

  static final class Dict extends Node {
    final boolean ordered;

    /** Key, value, key, value, … */
    final List<Object> entries = new ArrayList<>();

    Dict(boolean ordered) {
      this.ordered = ordered;
    }
  }

  /** An object that is only pictured. */
  static final class Instance extends Node {
    final PyGlobal type;
    final Construction construction;
    final Tuple arguments;
    @Nullable Object state;
    final List<Object> elements = new ArrayList<>();
    final List<Object> entries = new ArrayList<>();

    Instance(PyGlobal type, Construction construction, Tuple arguments) {
      this.type = type;
      this.construction = construction;
      this.arguments = arguments;
    }
  }

  /**
   * What a persistent id names; only tensors may hold it. A null type means bytes. Old files name
   * stretches of a storage: {@code viewCount} elements from {@code viewOffset} on.
   */
  static final class Storage extends Node {
    final TensorStorage storage;
    final @Nullable DataType type;
    final long viewOffset;
    final long viewCount;

    Storage(TensorStorage storage, @Nullable DataType type, long viewOffset, long viewCount) {
      this.storage = storage;
      this.type = type;
      this.viewOffset = viewOffset;
      this.viewCount = viewCount;
    }
  }
}
