package io.github.pretrain4j.checkpoint.distributed;

import java.util.List;

/**
 * An axis-aligned box of a tensor.
 *
 * @param offsets its first element, one index for each axis
 * @param sizes its extent, one for each axis
 */
public record Chunk(List<Long> offsets, List<Long> sizes) {

  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if they differ in length or something is negative
   */
  public Chunk {
    offsets = List.copyOf(offsets);
    sizes = List.copyOf(sizes);
    if (offsets.size() != sizes.size()
        || offsets.stream().anyMatch(offset -> offset < 0)
        || sizes.stream().anyMatch(size -> size < 0)) {
      throw new IllegalArgumentException("a chunk of " + sizes + " at " + offsets);
    }
  }

  /** The box that is the whole of a tensor of that shape. */
  public static Chunk whole(List<Long> shape) {
    return new Chunk(shape.stream().map(size -> 0L).toList(), shape);
  }

  /** Whether it lies inside a tensor of that shape. */
  public boolean isIn(List<Long> shape) {
    if (shape.size() != sizes.size()) {
      return false;
    }
    for (int axis = 0; axis < shape.size(); axis++) {
      if (sizes.get(axis) > shape.get(axis)
          || offsets.get(axis) > shape.get(axis) - sizes.get(axis)) {
        return false;
      }
    }
    return true;
  }
}
