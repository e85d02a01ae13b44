package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint of the {@code torch} format: the model as whole tensors, whatever the
 * parallel sizes it was saved with, and the rest of each rank's file as an object tree.
 *
 * <p>Tensors carry canonical names: Megatron-Core's under the local layer specification, layers
 * numbered through all pipeline stages. Rows that pad the vocabulary are kept. Thread-safe; {@link
 * #close} is idempotent.
 */
public final class MegatronCheckpoint implements AutoCloseable {
  private static final String MODEL = "model";

  private final CheckpointDirectory directory;
  private final TorchFileReader[][] files;
  private final PickleObject.PyDict[][] roots;
  private final Map<String, @Nullable Object> arguments;
  private final Map<String, MergedTensor> tensors = new LinkedHashMap<>();

  private MegatronCheckpoint(
      CheckpointDirectory directory, TorchFileReader[][] files, PickleObject.PyDict[][] roots) {
    this.directory = directory;
    this.files = files;
    this.roots = roots;
    this.arguments = arguments(roots[0][0]);
  }

  /**
   * Opens a checkpoint.
   *
   * @param path the directory that holds {@code latest_checkpointed_iteration.txt}, or one of its
   *     {@code iter_…} or {@code release} children
   */
  public static MegatronCheckpoint open(Path path) throws IOException {
    CheckpointDirectory directory = CheckpointDirectory.find(path);
    List<TorchFileReader> opened = new ArrayList<>();
    try {
      TorchFileReader first = TorchFileReader.open(directory.firstFile());
      opened.add(first);
      Map<String, @Nullable Object> arguments = arguments(root(first, directory.firstFile()));
      ParallelLayout layout = ParallelLayout.of(directory, arguments);
      int pipeline = layout.pipelineModelParallelSize();
      int tensor = layout.tensorModelParallelSize();
      TorchFileReader[][] files = new TorchFileReader[pipeline][tensor];
      PickleObject.PyDict[][] roots = new PickleObject.PyDict[pipeline][tensor];
      for (int p = 0; p < pipeline; p++) {
        for (int t = 0; t < tensor; t++) {
          Path file = layout.file(directory.iterationDirectory(), t, p);
          TorchFileReader reader = p + t == 0 ? first : TorchFileReader.open(file);
          if (p + t > 0) {
            opened.add(reader);
          }
          files[p][t] = reader;
          roots[p][t] = root(reader, file);
          checkIteration(directory, file, roots[p][t]);
        }
      }
      MegatronCheckpoint checkpoint = new MegatronCheckpoint(directory, files, roots);
      checkpoint.merge();
      return checkpoint;
    } catch (IOException | RuntimeException e) {
      for (TorchFileReader reader : opened) {
        try {
          reader.close();
        } catch (IOException suppressed) {
          e.addSuppressed(suppressed);
        }
      }
      throw e;
    }
  }

  private static PickleObject.PyDict root(TorchFileReader reader, Path file) throws IOException {
    if (!(reader.root() instanceof PickleObject.PyDict root)) {
      throw new CorruptCheckpointException(
          file, 0, "content", "a dictionary", reader.root().getClass().getSimpleName());
    }
    PickleObject version = root.get("checkpoint_version");
    double number =
        version instanceof PickleObject.PyFloat decimal
            ? decimal.value()
            : version instanceof PickleObject.PyInt integer ? integer.value().doubleValue() : 0;
    if (number < 2) {
      throw new CorruptCheckpointException(
          file,
          0,
          "checkpoint_version",
          "2 or above (older files order queries, keys and values differently)",
          version == null ? "none" : number);
    }
    if (!(root.get(MODEL) instanceof PickleObject.PyDict)) {
      throw new CorruptCheckpointException(
          file,
          0,
          "content",
          "an entry \"model\"",
          root.get(MODEL + "0") == null
              ? root.stringEntries().keySet()
              : "the chunks of a virtual pipeline, which cannot be read");
    }
    return root;
  }

  /** A release has no iteration of its own: whatever is written there counts as 0. */
  private static void checkIteration(
      CheckpointDirectory directory, Path file, PickleObject.PyDict root)
      throws CorruptCheckpointException {
    if (directory.isRelease()) {
      return;
    }
    OptionalLong named = directory.iteration();
    String expected = named.isPresent() ? Long.toString(named.getAsLong()) : "a whole number";
    PickleObject found = root.get("iteration");
    if (found == null && named.isEmpty()) {
      return;
    }
    if (!(found instanceof PickleObject.PyInt number)
        || number.value().signum() < 0
        || number.value().bitLength() >= Long.SIZE
        || (named.isPresent() && number.longValueExact() != named.getAsLong())) {
      throw new CorruptCheckpointException(
          file,
          0,
          "iteration",
          expected,
          found == null
              ? "none"
              : found instanceof PickleObject.PyInt other
                  ? other.value()
                  : found.getClass().getSimpleName());
    }
  }

  private static Map<String, @Nullable Object> arguments(PickleObject.PyDict root) {
    return root.get("args") instanceof PickleObject.ObjectState args
        ? ArgumentValues.toJava(args.attributes())
        : Map.of();
  }

  private void merge() throws IOException {
    boolean gated = !Boolean.FALSE.equals(arguments.get("swiglu"));
    List<String> problems = new ArrayList<>();
    int layers = 0;
    for (int p = 0; p < files.length; p++) {
      List<Map<String, TensorReference>> ranks = new ArrayList<>();
      for (PickleObject.PyDict root : roots[p]) {
        if (root.get(MODEL) instanceof PickleObject.PyDict model) {
          ranks.add(ParameterNames.read(model, problems));
        }
      }
      layers += mergeStage(p, layers, gated, ranks, problems);
    }
    Object expected = arguments.get("num_layers");
    if (expected instanceof Long number && number != layers) {
      problems.add("args.num_layers is " + number + ", the files hold " + layers + " layers");
    }
    if (!problems.isEmpty()) {
      throw new CorruptCheckpointException(
          directory.iterationDirectory(),
          0,
          "model",
          "the tensors of a dense decoder",
          String.join("; ", problems));
    }
  }

  /** Adds the tensors of one pipeline stage and returns its number of layers. */
  private int mergeStage(
      int stage,
      int firstLayer,
      boolean gated,
      List<Map<String, TensorReference>> ranks,
      List<String> problems) {
    TreeSet<Integer> layers = new TreeSet<>();
    for (Map.Entry<String, TensorReference> entry : ranks.get(0).entrySet()) {
      String local = entry.getKey();
      int layer = ParameterNames.layerOf(local);
      if (layer >= 0) {
        layers.add(layer);
      }
      String name = ParameterNames.shiftLayer(local, firstLayer);
      ShardRule rule = ShardRule.of(name, gated).orElse(null);
      if (rule == null) {
        problems.add("no rule how tensor " + name + " is split");
        continue;
      }
      List<MergedTensor.Shard> shards = new ArrayList<>();
      TensorReference first = entry.getValue();
      for (int t = 0; t < ranks.size(); t++) {
        TensorReference tensor = ranks.get(t).get(local);
        if (tensor == null
            || tensor.type() != first.type()
            || !tensor.shape().equals(first.shape())
            || !rule.fits(tensor.shape())) {
          problems.add(
              "tensor "
                  + name
                  + " is "
                  + first.info(name)
                  + " on tensor rank 0, "
                  + (tensor == null ? "missing" : tensor.info(name))
                  + " on "
                  + t);
          continue;
        }
        TorchFileReader file = files[stage][t];
        shards.add((offset, target) -> file.read(tensor, offset, target));
      }
      TensorInfo info = new TensorInfo(name, first.type(), rule.whole(first.shape(), ranks.size()));
      if (tensors.put(name, new MergedTensor(info, rule, shards)) != null) {
        problems.add("tensor " + name + " is on two pipeline stages");
      }
    }
    for (int t = 1; t < ranks.size(); t++) {
      TreeSet<String> extra = new TreeSet<>(ranks.get(t).keySet());
      extra.removeAll(ranks.get(0).keySet());
      extra.forEach(name -> problems.add("tensor " + name + " is not on tensor rank 0"));
    }
    if (!layers.isEmpty() && (layers.first() != 0 || layers.last() != layers.size() - 1)) {
      problems.add("stage " + stage + " holds the layers " + layers);
    }
    return layers.size();
  }

  /** How it lies on disk. */
  public CheckpointFormat format() {
    return CheckpointFormat.TORCH;
  }

  /**
   * The parallel sizes it was saved with, and the layers of every chunk as they are in the files.
   * One rank and one chunk for a distributed checkpoint, whose files do not depend on them.
   */
  public ParallelLayout layout() {
    return ParallelLayout.of(tensorModelParallelSize(), pipelineModelParallelSize());
  }

  /** Whose names the files have. */
  public LayerSpec layerSpec() {
    throw new UnsupportedOperationException("layer specification");
  }

  /** How the files store experts; null if there are none. */
  public @Nullable ExpertLayout expertLayout() {
    return null;
  }

  /**
   * The state of the optimizer as whole tensors {@code optimizer.state.exp_avg.NAME}, {@code
   * optimizer.state.exp_avg_sq.NAME} and {@code optimizer.state.fp32_param.NAME}; null if there is
   * none. Closing it does not close the checkpoint.
   *
   * @throws CorruptCheckpointException if there is one that cannot be understood
   */
  public @Nullable TensorSource optimizerTensors() throws IOException {
    return null;
  }

  /**
   * What a training run needs beside tensors: {@code param_groups}, {@code opt_param_scheduler},
   * {@code rng_state}, as far as the checkpoint has it.
   */
  public Map<String, PickleObject> commonState() throws IOException {
    return Map.of();
  }

  /** The {@code iter_…} or {@code release} directory. */
  public Path directory() {
    return directory.iterationDirectory();
  }

  /** Whether these are converted weights to start from, and no state of a training run. */
  public boolean isRelease() {
    return directory.isRelease();
  }

  /** The training iteration it was saved after; 0 for a release. */
  public long iteration() {
    return !isRelease() && roots[0][0].get("iteration") instanceof PickleObject.PyInt number
        ? number.longValueExact()
        : 0;
  }

  public int tensorModelParallelSize() {
    return files[0].length;
  }

  public int pipelineModelParallelSize() {
    return files.length;
  }

  /**
   * The attributes of {@code args}: null, Boolean, Long, Double, String, {@link
   * io.github.pretrain4j.checkpoint.DataType}, List, Map, or a {@link PickleObject} for anything
   * else. Empty if the file has none.
   */
  public Map<String, @Nullable Object> arguments() {
    return arguments;
  }

  /** The model. Closing it does not close the checkpoint. */
  public TensorSource fullTensors() {
    return new TensorSource() {
      @Override
      public List<TensorInfo> tensors() {
        return tensors.values().stream().map(MergedTensor::info).toList();
      }

      @Override
      public @Nullable TensorInfo find(String name) {
        MergedTensor tensor = tensors.get(name);
        return tensor == null ? null : tensor.info();
      }

      @Override
      public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
        get(name);
        MergedTensor tensor = tensors.get(name);
        if (tensor != null) {
          tensor.read(byteOffset, target);
        }
      }

      @Override
      public void close() {}
    };
  }

  /**
   * An entry of the file of tensor and pipeline rank 0 beside the model, such as {@code optimizer},
   * {@code opt_param_scheduler} or {@code rng_state}; null if it is not there.
   */
  public @Nullable PickleObject extraState(String key) {
    return rank(0, 0).get(key);
  }

  /** Everything in a rank's file. */
  public PickleObject.PyDict rank(int tensorRank, int pipelineRank) {
    return roots[pipelineRank][tensorRank];
  }

  /**
   * Reads a tensor found in {@link #extraState}: packed bytes from {@code byteOffset} on, as many
   * as fit.
   */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    read(0, 0, tensor, byteOffset, target);
  }

  /** Reads a tensor found in {@link #rank}. */
  public void read(
      int tensorRank, int pipelineRank, TensorReference tensor, long byteOffset, ByteBuffer target)
      throws IOException {
    files[pipelineRank][tensorRank].read(tensor, byteOffset, target);
  }

  /**
   * Tensors that every rank should hold alike and does not: norms that differ between tensor ranks.
   * A sign of a damaged or wrongly merged checkpoint. Reads all of them.
   */
  public List<String> differingReplicas() throws IOException {
    List<String> differing = new ArrayList<>();
    for (MergedTensor tensor : tensors.values()) {
      if (tensor.rule() != ShardRule.REPLICATED) {
        continue;
      }
      byte[] first = bytes(tensor.shards().get(0), tensor.info());
      for (int t = 1; t < tensor.shards().size(); t++) {
        if (!Arrays.equals(first, bytes(tensor.shards().get(t), tensor.info()))) {
          differing.add(tensor.info().name() + " differs between tensor ranks 0 and " + t);
        }
      }
    }
    return differing;
  }

  private static byte[] bytes(MergedTensor.Shard shard, TensorInfo info) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(info.byteCount()));
    shard.read(0, buffer);
    return buffer.array();
  }

  /** Reads every file whole and checks its checksums. */
  public void verify() throws IOException {
    for (TorchFileReader[] stage : files) {
      for (TorchFileReader file : stage) {
        file.verify();
      }
    }
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (TorchFileReader[] stage : files) {
      for (TorchFileReader file : stage) {
        try {
          file.close();
        } catch (IOException e) {
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
