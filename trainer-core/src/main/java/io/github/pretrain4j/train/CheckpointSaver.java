package io.github.pretrain4j.train;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.optim.AdamW;
import io.github.pretrain4j.optim.AdamW.Group;
import io.github.pretrain4j.optim.AdamW.Moments;
import io.github.pretrain4j.optim.OptimizerParamScheduler;
import io.github.pretrain4j.optim.ScheduleConfig;
import io.github.pretrain4j.tensor.Parameter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Saves a run as a Megatron checkpoint of the {@code torch} format, complete or not at all.
 *
 * <p>The file depends on the state of the training only: two runs that reach the same state write
 * the same bytes, wherever they save and however often they were interrupted. Beside the model it
 * holds
 *
 * <pre>
 * optimizer            {state: {i: {step, exp_avg, exp_avg_sq}}, param_groups: [{…, params: [i…]}, …]}
 * opt_param_scheduler  {max_lr, lr_warmup_steps, num_steps, …}
 * rng_state            see RandomState
 * num_floating_point_operations_so_far
 * data_ledger          which data was consumed, as JSON: see DataLedger; ours alone, Megatron passes over it
 * </pre>
 *
 * <p>The ledger of the newest checkpoint also lies beside the tracker, as {@value #LEDGER_FILE}.
 */
final class CheckpointSaver {
  /** Where the checkpoint keeps what data was consumed. */
  static final String LEDGER = "data_ledger";

  private static final String LEDGER_FILE = "data-ledger.json";
  private static final String STEP_KEY = "optimizer/step/";
  private static final String EXP_AVG_KEY = "optimizer/exp_avg/";
  private static final String EXP_AVG_SQ_KEY = "optimizer/exp_avg_sq/";
  private static final int CHUNK = 1 << 18;

  private final TrainConfig config;
  private final LanguageModel model;
  private final AdamW optimizer;
  private final OptimizerParamScheduler scheduler;
  private final RandomState random;

  CheckpointSaver(
      TrainConfig config, LanguageModel model, AdamW optimizer, OptimizerParamScheduler scheduler) {
    this.config = config;
    this.model = model;
    this.optimizer = optimizer;
    this.scheduler = scheduler;
    this.random = new RandomState(config.run().seed());
  }

  /**
   * Writes {@code iter_…} into {@code root} and moves the tracker to it.
   *
   * @param ledger what data was consumed, if that can be told
   */
  Path save(Path root, TrainState state, @Nullable DataLedger ledger) throws IOException {
    Map<String, PickleObject> extra = new LinkedHashMap<>();
    if (!config.checkpoint().noSaveOptim()) {
      extra.put("optimizer", optimizerState());
      extra.put("opt_param_scheduler", schedulerState());
    }
    if (!config.checkpoint().noSaveRng()) {
      extra.put("rng_state", random.toPickle());
    }
    extra.put(
        "num_floating_point_operations_so_far", PickleObject.of(state.floatingPointOperations()));
    if (ledger != null) {
      extra.put(LEDGER, PickleObject.of(ledger.json()));
    }
    Path directory = write(root, state, extra);
    if (ledger != null) {
      ledger.write(root.resolve(LEDGER_FILE));
    }
    return directory;
  }

  private Path write(Path root, TrainState state, Map<String, PickleObject> extra)
      throws IOException {
    try (TensorSource weights = new Weights(model)) {
      return MegatronCheckpointWriter.create(root)
          .iteration(state.iteration())
          .arguments(arguments(state))
          .extraState(extra, this::writeExtra)
          .write(weights);
    }
  }

  private Map<String, @Nullable Object> arguments(TrainState state) {
    Map<String, @Nullable Object> args =
        new LinkedHashMap<>(TrainOptions.trainingArguments(config));
    args.putAll(MegatronArguments.of(model.config()));
    args.put("global_batch_size", config.run().batchSize());
    args.put("consumed_train_samples", state.consumedTrainSamples());
    args.put("consumed_valid_samples", state.consumedValidSamples());
    return args;
  }

  private PickleObject optimizerState() {
    Map<PickleObject, PickleObject> state = new LinkedHashMap<>();
    List<PickleObject> groups = new ArrayList<>();
    int index = 0;
    for (Group group : optimizer.groups()) {
      List<PickleObject> indices = new ArrayList<>();
      for (Parameter parameter : group.parameters()) {
        Map<String, PickleObject> entry = new LinkedHashMap<>();
        String name = parameter.name();
        entry.put("step", TensorReference.contiguous(STEP_KEY + name, DataType.F32, List.of()));
        entry.put(
            "exp_avg",
            TensorReference.contiguous(EXP_AVG_KEY + name, DataType.F32, parameter.shape()));
        entry.put(
            "exp_avg_sq",
            TensorReference.contiguous(EXP_AVG_SQ_KEY + name, DataType.F32, parameter.shape()));
        if (optimizer.step()
            > 0) { // before the first update PyTorch's optimizer has no state either
          state.put(PickleObject.of(index), PyDict.of(entry));
        }
        indices.add(PickleObject.of(index++));
      }
      groups.add(groupState(group, indices));
    }
    Map<String, PickleObject> result = new LinkedHashMap<>();
    result.put("state", new PyDict(false, state));
    result.put("param_groups", new PyList(groups));
    return PyDict.of(result);
  }

  private PickleObject groupState(Group group, List<PickleObject> indices) {
    AdamW.AdamWConfig adam = optimizer.config();
    Map<String, PickleObject> entry = new LinkedHashMap<>();
    entry.put("wd_mult", PickleObject.of(group.weightDecayMultiplier()));
    entry.put("lr_mult", PickleObject.of(1.0));
    entry.put("is_expert_parallel", PickleObject.of(false));
    entry.put("is_decoupled_lr", PickleObject.of(false));
    entry.put("max_lr", PickleObject.of(scheduler.config().maxLr()));
    entry.put("min_lr", PickleObject.of(scheduler.config().minLr()));
    entry.put("lr", PickleObject.of(scheduler.learningRate()));
    entry.put(
        "betas",
        new PyTuple(List.of(PickleObject.of(adam.beta1()), PickleObject.of(adam.beta2()))));
    entry.put("eps", PickleObject.of(adam.epsilon()));
    entry.put(
        "weight_decay", PickleObject.of(scheduler.weightDecay() * group.weightDecayMultiplier()));
    entry.put("amsgrad", PickleObject.of(false));
    entry.put("maximize", PickleObject.of(false));
    entry.put("foreach", PickleObject.none());
    entry.put("capturable", PickleObject.of(false));
    entry.put("differentiable", PickleObject.of(false));
    entry.put("fused", PickleObject.none());
    entry.put("decoupled_weight_decay", PickleObject.of(true));
    entry.put("params", new PyList(indices));
    return PyDict.of(entry);
  }

  private PickleObject schedulerState() {
    ScheduleConfig schedule = scheduler.config();
    Map<String, PickleObject> state = new LinkedHashMap<>();
    double warmup = schedule.lrWarmupSteps();
    boolean whole = warmup == Math.rint(warmup);
    state.put("max_lr", PickleObject.of(schedule.maxLr()));
    state.put("lr_warmup_steps", whole ? PickleObject.of((long) warmup) : PickleObject.of(warmup));
    state.put("num_steps", PickleObject.of(scheduler.numSteps()));
    state.put("lr_decay_style", PickleObject.of(schedule.lrDecayStyle().megatronName()));
    state.put("lr_decay_steps", PickleObject.of(schedule.lrDecaySteps()));
    state.put("min_lr", PickleObject.of(schedule.minLr()));
    state.put("start_wd", PickleObject.of(schedule.startWd()));
    state.put("end_wd", PickleObject.of(schedule.endWd()));
    state.put("wd_incr_style", PickleObject.of(schedule.wdIncrStyle().megatronName()));
    state.put("wd_incr_steps", PickleObject.of(schedule.wdIncrSteps()));
    return PyDict.of(state);
  }

  private void writeExtra(TensorInfo tensor, WritableByteChannel out) throws IOException {
    String key = tensor.name();
    if (key.startsWith(STEP_KEY)) {
      ByteBuffer step = ByteBuffer.allocate(Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      out.write(step.putFloat(0, (float) optimizer.step()));
    } else if (key.startsWith(EXP_AVG_KEY)) {
      write(moments(key.substring(EXP_AVG_KEY.length())).expAvg(), out);
    } else if (key.startsWith(EXP_AVG_SQ_KEY)) {
      write(moments(key.substring(EXP_AVG_SQ_KEY.length())).expAvgSq(), out);
    } else {
      out.write(random.content(key));
    }
  }

  private Moments moments(String name) {
    Parameter parameter = model.parameters().find(name);
    if (parameter == null) {
      throw new IllegalStateException("no parameter " + name);
    }
    return optimizer.moments(parameter);
  }

  private void write(DeviceBuffer buffer, WritableByteChannel out) throws IOException {
    ComputeDevice device = model.parameters().device();
    for (long start = 0; start < buffer.elementCount(); start += CHUNK) {
      int count = (int) Math.min(CHUNK, buffer.elementCount() - start);
      out.write(download(device, buffer, start, count));
    }
  }

  /** Elements as little-endian bytes. */
  private static ByteBuffer download(
      ComputeDevice device, DeviceBuffer buffer, long start, int count) {
    float[] values = new float[count];
    device.download(device.slice(buffer, start, count), MemorySegment.ofArray(values));
    ByteBuffer bytes = ByteBuffer.allocate(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes;
  }

  /** The parameters as tensors. */
  private record Weights(LanguageModel model) implements TensorSource {
    @Override
    public List<TensorInfo> tensors() {
      return model.parameters().parameters().stream().map(Weights::info).toList();
    }

    @Override
    public @Nullable TensorInfo find(String name) {
      Parameter parameter = model.parameters().find(name);
      return parameter == null ? null : info(parameter);
    }

    private static TensorInfo info(Parameter parameter) {
      return new TensorInfo(parameter.name(), DataType.F32, parameter.shape());
    }

    @Override
    public void read(String name, long byteOffset, ByteBuffer target) {
      Parameter parameter = model.parameters().find(name);
      if (parameter == null) {
        throw new IllegalArgumentException("no tensor named " + name);
      }
      long first = byteOffset / Float.BYTES;
      int skip = (int) (byteOffset % Float.BYTES);
      int count = Math.ceilDiv(skip + target.remaining(), Float.BYTES);
      ByteBuffer bytes = download(model.parameters().device(), parameter.value(), first, count);
      target.put(bytes.slice(skip, target.remaining()));
    }

    @Override
    public void close() {}
  }
}
