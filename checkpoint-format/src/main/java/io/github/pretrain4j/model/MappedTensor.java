package io.github.pretrain4j.model;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A tensor of one naming as a stack of runs of rows of the other.
 *
 * @param runs from top to bottom; together all rows, each once
 */
record MappedTensor(String name, List<Long> shape, List<Run> runs) {
  /** Rows of this tensor that lie together in another one. */
  record Run(long firstRow, long rowCount, String source, long sourceRow) {}

  MappedTensor {
    shape = List.copyOf(shape);
    runs = List.copyOf(runs);
    if (shape.isEmpty()) {
      throw new IllegalArgumentException(name + ": a scalar has no rows");
    }
    long next = 0;
    for (Run run : runs) {
      if (run.firstRow != next) {
        throw new IllegalArgumentException(
            name + ": rows from " + Math.min(next, run.firstRow) + " are mapped twice or never");
      }
      next += run.rowCount;
    }
    if (next != shape.get(0)) {
      throw new IllegalArgumentException(
          name + ": " + next + " rows are mapped, the shape is " + shape);
    }
  }

  /** The other naming's tensors that have rows in this one. */
  Set<String> sources() {
    Set<String> sources = new LinkedHashSet<>();
    for (Run run : runs) {
      sources.add(run.source);
    }
    return sources;
  }

  /** Index of the run that holds {@code row}. */
  int runOf(long row) {
    int low = 0;
    int high = runs.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (runs.get(middle).firstRow <= row) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
