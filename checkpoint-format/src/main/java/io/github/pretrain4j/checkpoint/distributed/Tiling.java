package io.github.pretrain4j.checkpoint.distributed;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether chunks cover a tensor once.
 *
 * <p>All boundaries of chunks along each axis cut the tensor into a grid of cells. The chunks tile
 * it if no cell is taken twice and their volumes add up.
 */
final class Tiling {
  /** Real checkpoints have one cell for each chunk, or a few. */
  private static final long MAX_CELLS = 20_000_000;

  private Tiling() {}

  /** What is wrong, or null. Chunks without elements do not count. */
  static @Nullable String problem(List<Long> shape, List<Chunk> chunks) {
    int rank = shape.size();
    for (Chunk chunk : chunks) {
      if (!chunk.isIn(shape)) {
        return "chunk " + chunk.sizes() + " at " + chunk.offsets() + " is not inside " + shape;
      }
    }
    if (shape.contains(0L)) {
      return null;
    }
    List<Chunk> boxes = chunks.stream().filter(chunk -> !chunk.sizes().contains(0L)).toList();
    long missing = volume(shape);
    for (Chunk box : boxes) {
      missing -= volume(box.sizes());
      if (missing < 0) {
        return boxes.size() + " chunks overlap";
      }
    }
    if (missing > 0) {
      return "its chunks leave " + missing + " of " + volume(shape) + " elements out";
    }
    long[][] cuts = new long[rank][];
    for (int axis = 0; axis < rank; axis++) {
      int at = axis;
      cuts[axis] =
          boxes.stream().mapToLong(box -> box.offsets().get(at)).sorted().distinct().toArray();
    }
    Set<Cell> taken = new HashSet<>();
    for (Chunk box : boxes) {
      String problem = take(box, cuts, taken);
      if (problem != null) {
        return problem;
      }
    }
    return null;
  }

  private record Cell(List<Integer> index) {}

  private static @Nullable String take(Chunk box, long[][] cuts, Set<Cell> taken) {
    int rank = cuts.length;
    int[] first = new int[rank];
    int[] end = new int[rank];
    for (int axis = 0; axis < rank; axis++) {
      long offset = box.offsets().get(axis);
      first[axis] = Arrays.binarySearch(cuts[axis], offset);
      int found = Arrays.binarySearch(cuts[axis], offset + box.sizes().get(axis));
      end[axis] = found < 0 ? -found - 1 : found;
    }
    int[] cell = first.clone();
    while (true) {
      if (!taken.add(new Cell(Arrays.stream(cell).boxed().toList()))) {
        return "chunk " + box.sizes() + " at " + box.offsets() + " overlaps another";
      }
      if (taken.size() > MAX_CELLS) {
        return "its chunks cut it into more than " + MAX_CELLS + " cells";
      }
      int axis = rank - 1;
      while (axis >= 0 && ++cell[axis] == end[axis]) {
        cell[axis] = first[axis];
        axis--;
      }
      if (axis < 0) {
        return null;
      }
    }
  }

  private static long volume(List<Long> sizes) {
    long volume = 1;
    for (long size : sizes) {
      volume *= size; // a tensor's size fits a long: TensorInfo has checked it
    }
    return volume;
  }
}
