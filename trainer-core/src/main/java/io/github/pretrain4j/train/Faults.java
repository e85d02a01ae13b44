package io.github.pretrain4j.train;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Collects what is wrong with a configuration, so that one message names all of it. */
final class Faults {
  private final List<String> faults = new ArrayList<>();

  void add(String fault) {
    faults.add(fault);
  }

  void unless(boolean holds, String fault) {
    if (!holds) {
      faults.add(fault);
    }
  }

  /** A value that is there has to be positive. */
  void unlessPositive(String name, @Nullable Number value) {
    unless(
        value == null || value.longValue() > 0, name + " must be given and positive, is " + value);
  }

  void unlessGiven(String name, @Nullable Object value) {
    unless(value != null, name + " is missing");
  }

  boolean isEmpty() {
    return faults.isEmpty();
  }

  /** Throws one {@link IllegalArgumentException} with all faults, if there are any. */
  void throwIfAny(String subject) {
    if (!faults.isEmpty()) {
      throw new IllegalArgumentException(subject + ": " + String.join("; ", faults));
    }
  }
}
