package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The generators of CPython 3.11 and NumPy 2 after seeding with 1234, as these programs print their
 * state.
 */
final class RandomStateTest {
  private final RandomState state = new RandomState(1234);

  @Test
  void seedsAsPythonAndNumpy() {
    PyDict root = (PyDict) ((PyList) state.toPickle()).items().getFirst();
    List<PickleObject> python = words(root, "random_rng_state");
    assertEquals(625, python.size());
    assertEquals(integers(2147483648L, 681931688L, 3687344416L), python.subList(0, 3));
    assertEquals(integers(343805460L, 624L), python.subList(623, 625));
    List<PickleObject> numpy = words(root, "np_rng_state");
    assertEquals(624, numpy.size());
    assertEquals(integers(1234L, 3159640283L, 4062961311L), numpy.subList(0, 3));
    assertEquals(integers(3064478787L), numpy.subList(623, 624));
  }

  private static List<PickleObject> words(PyDict root, String key) {
    if (root.get(key) instanceof PyTuple state && state.items().get(1) instanceof PyTuple words) {
      return words.items();
    }
    throw new AssertionError(key);
  }

  private static List<PickleObject> integers(long... values) {
    return Arrays.stream(values).mapToObj(PickleObject::of).toList();
  }

  @Test
  void laysOutTorchAndCudaStates() {
    ByteBuffer torch = state.content("rng/torch").order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(5056, torch.remaining());
    assertEquals(1234, torch.getLong(0));
    assertEquals(
        3159640283L, torch.getLong(32), "the twister's words take 8 bytes each, from byte 24 on");
    assertEquals(1234, state.content("rng/cuda").order(ByteOrder.LITTLE_ENDIAN).getLong(0));
    assertEquals(
        1234 + 2718,
        state.content("rng/tracker/model-parallel-rng").order(ByteOrder.LITTLE_ENDIAN).getLong(0));
  }
}
