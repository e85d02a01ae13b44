package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleNodes.Dict;
import io.github.pretrain4j.checkpoint.PickleNodes.Instance;
import io.github.pretrain4j.checkpoint.PickleNodes.Sequence;
import io.github.pretrain4j.checkpoint.PickleNodes.Tuple;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState.Construction;
import io.github.pretrain4j.checkpoint.PickleObject.PyBool;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyNone;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Interprets one pickle (protocol 2 to 4) into inert nodes.
 *
 * <p>The machine has a stack of values, a stack of marks into it, and a memo. Names of classes and
 * functions stay names: nothing is looked up, loaded or run. The few calls with a meaning of their
 * own (rebuilding a tensor, an OrderedDict, bytes) are interpreted in {@link PickleCalls}; any
 * other call becomes a picture of itself.
 */
final class PickleMachine {
  private static final long MAX_STRING_BYTES = 64 << 20;
  private static final long MAX_BYTES_OBJECT = 1 << 30;
  private static final int MAX_INT_BYTES = 1024;
  private static final int MAX_STACK = 50_000_000;
  private static final int MAX_MEMO = 50_000_000;

  private final PickleInput in;
  private final PickleCalls calls;
  private final List<Object> stack = new ArrayList<>();
  private int[] marks = new int[16];
  private int markCount;
  private final Map<Long, Object> memo = new HashMap<>();

  PickleMachine(PickleInput in, PickleCalls calls) {
    this.in = in;
    this.calls = calls;
  }

  /** Runs to STOP and returns the one value left on the stack. */
  Object run() throws IOException {
    while (true) {
      int opcode = in.u8();
      if (opcode == '.') {
        Object result = pop();
        if (!stack.isEmpty() || markCount != 0) {
          throw in.corrupt("pickle stack at the end", "one value", stack.size() + 1);
        }
        return result;
      }
      if (!constant(opcode) && !container(opcode) && !memoOrObject(opcode)) {
        throw in.corrupt(
            "pickle opcode", "one of protocol 2 to 4", String.format("0x%02X", opcode));
      }
      if (stack.size() > MAX_STACK) {
        throw in.corrupt("pickle stack", "at most " + MAX_STACK + " values", stack.size());
      }
    }
  }

  /** Opcodes that push a leaf, and framing. */
  private boolean constant(int opcode) throws IOException {
    switch (opcode) {
      case 0x80 -> { // PROTO
        int version = in.u8();
        if (version > 5) {
          throw in.corrupt("pickle protocol", "at most 5", version);
        }
      }
      case 0x95 -> { // FRAME: a hint for buffering
        long length = in.i64();
        if (length < 0) {
          throw in.corrupt("pickle frame", "a length", length);
        }
      }
      case 'N' -> stack.add(PickleObject.none());
      case 0x88 -> stack.add(new PyBool(true));
      case 0x89 -> stack.add(new PyBool(false));
      case 'K' -> stack.add(PyInt.of(in.u8()));
      case 'M' -> stack.add(PyInt.of(in.u16()));
      case 'J' -> stack.add(PyInt.of(in.i32()));
      case 0x8A -> stack.add(integer(in.u8()));
      case 0x8B -> stack.add(integer(in.i32()));
      case 'G' -> stack.add(new PyFloat(in.bigEndianDouble()));
      case 'X' -> stack.add(text(in.bytes(in.u32(), MAX_STRING_BYTES)));
      case 0x8C -> stack.add(text(in.bytes(in.u8(), MAX_STRING_BYTES)));
      case 0x8D -> stack.add(text(in.bytes(in.i64(), MAX_STRING_BYTES)));
      case 'U' -> stack.add(latin1(in.bytes(in.u8(), MAX_STRING_BYTES)));
      case 'T' -> stack.add(latin1(in.bytes(in.i32(), MAX_STRING_BYTES)));
      case 'B' -> stack.add(PyBytes.of(in.bytes(in.u32(), MAX_BYTES_OBJECT)));
      case 'C' -> stack.add(PyBytes.of(in.bytes(in.u8(), MAX_BYTES_OBJECT)));
      case 0x8E, 0x96 -> stack.add(PyBytes.of(in.bytes(in.i64(), MAX_BYTES_OBJECT)));
      case 'c' -> stack.add(global(line(), line()));
      case 0x93 -> {
        String name = string(pop());
        stack.add(global(string(pop()), name));
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Opcodes that make or fill containers. */
  private boolean container(int opcode) throws IOException {
    switch (opcode) {
      case '(' -> mark();
      case ')' -> stack.add(new Tuple(List.of()));
      case 't' -> stack.add(new Tuple(popToMark()));
      case 0x85 -> stack.add(new Tuple(pop(1)));
      case 0x86 -> stack.add(new Tuple(pop(2)));
      case 0x87 -> stack.add(new Tuple(pop(3)));
      case ']' -> stack.add(new Sequence(false, new ArrayList<>()));
      case 0x8F -> stack.add(new Sequence(true, new ArrayList<>()));
      case 0x91 -> stack.add(new Sequence(true, popToMark()));
      case '}' -> stack.add(new Dict(false));
      case 'a' -> append(pop(1), false);
      case 'e' -> append(popToMark(), false);
      case 0x90 -> append(popToMark(), true);
      case 's' -> setItems(pop(2));
      case 'u' -> setItems(popToMark());
      case '0' -> {
        if (markCount > 0 && marks[markCount - 1] == stack.size()) {
          markCount--;
        } else {
          pop();
        }
      }
      case '1' -> popToMark();
      case '2' -> stack.add(top());
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Memo, objects and persistent ids. */
  private boolean memoOrObject(int opcode) throws IOException {
    switch (opcode) {
      case 'q' -> remember(in.u8());
      case 'r' -> remember(in.u32());
      case 0x94 -> remember(memo.size());
      case 'h' -> recall(in.u8());
      case 'j' -> recall(in.u32());
      case 'R' -> {
        Tuple arguments = tuple(pop());
        stack.add(calls.call(in, globalOf(pop()), arguments, Construction.CALL));
      }
      case 0x81 -> {
        Tuple arguments = tuple(pop());
        stack.add(calls.call(in, globalOf(pop()), arguments, Construction.NEW));
      }
      case 0x92 -> {
        if (!(pop() instanceof Dict keywords) || !keywords.entries.isEmpty()) {
          throw in.corrupt("keyword arguments of an object", "none", "some");
        }
        Tuple arguments = tuple(pop());
        stack.add(calls.call(in, globalOf(pop()), arguments, Construction.NEW));
      }
      case 'b' -> build(pop());
      case 'Q' -> stack.add(calls.persistent(in, tuple(pop())));
      default -> {
        return false;
      }
    }
    return true;
  }

  private PyInt integer(int length) throws IOException {
    byte[] bytes = in.bytes(length, MAX_INT_BYTES);
    for (int i = 0, j = bytes.length - 1; i < j; i++, j--) {
      byte swap = bytes[i];
      bytes[i] = bytes[j];
      bytes[j] = swap;
    }
    return new PyInt(bytes.length == 0 ? BigInteger.ZERO : new BigInteger(bytes));
  }

  private PyString text(byte[] utf8) throws IOException {
    String text = PickleText.decode(utf8);
    if (text == null) {
      throw in.corrupt("pickled text", "UTF-8", "other bytes");
    }
    return new PyString(text);
  }

  private static PyString latin1(byte[] bytes) {
    return new PyString(new String(bytes, StandardCharsets.ISO_8859_1));
  }

  private String line() throws IOException {
    return text(in.line()).value();
  }

  private PyGlobal global(String module, String name) throws IOException {
    PyGlobal global = PickleGlobals.named(module, name);
    calls.check(in, global);
    return global;
  }

  private void mark() {
    if (markCount == marks.length) {
      marks = Arrays.copyOf(marks, 2 * markCount);
    }
    marks[markCount++] = stack.size();
  }

  /** How far the stack may be popped. */
  private int floor() {
    return markCount == 0 ? 0 : marks[markCount - 1];
  }

  private Object top() throws IOException {
    if (stack.size() <= floor()) {
      throw in.corrupt("pickle stack", "a value", "none");
    }
    return stack.get(stack.size() - 1);
  }

  private Object pop() throws IOException {
    Object top = top();
    stack.remove(stack.size() - 1);
    return top;
  }

  private List<Object> pop(int count) throws IOException {
    if (stack.size() - count < floor()) {
      throw in.corrupt("pickle stack", count + " values", stack.size() - floor());
    }
    return popFrom(stack.size() - count);
  }

  private List<Object> popToMark() throws IOException {
    if (markCount == 0) {
      throw in.corrupt("pickle stack", "a mark", "none");
    }
    return popFrom(marks[--markCount]);
  }

  private List<Object> popFrom(int start) {
    List<Object> tail = stack.subList(start, stack.size());
    List<Object> result = new ArrayList<>(tail);
    tail.clear();
    return result;
  }

  private void append(List<Object> items, boolean toSet) throws IOException {
    Object target = top();
    if (target instanceof Sequence sequence && sequence.set == toSet) {
      sequence.items.addAll(items);
    } else if (target instanceof Instance instance && !toSet) {
      instance.elements.addAll(items);
    } else {
      throw in.corrupt("pickle append", toSet ? "a set" : "a list", kind(target));
    }
  }

  private void setItems(List<Object> entries) throws IOException {
    if (entries.size() % 2 != 0) {
      throw in.corrupt("pickle dict items", "keys with values", entries.size() + " values");
    }
    Object target = top();
    if (target instanceof Dict dict) {
      dict.entries.addAll(entries);
    } else if (target instanceof Instance instance) {
      instance.entries.addAll(entries);
    } else {
      throw in.corrupt("pickle dict items", "a dict", kind(target));
    }
  }

  /**
   * Python attributes of an OrderedDict ({@code _metadata}) and of tensors carry no weights:
   * dropped.
   */
  private void build(Object state) throws IOException {
    Object target = top();
    if (target instanceof Instance instance && instance.state == null) {
      instance.state = state;
    } else if (!(target instanceof Dict dict && dict.ordered)
        && !(target instanceof TensorReference)) {
      throw in.corrupt("pickle state", "an object without state", kind(target));
    }
  }

  private void remember(long index) throws IOException {
    if (memo.size() >= MAX_MEMO) {
      throw in.corrupt("pickle memo", "at most " + MAX_MEMO + " values", "more");
    }
    memo.put(index, top());
  }

  private void recall(long index) throws IOException {
    Object value = memo.get(index);
    if (value == null) {
      throw in.corrupt("pickle memo index", "one of " + memo.size() + " remembered", index);
    }
    stack.add(value);
  }

  private Tuple tuple(Object value) throws IOException {
    if (value instanceof Tuple tuple) {
      return tuple;
    }
    throw in.corrupt("pickle operand", "a tuple", kind(value));
  }

  private PyGlobal globalOf(Object value) throws IOException {
    if (value instanceof PyGlobal global) {
      return global;
    }
    throw in.corrupt("pickle callable", "a name", kind(value));
  }

  private String string(Object value) throws IOException {
    if (value instanceof PyString string) {
      return string.value();
    }
    throw in.corrupt("pickle operand", "text", kind(value));
  }

  /** What a value is, for messages. */
  static String kind(@Nullable Object value) {
    if (value == null || value instanceof PyNone) {
      return "None";
    }
    return value instanceof PyGlobal global
        ? global.qualifiedName()
        : value.getClass().getSimpleName();
  }
}
