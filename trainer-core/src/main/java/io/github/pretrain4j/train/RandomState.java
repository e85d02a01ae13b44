package io.github.pretrain4j.train;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The {@code rng_state} of a checkpoint, for Megatron to go on from: its generators as Megatron
 * seeds them.
 *
 * <p>Nothing here draws random numbers while training: weights and data order are functions of the
 * seed, and dropout is 0. So the state never changes, and there is nothing to restore on resume.
 * What is written is what Python's {@code random}, NumPy and PyTorch hold right after Megatron's
 * {@code _set_random_seed}; Python's and NumPy's arrays are written as tuples of ints, which both
 * accept and which need no class to unpickle.
 */
final class RandomState {
  private static final int WORDS = 624;
  private static final int TORCH_CPU_BYTES = 5056;
  private static final int CUDA_BYTES = 16;
  private static final String TORCH_KEY = "rng/torch";
  private static final String CUDA_KEY = "rng/cuda";
  private static final String TRACKER_KEY = "rng/tracker/";

  private final int seed;
  private final Map<String, Long> trackers = new LinkedHashMap<>();

  RandomState(int seed) {
    this.seed = seed;
    trackers.put("data-parallel-rng", (long) seed);
    trackers.put("model-parallel-rng", seed + 2718L);
    trackers.put("expert-parallel-rng", seed + 1024L);
  }

  /** The list of one dictionary that the checkpoint holds. */
  PickleObject toPickle() {
    Map<String, PickleObject> state = new LinkedHashMap<>();
    List<PickleObject> python = new ArrayList<>(words(seedByArray(seed)));
    python.add(PickleObject.of(WORDS));
    state.put(
        "random_rng_state",
        new PyTuple(List.of(PickleObject.of(3), new PyTuple(python), PickleObject.none())));
    state.put(
        "np_rng_state",
        new PyTuple(
            List.of(
                PickleObject.of("MT19937"),
                new PyTuple(words(seedByInteger(seed))),
                PickleObject.of(WORDS),
                PickleObject.of(0),
                PickleObject.of(0.0))));
    state.put("torch_rng_state", bytes(TORCH_KEY, TORCH_CPU_BYTES));
    state.put("cuda_rng_state", bytes(CUDA_KEY, CUDA_BYTES));
    Map<String, PickleObject> tracked = new LinkedHashMap<>();
    trackers.keySet().forEach(name -> tracked.put(name, bytes(TRACKER_KEY + name, CUDA_BYTES)));
    state.put("rng_tracker_states", PyDict.of(tracked));
    return new PyList(List.of(PyDict.of(state)));
  }

  /** The data of a tensor of {@link #toPickle}, by its storage's key. */
  ByteBuffer content(String key) {
    if (key.equals(TORCH_KEY)) {
      return torchCpuState();
    }
    Long value =
        key.equals(CUDA_KEY)
            ? Long.valueOf(seed)
            : trackers.get(key.substring(TRACKER_KEY.length()));
    if (value == null) {
      throw new IllegalArgumentException("no random state " + key);
    }
    // Philox: the seed, then the offset.
    return ByteBuffer.allocate(CUDA_BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
  }

  /**
   * PyTorch's legacy layout: seed (8 bytes), numbers left (4), whether seeded (4), next (8), 624
   * words of 8 bytes, then cached normals, none of them valid.
   */
  private ByteBuffer torchCpuState() {
    ByteBuffer state = ByteBuffer.allocate(TORCH_CPU_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    state.putLong(seed).putInt(1).putInt(1).putLong(0);
    for (int word : seedByInteger(seed)) {
      state.putLong(Integer.toUnsignedLong(word));
    }
    return state.rewind();
  }

  private static PickleObject bytes(String key, long count) {
    return TensorReference.contiguous(key, DataType.U8, List.of(count));
  }

  private static List<PickleObject> words(int[] state) {
    List<PickleObject> words = new ArrayList<>();
    for (int word : state) {
      words.add(PickleObject.of(Integer.toUnsignedLong(word)));
    }
    return words;
  }

  /** The Mersenne Twister's {@code init_genrand}. */
  private static int[] seedByInteger(int seed) {
    int[] state = new int[WORDS];
    state[0] = seed;
    for (int i = 1; i < WORDS; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
    return state;
  }

  /** The Mersenne Twister's {@code init_by_array} with one word. */
  private static int[] seedByArray(int seed) {
    int[] state = seedByInteger(19650218);
    int i = 1;
    for (int k = 0; k < WORDS; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1664525)) + seed;
      i++;
      if (i == WORDS) {
        state[0] = state[WORDS - 1];
        i = 1;
      }
    }
    for (int k = 0; k < WORDS - 1; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1566083941)) - i;
      i++;
      if (i == WORDS) {
        state[0] = state[WORDS - 1];
        i = 1;
      }
    }
    state[0] = 0x80000000;
    return state;
  }
}
