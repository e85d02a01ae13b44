package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds the parameters in {@code distrib_optim.pt}, which holds flat buffers.
 *
 * <pre>
 *   {buckets_coalesced: True,                          list of two, where experts have their own; None
 *                                                      for what is in another expert rank's file
 *    0: {(torch.bfloat16, torch.float32): {            buffer 0: parameters of one type of one chunk
 *          param: [N], exp_avg: [N], exp_avg_sq: [N],
 *          numel_unpadded: N}},
 *    1: …}
 *   {per_bucket_numel_unpadded: [{type: [n0, n1, …]}…],  core 0.6 and before: one tensor per bucket,
 *    0: {type: {param: [[≥n0], [≥n1]…], exp_avg: …}}}    longer than its parameters by some padding
 * </pre>
 *
 * <p>A buffer holds its parameters in the reverse order of the model. Whether they start at
 * multiples of 64 elements, and where a bucket ends, depends on version and options that the file
 * does not tell; every possible plan is laid out, and one must give the buffer's length and hold,
 * rounded, the very values of the model.
 *
 * @see <a
 *     href="https://github.com/NVIDIA/Megatron-LM/blob/core_v0.12.2/megatron/core/distributed/param_and_grad_buffer.py">param_and_grad_buffer.py</a>
 */
final class DistributedOptimizerFile {
  private static final String PARAM = "param";
  private static final long START_ALIGNMENT = 64;
  private static final long BUCKET_ALIGNMENT = 128;

  private final Path file;
  private final TorchFileReader reader;
  private final TorchFileReader modelReader;
  private final RankModel model;
  private final OptimizerShard.Assignment assignment;

  DistributedOptimizerFile(
      Path file, TorchFileReader reader, TorchFileReader modelReader, RankModel model) {
    this.file = file;
    this.reader = reader;
    this.modelReader = modelReader;
    this.model = model;
    this.assignment = new OptimizerShard.Assignment(model.chunks());
  }

  OptimizerShard.Assignment assign() throws IOException {
    List<PickleObject> optimizers =
        reader.root() instanceof PyList list ? list.items() : List.of(reader.root());
    if (optimizers.size() > 2) {
      throw corrupt(
          "content", "one optimizer, or two if experts have their own", optimizers.size());
    }
    for (int i = 0; i < optimizers.size(); i++) {
      boolean experts = i > 0;
      List<Integer> own = new ArrayList<>();
      for (int p = 0; p < model.parameters().size(); p++) {
        if (optimizers.size() == 1 || model.parameters().get(p).isExpert() == experts) {
          own.add(p);
        }
      }
      boolean elsewhere =
          optimizers.size() == 2 && optimizers.get(i) instanceof PickleObject.PyNone;
      if (!elsewhere) {
        assign(optimizers.get(i), own);
      }
    }
    return assignment;
  }

  private void assign(PickleObject optimizer, List<Integer> own) throws IOException {
    PyDict root = dictionary(optimizer, "content");
    TreeMap<Long, PyDict> buffers = new TreeMap<>();
    for (Map.Entry<PickleObject, PickleObject> entry : root.entries().entrySet()) {
      if (entry.getKey() instanceof PyInt number && number.value().bitLength() < Integer.SIZE) {
        buffers.put(number.longValueExact(), dictionary(entry.getValue(), "buffer " + number));
      }
    }
    List<List<Integer>> planned = buffers(own);
    if (planned.size() != buffers.size()) {
      throw corrupt("content", planned.size() + " buffers", buffers.size());
    }
    for (int b = 0; b < planned.size(); b++) {
      PyDict buffer = buffers.get((long) b);
      if (buffer == null || buffer.entries().size() != 1) {
        throw corrupt("buffer " + b, "parameters of one type", describe(buffer));
      }
      Map.Entry<PickleObject, PickleObject> only = buffer.entries().entrySet().iterator().next();
      checkType(b, only.getKey(), planned.get(b));
      PyDict tensors = dictionary(only.getValue(), "buffer " + b);
      if (tensors.get(PARAM) instanceof PyList) {
        assignBuckets(b, tensors, bucketSizes(root, b), planned.get(b));
      } else {
        assignBuffer(b, tensors, planned.get(b));
      }
    }
  }

  /** For each buffer its parameters: those of one chunk and type, in the model's order. */
  private List<List<Integer>> buffers(List<Integer> own) {
    record Key(int chunk, DataType type) {}
    Map<Key, List<Integer>> buffers = new LinkedHashMap<>();
    for (int p : own) {
      OptimizerParameter parameter = model.parameters().get(p);
      buffers
          .computeIfAbsent(
              new Key(parameter.chunk(), parameter.info().type()), key -> new ArrayList<>())
          .add(p);
    }
    return List.copyOf(buffers.values());
  }

  /** The key is the type, or the type and that of the gradients. */
  private void checkType(int buffer, PickleObject key, List<Integer> parameters)
      throws CorruptCheckpointException {
    if (key instanceof PyTuple pair && !pair.items().isEmpty()) {
      Optional<DataType> type =
          pair.items().get(0) instanceof PickleObject.PyGlobal global
              ? DataType.ofTorchName(global.name())
              : Optional.empty();
      DataType expected = model.parameters().get(parameters.get(0)).info().type();
      if (!type.equals(Optional.of(expected))) {
        throw corrupt("type of buffer " + buffer, expected, key);
      }
    }
  }

  /** Buffer order is the reverse of the model's. */
  private static List<Integer> reversed(List<Integer> parameters) {
    List<Integer> result = new ArrayList<>(parameters);
    Collections.reverse(result);
    return result;
  }

  private void assignBuffer(int buffer, PyDict tensors, List<Integer> parameters)
      throws IOException {
    TensorReference param = flat(tensors, PARAM, buffer);
    long count = param.elementCount();
    if (tensors.get("numel_unpadded") instanceof PyInt unpadded
        && !unpadded.equals(PickleObject.of(count))) {
      throw corrupt("size of buffer " + buffer, unpadded.value() + " elements", count);
    }
    List<Integer> order = reversed(parameters);
    checkOrder(buffer, order);
    Set<Plan> plans = new LinkedHashSet<>();
    for (Plan plan : plans(order)) {
      if (plan.end() == count) {
        plans.add(plan);
      }
    }
    List<Plan> fitting = new ArrayList<>();
    @Nullable String difference = null;
    for (Plan plan : plans) {
      String found = difference(order, plan, param);
      if (found == null) {
        fitting.add(plan);
      } else if (difference == null) {
        difference = found;
      }
    }
    if (fitting.size() != 1) {
      throw corrupt(
          "order of parameters in buffer " + buffer,
          "one that gives its " + count + " elements and the model's values",
          plans.isEmpty()
              ? plans(order).get(0).end() + " elements for " + order.size() + " parameters"
              : fitting.isEmpty() ? String.valueOf(difference) : fitting.size() + " such orders");
    }
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      TensorReference tensor =
          kind == OptimizerTensor.FP32_PARAM ? param : flat(tensors, kind.key(), buffer);
      if (tensor.elementCount() != count) {
        throw corrupt(
            kind.key() + " of buffer " + buffer, count + " elements", tensor.elementCount());
      }
      for (int i = 0; i < order.size(); i++) {
        put(kind, order.get(i), tensor, fitting.get(0).starts().get(i));
      }
    }
  }

  /** The first parameter that has other values in the buffer than in the model. */
  private @Nullable String difference(List<Integer> order, Plan plan, TensorReference param)
      throws IOException {
    for (int i = 0; i < order.size(); i++) {
      int p = order.get(i);
      String found =
          model.difference(p, modelReader, slice(param, plan.starts().get(i), p), reader);
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  private void put(OptimizerTensor kind, int p, TensorReference flat, long start) {
    OptimizerParameter parameter = model.parameters().get(p);
    if (kind != OptimizerTensor.FP32_PARAM || parameter.isHalf()) {
      assignment.put(kind, parameter, slice(flat, start, p));
    }
  }

  private TensorReference slice(TensorReference flat, long start, int p) {
    List<Long> shape = model.parameters().get(p).info().shape();
    TensorReference packed = TensorReference.contiguous(flat.storage().key(), flat.type(), shape);
    return new TensorReference(
        flat.type(),
        flat.storage(),
        flat.storageOffset() + start,
        shape,
        packed.strides(),
        false,
        false);
  }

  /**
   * Where the model's tensors are views of its buffer, as they are unless somebody copied them,
   * their order in it is known.
   */
  private void checkOrder(int buffer, List<Integer> order) throws CorruptCheckpointException {
    Set<Object> storages = new LinkedHashSet<>();
    order.forEach(p -> storages.add(model.references().get(p).storage()));
    if (storages.size() > 1) {
      return;
    }
    List<Integer> byOffset =
        order.stream()
            .sorted(Comparator.comparingLong(p -> model.references().get(p).storageOffset()))
            .toList();
    if (!byOffset.equals(order)) {
      throw corrupt(
          "order of parameters in buffer " + buffer,
          "the reverse of the model's",
          "that of the buffer differs");
    }
  }

  /**
   * Where the parameters of a buffer start, in elements.
   *
   * @param starts in the buffer's order
   */
  private record Plan(List<Long> starts, long end) {}

  /** Every plan of some version and some option. */
  private List<Plan> plans(List<Integer> order) {
    long ranks = model.number("data_parallel_size", 1) * model.number("context_parallel_size", 1);
    long bucketEnd = BUCKET_ALIGNMENT / gcd(BUCKET_ALIGNMENT, ranks) * ranks;
    long bucket = model.number("ddp_bucket_size", Math.max(40_000_000, 1_000_000 * ranks));
    List<Plan> plans = new ArrayList<>();
    for (long alignment : new long[] {START_ALIGNMENT, 1}) {
      for (long size : new long[] {Long.MAX_VALUE, bucket}) {
        for (long beforeShared : new long[] {alignment, bucketEnd}) {
          plans.add(plan(order, alignment, size, beforeShared));
        }
      }
    }
    return plans;
  }

  /**
   * Lays parameters out. Padding at the end of a bucket is not in the file.
   *
   * @param alignment of starts
   * @param bucketSize a bucket of so many elements is full
   * @param beforeShared to what a bucket is rounded up before an embedding that is shared with the
   *     last stage, which has a bucket of its own
   */
  private Plan plan(List<Integer> order, long alignment, long bucketSize, long beforeShared) {
    boolean sharing =
        !model.isTrue("untie_embeddings_and_output_weights")
            && model.number("pipeline_model_parallel_size", 1) > 1;
    List<Long> starts = new ArrayList<>();
    long bucketStart = 0;
    long at = 0;
    for (int p : order) {
      OptimizerParameter parameter = model.parameters().get(p);
      boolean shared = sharing && parameter.isEmbeddingOrOutput();
      at = roundUp(at, alignment);
      if (shared && at > 0) {
        at = roundUp(at, beforeShared);
        bucketStart += at;
        at = 0;
      }
      starts.add(bucketStart + at);
      at += parameter.info().elementCount();
      if (shared || at >= bucketSize) {
        bucketStart += at;
        at = 0;
      }
    }
    return new Plan(List.copyOf(starts), bucketStart + at);
  }

  private static long roundUp(long value, long divisor) {
    return (value + divisor - 1) / divisor * divisor;
  }

  private static long gcd(long a, long b) {
    return b == 0 ? a : gcd(b, a % b);
  }

  private List<Long> bucketSizes(PyDict root, int buffer) throws CorruptCheckpointException {
    String what = "per_bucket_numel_unpadded";
    List<Long> sizes = new ArrayList<>();
    if (root.get(what) instanceof PyList buffers
        && buffer < buffers.items().size()
        && buffers.items().get(buffer) instanceof PyDict byType
        && byType.entries().size() == 1
        && byType.entries().values().iterator().next() instanceof PyList numbers) {
      for (PickleObject number : numbers.items()) {
        if (number instanceof PyInt size && size.value().bitLength() < Long.SIZE) {
          sizes.add(size.longValueExact());
        }
      }
      return sizes;
    }
    throw corrupt(what, "the size of every bucket, without which their order is not known", "none");
  }

  /** Buckets of core 0.6 and before: parameters follow each other without gaps. */
  private void assignBuckets(int buffer, PyDict tensors, List<Long> sizes, List<Integer> parameters)
      throws IOException {
    Map<OptimizerTensor, List<TensorReference>> buckets = new LinkedHashMap<>();
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      buckets.put(kind, buckets(buffer, tensors, key(kind), sizes));
    }
    List<Integer> order = reversed(parameters);
    checkOrder(buffer, order);
    List<TensorReference> param = Objects.requireNonNull(buckets.get(OptimizerTensor.FP32_PARAM));
    int bucket = 0;
    long at = 0;
    for (int p : order) {
      long count = model.parameters().get(p).info().elementCount();
      if (bucket == sizes.size() || at + count > sizes.get(bucket)) {
        throw corrupt(
            "buckets of buffer " + buffer,
            "whole parameters in the reverse order of the model",
            sizes + " elements");
      }
      String difference = model.difference(p, modelReader, slice(param.get(bucket), at, p), reader);
      if (difference != null) {
        throw corrupt("order of parameters in buffer " + buffer, "the model's values", difference);
      }
      for (Map.Entry<OptimizerTensor, List<TensorReference>> entry : buckets.entrySet()) {
        put(entry.getKey(), p, entry.getValue().get(bucket), at);
      }
      at += count;
      if (at == sizes.get(bucket)) {
        bucket++;
        at = 0;
      }
    }
    if (bucket != sizes.size()) {
      throw corrupt("buckets of buffer " + buffer, bucket, sizes.size());
    }
  }

  private static String key(OptimizerTensor kind) {
    return kind == OptimizerTensor.FP32_PARAM ? PARAM : kind.key();
  }

  private List<TensorReference> buckets(int buffer, PyDict tensors, String key, List<Long> sizes)
      throws CorruptCheckpointException {
    String what = key + " of buffer " + buffer;
    if (!(tensors.get(key) instanceof PyList list) || list.items().size() != sizes.size()) {
      throw corrupt(what, sizes.size() + " buckets", describe(tensors.get(key)));
    }
    List<TensorReference> result = new ArrayList<>();
    for (int i = 0; i < sizes.size(); i++) {
      TensorReference tensor = flat(list.items().get(i), what);
      if (tensor.elementCount() < sizes.get(i)) {
        throw corrupt(what, sizes.get(i) + " elements", tensor.elementCount());
      }
      result.add(tensor);
    }
    return result;
  }

  private TensorReference flat(PyDict tensors, String key, int buffer)
      throws CorruptCheckpointException {
    return flat(tensors.get(key), key + " of buffer " + buffer);
  }

  private TensorReference flat(@Nullable PickleObject value, String what)
      throws CorruptCheckpointException {
    if (value instanceof TensorReference tensor
        && tensor.type() == DataType.F32
        && tensor.shape().size() == 1
        && tensor.isContiguous()) {
      return tensor;
    }
    throw corrupt(what, "a flat fp32 tensor", describe(value));
  }

  private PyDict dictionary(PickleObject value, String what) throws CorruptCheckpointException {
    if (value instanceof PyDict dict) {
      return dict;
    }
    throw corrupt(what, "a dictionary", describe(value));
  }

  private static String describe(@Nullable PickleObject value) {
    return OptimizerEntry.describe(value);
  }

  private CorruptCheckpointException corrupt(String what, Object expected, Object found) {
    return new CorruptCheckpointException(file, 0, what, expected, found);
  }
}
