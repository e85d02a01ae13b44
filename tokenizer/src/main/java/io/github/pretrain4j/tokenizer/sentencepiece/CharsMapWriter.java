package io.github.pretrain4j.tokenizer.sentencepiece;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Writes rules in the layout that {@link CharsMap} reads.
 *
 * <p>Parts of the trie that lead to the same ends are written once. Each such <i>state</i> gets a
 * base of its own; what follows it by byte {@code b}, or its value by {@code b = 0}, lies at {@code
 * base ^ b}. Bases are the first where all of a state's places are free, for the states with most
 * places first. Free places look like values, so that no byte leads there, and the array ends at a
 * multiple of 256, so that no byte leads outside it.
 */
final class CharsMapWriter {
  private static final int BLOCK = 256;
  private static final int MAX_UNITS = 1 << 21;
  private static final int VALUE = 1 << 31;
  private static final int HAS_VALUE = 1 << 8;
  private static final int NO_VALUE = -1;

  /** Bytes that go on from a state, in order, the states they lead to, and the state's value. */
  private record State(int value, List<Integer> bytes, List<Integer> next) {
    int[] places() {
      int values = value == NO_VALUE ? 0 : 1;
      int[] places = new int[values + bytes.size()];
      for (int i = 0; i < bytes.size(); i++) {
        places[values + i] = bytes.get(i);
      }
      return places;
    }
  }

  private final byte[][] keys;
  private final int[] values;
  private final List<State> states = new ArrayList<>();
  private final Map<State, Integer> numberOfState = new HashMap<>();

  private CharsMapWriter(byte[][] keys, int[] values) {
    this.keys = keys;
    this.values = values;
  }

  /** The rules, from no empty string, as bytes. */
  static byte[] encode(Map<String, String> rules) {
    ByteArrayOutputStream strings = new ByteArrayOutputStream();
    Map<String, Integer> offsets = new HashMap<>();
    for (String replacement : new TreeSet<>(rules.values())) {
      offsets.put(replacement, strings.size());
      strings.writeBytes(replacement.getBytes(StandardCharsets.UTF_8));
      strings.write(0);
    }
    TreeMap<byte[], Integer> sorted = new TreeMap<>(Arrays::compareUnsigned);
    rules.forEach(
        (from, to) ->
            sorted.put(from.getBytes(StandardCharsets.UTF_8), offsets.getOrDefault(to, NO_VALUE)));
    int[] units =
        new CharsMapWriter(
                sorted.keySet().toArray(byte[][]::new),
                sorted.values().stream().mapToInt(i -> i).toArray())
            .units();
    ByteBuffer out =
        ByteBuffer.allocate(4 + units.length * 4 + strings.size()).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(units.length * 4);
    for (int unit : units) {
      out.putInt(unit);
    }
    return out.put(strings.toByteArray()).array();
  }

  /** The state after the first {@code depth} bytes of the keys in a range. */
  private int state(int from, int to, int depth) {
    int key = from;
    int value = NO_VALUE;
    if (keys[key].length == depth) {
      value = values[key++];
    }
    List<Integer> bytes = new ArrayList<>();
    List<Integer> next = new ArrayList<>();
    while (key < to) {
      byte label = keys[key][depth];
      int end = key;
      while (end < to && keys[end][depth] == label) {
        end++;
      }
      bytes.add(label & 0xFF);
      next.add(state(key, end, depth + 1));
      key = end;
    }
    State found = new State(value, bytes, next);
    Integer known = numberOfState.get(found);
    if (known == null) {
      known = states.size();
      states.add(found);
      numberOfState.put(found, known);
    }
    return known;
  }

  private int[] units() {
    int root = state(0, keys.length, 0);
    int[] base = new int[states.size()];
    int size = place(base);
    int[] units = new int[size];
    Arrays.fill(units, VALUE);
    units[0] = base[root] << 10;
    for (int s = 0; s < base.length; s++) {
      State state = states.get(s);
      if (state.value != NO_VALUE) {
        units[base[s]] = VALUE | state.value;
      }
      for (int i = 0; i < state.bytes.size(); i++) {
        int next = state.next.get(i);
        int at = base[s] ^ state.bytes.get(i);
        int flag = states.get(next).value == NO_VALUE ? 0 : HAS_VALUE;
        units[at] = state.bytes.get(i) | flag | (at ^ base[next]) << 10;
      }
    }
    return units;
  }

  /** Finds all bases and returns the size of the array. */
  private int place(int[] base) {
    List<Integer> order = new ArrayList<>();
    for (int s = 0; s < base.length; s++) {
      order.add(s);
    }
    order.sort(Comparator.comparingInt((Integer s) -> -states.get(s).places().length));
    BitSet taken = new BitSet();
    BitSet usedBases = new BitSet();
    taken.set(0); // the root's own unit
    usedBases.set(0);
    int last = 0;
    for (int s : order) {
      int[] places = states.get(s).places();
      for (int free = taken.nextClearBit(0); ; free = taken.nextClearBit(free + 1)) {
        int candidate = free ^ places[0];
        if (!usedBases.get(candidate) && allFree(taken, candidate, places)) {
          base[s] = candidate;
          break;
        }
      }
      usedBases.set(base[s]);
      for (int place : places) {
        taken.set(base[s] ^ place);
      }
      last = Math.max(last, base[s]);
    }
    int size = (last / BLOCK + 1) * BLOCK;
    if (size > MAX_UNITS) {
      throw new IllegalArgumentException("rules for more than " + MAX_UNITS + " units");
    }
    return size;
  }

  private static boolean allFree(BitSet taken, int base, int[] places) {
    for (int place : places) {
      if (taken.get(base ^ place)) {
        return false;
      }
    }
    return true;
  }
}
