package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A rank's files with an optimizer in them: parameters of random values, 16-bit ones rounded from
 * their fp32 copies.
 */
final class OptimizerFiles {
  final List<Map<String, TensorInfo>> chunks;
  final Map<String, PickleObject> arguments = new LinkedHashMap<>();
  private final Map<String, byte[]> data = new HashMap<>();

  OptimizerFiles(List<Map<String, TensorInfo>> chunks, long seed) {
    this.chunks = chunks;
    Random random = new Random(seed);
    for (OptimizerParameter parameter : parameters()) {
      for (OptimizerTensor kind : OptimizerTensor.values()) {
        ByteBuffer values = ByteBuffer.allocate((int) parameter.info().elementCount() * 4);
        values.order(ByteOrder.LITTLE_ENDIAN);
        while (values.hasRemaining()) {
          values.putFloat((float) random.nextGaussian());
        }
        data.put(key(kind, parameter), values.array());
      }
    }
  }

  /** Parameters by key, in order. */
  static Map<String, TensorInfo> chunk(TensorInfo... infos) {
    Map<String, TensorInfo> chunk = new LinkedHashMap<>();
    for (TensorInfo info : infos) {
      chunk.put(info.name(), info);
    }
    return chunk;
  }

  static TensorInfo tensor(String key, DataType type, long... shape) {
    return new TensorInfo(key, type, Arrays.stream(shape).boxed().toList());
  }

  List<OptimizerParameter> parameters() {
    return OptimizerParameter.of(chunks);
  }

  private static String key(OptimizerTensor kind, OptimizerParameter parameter) {
    return kind.key() + "/" + parameter.chunk() + "/" + parameter.key();
  }

  /** The fp32 values of a tensor. */
  byte[] bytes(OptimizerTensor kind, OptimizerParameter parameter) {
    return Objects.requireNonNull(data.get(key(kind, parameter)));
  }

  private byte[] weights(String key) {
    int slash = key.indexOf('/');
    int chunk = Integer.parseInt(key.substring(0, slash));
    TensorInfo info = Objects.requireNonNull(chunks.get(chunk).get(key.substring(slash + 1)));
    OptimizerParameter parameter = new OptimizerParameter(chunk, info.name(), info);
    byte[] master = data.get(key(OptimizerTensor.FP32_PARAM, parameter));
    ByteBuffer rounded = ByteBuffer.allocate((int) info.byteCount());
    if (master != null) {
      NumericConversion.convert(DataType.F32, ByteBuffer.wrap(master), info.type(), rounded);
    }
    return rounded.array();
  }

  List<PyDict> models() {
    List<PyDict> models = new ArrayList<>();
    for (int c = 0; c < chunks.size(); c++) {
      Map<String, PickleObject> model = new LinkedHashMap<>();
      for (TensorInfo info : chunks.get(c).values()) {
        model.put(
            info.name(),
            info.name().endsWith("_extra_state")
                ? PickleObject.none()
                : TensorReference.contiguous(
                    "model/" + c + "/" + info.name(), info.type(), info.shape()));
      }
      models.add(PyDict.ordered(model));
    }
    return models;
  }

  /** Writes {@code model_optim_rng.pt}, with whatever entry for the optimizer. */
  void write(Path file, PickleObject optimizer, List<StateSlot> slots) throws IOException {
    Map<String, PickleObject> root = new LinkedHashMap<>();
    root.put("args", PickleObject.ObjectState.namespace(arguments));
    for (int c = 0; c < chunks.size(); c++) {
      root.put(chunks.size() == 1 ? "model" : "model" + c, models().get(c));
    }
    root.put("optimizer", optimizer);
    Map<String, StateSlot> byKey = new HashMap<>();
    slots.forEach(slot -> byKey.put(slot.tensor().name(), slot));
    TorchFileWriter.write(
        file,
        PyDict.of(root),
        (tensor, out) -> {
          if (tensor.name().startsWith("model/")) {
            out.write(ByteBuffer.wrap(weights(tensor.name().substring("model/".length()))));
            return;
          }
          StateSlot slot = Objects.requireNonNull(byKey.get(tensor.name()));
          OptimizerTensor kind = slot.kind();
          out.write(
              ByteBuffer.wrap(
                  kind == null
                      ? Objects.requireNonNull(slot.content()).toByteArray()
                      : Objects.requireNonNull(
                          data.get(kind.key() + "/" + slot.chunk() + "/" + slot.parameter()))));
        });
  }

  /**
   * A buffer of the distributed optimizer.
   *
   * @param starts where each parameter starts
   */
  byte[] buffer(OptimizerTensor kind, Map<OptimizerParameter, Long> starts, long count) {
    ByteBuffer buffer = ByteBuffer.allocate((int) count * Float.BYTES);
    starts.forEach((parameter, at) -> buffer.put((int) (at * 4), bytes(kind, parameter)));
    return buffer.array();
  }

  /** Writes {@code distrib_optim.pt}. */
  static void writeDistributed(Path file, PickleObject root, Map<String, byte[]> buffers)
      throws IOException {
    TorchFileWriter.write(
        file,
        root,
        (tensor, out) ->
            out.write(ByteBuffer.wrap(Objects.requireNonNull(buffers.get(tensor.name())))));
  }

  static byte[] read(TorchFileReader reader, TensorReference tensor) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteCount());
    reader.read(tensor, 0, bytes);
    return bytes.array();
  }

  /** Settings of a group as Megatron writes them. */
  static PyDict group(double decay, boolean decoupled, boolean experts, double rate) {
    Map<String, PickleObject> group = new LinkedHashMap<>();
    group.put("wd_mult", PickleObject.of(decay));
    group.put("lr_mult", PickleObject.of(1.0));
    group.put("is_expert_parallel", PickleObject.of(experts));
    group.put("is_decoupled_lr", PickleObject.of(decoupled));
    group.put("lr", PickleObject.of(rate));
    group.put("betas", PickleObject.PyTuple.of(PickleObject.of(0.9), PickleObject.of(0.95)));
    return PyDict.of(group);
  }

  /** The dictionary with one entry replaced; null takes it out. */
  static PyDict with(PyDict dict, PickleObject key, @Nullable PickleObject value) {
    Map<PickleObject, PickleObject> entries = new LinkedHashMap<>(dict.entries());
    if (value == null) {
      entries.remove(key);
    } else {
      entries.put(key, value);
    }
    return new PyDict(dict.ordered(), entries);
  }

  static PickleObject list(List<? extends PickleObject> items) {
    return new PyList(List.copyOf(items));
  }
}
