package io.github.pretrain4j.train;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.WeightLoading;
import io.github.pretrain4j.optim.AdamW;
import io.github.pretrain4j.optim.AdamW.Group;
import io.github.pretrain4j.optim.LearningRateDecay;
import io.github.pretrain4j.optim.OptimizerParamScheduler;
import io.github.pretrain4j.optim.ScheduleConfig;
import io.github.pretrain4j.optim.WeightDecayIncrease;
import io.github.pretrain4j.tensor.Parameter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint a run starts from: weights only, or everything it takes to go on.
 *
 * <p>As in Megatron: {@code finetune}, a {@code release} checkpoint and {@code
 * pretrained_checkpoint} give weights; else optimizer, schedule and random state have to be there
 * unless {@code no_load_optim} and {@code no_load_rng} say they are not wanted.
 */
final class CheckpointLoader implements AutoCloseable {
  private static final String TRACKER = "latest_checkpointed_iteration.txt";
  private static final int CHUNK = 1 << 18;

  private final MegatronCheckpoint checkpoint;
  private final CheckpointOptions options;
  private final OptimizerOptions optimizerOptions;
  private final boolean weightsOnly;

  private CheckpointLoader(MegatronCheckpoint checkpoint, TrainConfig config, boolean weightsOnly) {
    this.checkpoint = checkpoint;
    this.options = config.checkpoint();
    this.optimizerOptions = config.optimizer();
    this.weightsOnly = weightsOnly;
  }

  /** Opens what the options name; null when there is nothing to load and they allow that. */
  static @Nullable CheckpointLoader open(TrainConfig config) throws IOException {
    CheckpointOptions options = config.checkpoint();
    Path load = options.load();
    if (load != null && options.ckptStep() != null) {
      Path iteration = load.resolve(String.format(Locale.ROOT, "iter_%07d", options.ckptStep()));
      return open(iteration, config, options.finetune());
    }
    if (load != null && isCheckpoint(load)) {
      return open(load, config, options.finetune());
    }
    refuseUntrackedIterations(options);
    if (options.exitOnMissingCheckpoint()) {
      throw new IllegalArgumentException(
          load + ": there is no checkpoint, and exit_on_missing_checkpoint is given");
    }
    if (options.pretrainedCheckpoint() != null) {
      return open(options.pretrainedCheckpoint(), config, true);
    }
    if (options.finetune()) {
      throw new IllegalArgumentException(
          load + ": there is no checkpoint to take weights from, and finetune is given");
    }
    if (load != null && !options.loadsWhereItSaves()) {
      throw new IllegalArgumentException(
          load
              + ": there is no checkpoint to load (no "
              + TRACKER
              + "); only a load that is also save may be empty at first");
    }
    return null;
  }

  /** The tracker that {@code load} lacks, if a checkpoint was looked for and is not there. */
  static @Nullable Path missing(CheckpointOptions options) throws IOException {
    Path load = options.load();
    return load == null || options.ckptStep() != null || isCheckpoint(load)
        ? null
        : load.resolve(TRACKER);
  }

  /**
   * Iterations without a tracker are a run that lost it: to start over would overwrite them. One of
   * them alone, where the run itself saves, is what a stop during the first save leaves.
   */
  private static void refuseUntrackedIterations(CheckpointOptions options) throws IOException {
    Path load = options.load();
    if (load == null || !Files.isDirectory(load)) {
      return;
    }
    List<String> names = new ArrayList<>();
    try (var children = Files.newDirectoryStream(load, "iter_*")) {
      children.forEach(child -> names.add(String.valueOf(child.getFileName())));
    }
    Collections.sort(names);
    if (names.size() > (options.loadsWhereItSaves() ? 1 : 0)) {
      throw new IllegalArgumentException(
          "%s: has %s but no %s to say which one counts: give ckpt_step, or write the iteration into that file"
              .formatted(load, String.join(", ", names), TRACKER));
    }
  }

  /** Whether there is something that claims to be a checkpoint, however damaged. */
  private static boolean isCheckpoint(Path directory) throws IOException {
    if (Files.exists(directory.resolve(TRACKER))) {
      return true;
    }
    if (!Files.isDirectory(directory)) {
      return false;
    }
    try (var children = Files.newDirectoryStream(directory, "mp_rank_*")) {
      return children.iterator().hasNext();
    }
  }

  private static CheckpointLoader open(Path path, TrainConfig config, boolean weightsOnly)
      throws IOException {
    MegatronCheckpoint checkpoint = MegatronCheckpoint.open(path);
    return new CheckpointLoader(checkpoint, config, weightsOnly || checkpoint.isRelease());
  }

  MegatronCheckpoint checkpoint() {
    return checkpoint;
  }

  Path directory() {
    return checkpoint.directory();
  }

  /** The iteration the run is at after loading. */
  long iteration() {
    return weightsOnly ? 0 : checkpoint.iteration();
  }

  /** Where the run stands after loading. */
  TrainData.Position position() throws IOException {
    return weightsOnly
        ? TrainData.Position.START
        : new TrainData.Position(
            checkpoint.iteration(),
            argument("consumed_train_samples"),
            argument("consumed_valid_samples"),
            ledger());
  }

  /** What the run has consumed; null in a checkpoint of Megatron's, or of a cyclic order. */
  private @Nullable DataLedger ledger() throws IOException {
    PickleObject saved = checkpoint.extraState(CheckpointSaver.LEDGER);
    if (saved == null) {
      return null;
    }
    if (!(saved instanceof PyString json)) {
      throw corrupt(CheckpointSaver.LEDGER, "text", saved.getClass().getSimpleName());
    }
    DataLedger ledger = DataLedger.parse(json.value(), directory());
    DataLedger.Position position = ledger.position();
    long consumed = argument("consumed_train_samples");
    if (position == null
        || position.iteration() != checkpoint.iteration()
        || position.samples() != consumed) {
      throw corrupt(
          CheckpointSaver.LEDGER,
          consumed + " samples in " + checkpoint.iteration() + " iterations",
          position == null ? "no position" : position.samples() + " in " + position.iteration());
    }
    return ledger;
  }

  /** Fills the model. */
  void loadWeights(LanguageModel model) throws IOException {
    WeightLoading.load(model, checkpoint.fullTensors(), directory().toString());
  }

  /**
   * Restores optimizer and schedule, unless only weights are wanted, and tells where the run
   * stands.
   */
  TrainState resume(AdamW optimizer, OptimizerParamScheduler scheduler, ComputeDevice device)
      throws IOException {
    if (weightsOnly) {
      return TrainState.START;
    }
    if (!options.noLoadOptim()) {
      requireOneRank();
      loadOptimizer(optimizer, device);
      scheduler.step(
          integer(
              dictionary(requireState("opt_param_scheduler"), "opt_param_scheduler"), "num_steps"));
    }
    if (!options.noLoadRng()) {
      requireState("rng_state"); // nothing here draws random numbers: see RandomState
    }
    return new TrainState(
        checkpoint.iteration(),
        argument("consumed_train_samples"),
        argument("consumed_valid_samples"),
        operations());
  }

  /**
   * The schedule to go on with: the configured one, after comparing it with the checkpoint's; or
   * the checkpoint's.
   *
   * @throws IllegalArgumentException if they differ and no option says which one counts
   */
  ScheduleConfig schedule(ScheduleConfig configured) throws IOException {
    if (weightsOnly || options.noLoadOptim() || optimizerOptions.overrideOptParamScheduler()) {
      return configured;
    }
    PyDict state = dictionary(requireState("opt_param_scheduler"), "opt_param_scheduler");
    ScheduleConfig saved;
    if (configured.wsdDecaySteps() > integer(state, "lr_decay_steps")) {
      throw new IllegalArgumentException(
          "%s: lr_wsd_decay_iters are %d samples, the checkpoint's whole decay takes %d"
              .formatted(
                  directory(), configured.wsdDecaySteps(), integer(state, "lr_decay_steps")));
    }
    try {
      saved =
          new ScheduleConfig(
              configured.initLr(),
              number(state, "max_lr"),
              number(state, "min_lr"),
              number(state, "lr_warmup_steps"),
              integer(state, "lr_decay_steps"),
              LearningRateDecay.of(text(state, "lr_decay_style")),
              number(state, "start_wd"),
              number(state, "end_wd"),
              integer(state, "wd_incr_steps"),
              WeightDecayIncrease.of(text(state, "wd_incr_style")),
              configured.wsdDecaySteps(),
              configured.lrWsdDecayStyle());
    } catch (IllegalArgumentException e) {
      throw corrupt("opt_param_scheduler", "a possible schedule", e.getMessage());
    }
    if (optimizerOptions.useCheckpointOptParamScheduler() || saved.equals(configured)) {
      return saved;
    }
    throw new IllegalArgumentException(
        directory()
            + ": the schedule of the checkpoint is not the configured one; say with"
            + " override_opt_param_scheduler or use_checkpoint_opt_param_scheduler which one counts. Checkpoint: "
            + saved
            + "; configured: "
            + configured);
  }

  private void requireOneRank() {
    int tensor = checkpoint.tensorModelParallelSize();
    int pipeline = checkpoint.pipelineModelParallelSize();
    if (tensor * pipeline > 1) {
      throw new IllegalArgumentException(
          "%s: the checkpoint was saved over %d x %d ranks, and optimizer state cannot be merged yet: give no_load_optim, or finetune to start anew"
              .formatted(directory(), tensor, pipeline));
    }
  }

  private PickleObject requireState(String key) {
    PickleObject state = checkpoint.extraState(key);
    if (state == null) {
      String option = key.equals("rng_state") ? "no_load_rng" : "no_load_optim";
      throw new IllegalArgumentException(
          "%s: the checkpoint has no %s; give %s to go on without it, or finetune to start from its weights"
              .formatted(directory(), key, option));
    }
    return state;
  }

  private void loadOptimizer(AdamW optimizer, ComputeDevice device) throws IOException {
    PyDict root = dictionary(requireState("optimizer"), "optimizer");
    if (root.get("optimizer") != null) {
      throw new IllegalArgumentException(
          directory()
              + ": the optimizer state is of a 16-bit training (with separate fp32 weights), which cannot be continued"
              + " in fp32 yet: give no_load_optim, or finetune to start anew");
    }
    PyDict state = dictionary(root.get("state"), "optimizer.state");
    List<List<Integer>> indices = groupIndices(root.get("param_groups"), optimizer);
    Set<Long> steps = new TreeSet<>();
    int entries = 0;
    for (int g = 0; g < indices.size(); g++) {
      PickleObject groupStep = groupStep(root, g);
      Group group = optimizer.groups().get(g);
      for (int i = 0; i < group.parameters().size(); i++) {
        Parameter parameter = group.parameters().get(i);
        PickleObject found = state.entries().get(PickleObject.of(indices.get(g).get(i)));
        if (found == null && state.entries().isEmpty()) {
          continue; // saved before the first update
        }
        PyDict entry = dictionary(found, "optimizer state of " + parameter.name());
        entries++;
        PickleObject own = entry.get("step");
        steps.add(step(own == null ? groupStep : own, parameter));
        load(entry, "exp_avg", parameter, optimizer.moments(parameter).expAvg(), device);
        load(entry, "exp_avg_sq", parameter, optimizer.moments(parameter).expAvgSq(), device);
      }
    }
    if (entries != state.entries().size()) {
      throw corrupt("optimizer.state", entries + " entries", state.entries().size());
    }
    if (steps.size() > 1) {
      throw corrupt("optimizer step", "the same for all parameters", steps);
    }
    optimizer.restoreStep(steps.isEmpty() ? 0 : steps.iterator().next());
  }

  /** The fused optimizers of Apex and Transformer Engine count steps per group, not parameter. */
  private static @Nullable PickleObject groupStep(PyDict root, int group) {
    return root.get("param_groups") instanceof PyList groups
            && groups.items().get(group) instanceof PyDict entry
        ? entry.get("step")
        : null;
  }

  private List<List<Integer>> groupIndices(@Nullable PickleObject groups, AdamW optimizer)
      throws IOException {
    List<List<Integer>> result = new ArrayList<>();
    if (groups instanceof PyList list && list.items().size() == optimizer.groups().size()) {
      for (PickleObject item : list.items()) {
        List<Integer> indices = new ArrayList<>();
        if (dictionary(item, "optimizer.param_groups").get("params") instanceof PyList params) {
          for (PickleObject index : params.items()) {
            if (index instanceof PyInt number) {
              indices.add(number.value().intValue());
            }
          }
        }
        int expected = optimizer.groups().get(result.size()).parameters().size();
        if (indices.size() != expected) {
          throw corrupt(
              "optimizer.param_groups[" + result.size() + "].params",
              expected + " indices",
              indices.size());
        }
        result.add(indices);
      }
      return result;
    }
    throw corrupt(
        "optimizer.param_groups",
        optimizer.groups().size() + " groups",
        groups == null ? "none" : "other");
  }

  private long step(@Nullable PickleObject value, Parameter parameter) throws IOException {
    String what = "optimizer step of " + parameter.name();
    if (!(value instanceof TensorReference tensor)) {
      return whole(number(value, what), what);
    }
    boolean single = tensor.type() == DataType.F32;
    boolean integer = tensor.type() == DataType.I32 || tensor.type() == DataType.I64;
    if (tensor.elementCount() != 1 || !(single || integer)) {
      throw corrupt(what, "one number", tensor.type() + " " + tensor.shape());
    }
    ByteBuffer bytes = ByteBuffer.allocate(tensor.type().bytes()).order(ByteOrder.LITTLE_ENDIAN);
    checkpoint.read(tensor, 0, bytes);
    if (single) {
      return whole(bytes.getFloat(0), what);
    }
    return tensor.type() == DataType.I32 ? bytes.getInt(0) : bytes.getLong(0);
  }

  private void load(
      PyDict entry, String key, Parameter parameter, DeviceBuffer target, ComputeDevice device)
      throws IOException {
    String what = "optimizer state " + key + " of " + parameter.name();
    if (!(entry.get(key) instanceof TensorReference tensor)) {
      throw corrupt(what, "a tensor", "nothing");
    }
    if (tensor.type() != DataType.F32 || !tensor.shape().equals(parameter.shape())) {
      throw corrupt(what, "F32 " + parameter.shape(), tensor.type() + " " + tensor.shape());
    }
    long count = parameter.elementCount();
    for (long start = 0; start < count; start += CHUNK) {
      float[] values = new float[(int) Math.min(CHUNK, count - start)];
      ByteBuffer bytes =
          ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      checkpoint.read(tensor, start * Float.BYTES, bytes);
      bytes.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      device.upload(MemorySegment.ofArray(values), device.slice(target, start, values.length));
    }
  }

  private double operations() throws IOException {
    PickleObject value = checkpoint.extraState("num_floating_point_operations_so_far");
    return value == null ? 0 : number(value, "num_floating_point_operations_so_far");
  }

  private long argument(String name) {
    return checkpoint.arguments().get(name) instanceof Long value ? value : 0;
  }

  private PyDict dictionary(@Nullable PickleObject value, String what) throws IOException {
    if (value instanceof PyDict dict) {
      return dict;
    }
    throw corrupt(
        what, "a dictionary", value == null ? "nothing" : value.getClass().getSimpleName());
  }

  private long integer(PyDict dict, String key) throws IOException {
    return whole(number(dict, key), key);
  }

  private long whole(double value, String key) throws IOException {
    if (value != Math.rint(value) || Math.abs(value) > 1L << 53) {
      throw corrupt(key, "a whole number", value);
    }
    return (long) value;
  }

  private double number(PyDict dict, String key) throws IOException {
    return number(dict.get(key), key);
  }

  private double number(@Nullable PickleObject value, String what) throws IOException {
    if (value instanceof PyInt integer) {
      return integer.value().doubleValue();
    }
    if (value instanceof PyFloat decimal) {
      return decimal.value();
    }
    throw corrupt(what, "a number", value == null ? "nothing" : value.getClass().getSimpleName());
  }

  private String text(PyDict dict, String key) throws IOException {
    if (dict.get(key) instanceof PyString string) {
      return string.value();
    }
    throw corrupt(key, "text", "something else");
  }

  private CorruptCheckpointException corrupt(String what, Object expected, @Nullable Object found) {
    return new CorruptCheckpointException(
        directory().resolve("mp_rank_00").resolve("model_optim_rng.pt"),
        0,
        what,
        expected,
        String.valueOf(found));
  }

  @Override
  public void close() throws IOException {
    checkpoint.close();
  }
}
