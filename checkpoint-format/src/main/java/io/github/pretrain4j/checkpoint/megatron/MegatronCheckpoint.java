package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint: the model as whole tensors, whatever the format, the parallel sizes and
 * the modules it was saved with, and the rest as an object tree.
 *
 * <p>Tensors carry canonical names: Megatron-Core's under the local layer specification with a
 * module for each expert, layers and experts numbered through the model. Rows that pad the
 * vocabulary are kept. Thread-safe; {@link #close} is idempotent.
 */
public final class MegatronCheckpoint implements AutoCloseable {
  private final CheckpointDirectory directory;
  private final @Nullable TorchDistCheckpoint distributed;
  private final Map<Rank, TorchFileReader> files;
  private final Map<Rank, PickleObject.PyDict> roots;
  private final Map<String, @Nullable Object> arguments;
  private final ParallelLayout layout;
  private final LayerSpec layerSpec;
  private final @Nullable ExpertLayout expertLayout;
  private final Map<String, MergedTensor> tensors;
  private final List<MergedTensor.Replica> copies = new ArrayList<>();

  /** Read when it is asked for. */
  private @Nullable StoredOptimizer optimizer;

  /** One that is distributed. */
  private MegatronCheckpoint(CheckpointDirectory directory, TorchDistCheckpoint distributed) {
    this.directory = directory;
    this.distributed = distributed;
    this.files = Map.of();
    this.roots = Map.of();
    this.arguments = distributed.arguments();
    this.layout = ParallelLayout.of(1, 1);
    this.layerSpec =
        LayerSpec.LOCAL.argument().equals(arguments.get("transformer_impl"))
            ? LayerSpec.LOCAL
            : LayerSpec.TRANSFORMER_ENGINE;
    this.expertLayout =
        arguments.get("num_experts") == null
            ? null
            : Boolean.TRUE.equals(arguments.get("moe_grouped_gemm"))
                ? ExpertLayout.GROUPED
                : ExpertLayout.SEQUENTIAL;
    this.tensors = Map.of();
  }

  /** One with a file for each rank. */
  private MegatronCheckpoint(
      CheckpointDirectory directory,
      ParallelLayout sizes,
      Map<Rank, TorchFileReader> files,
      Map<Rank, PickleObject.PyDict> roots)
      throws CorruptCheckpointException {
    this.directory = directory;
    this.distributed = null;
    this.files = files;
    this.roots = roots;
    this.arguments = arguments(roots.values().iterator().next());
    Map<Rank, List<PickleObject.PyDict>> chunks = new TreeMap<>();
    roots.forEach((rank, root) -> chunks.put(rank, StoredModel.chunks(root)));
    List<String> problems = new ArrayList<>();
    Map<Rank, ReferenceReader> readers = new TreeMap<>();
    files.forEach((rank, file) -> readers.put(rank, file::read));
    StoredModel model = new StoredModel(sizes, readers, chunks, arguments, problems);
    this.layout = model.layout();
    this.layerSpec = model.layerSpec();
    this.expertLayout = model.expertLayout();
    this.tensors = model.tensors();
    copies.addAll(TiedCopy.setAside(tensors, arguments));
    Object expected = arguments.get("num_layers");
    if (expected instanceof Long number && number != model.layers()) {
      problems.add(
          "args.num_layers is " + number + ", the files hold " + model.layers() + " layers");
    }
    if (!problems.isEmpty()) {
      throw new CorruptCheckpointException(
          directory.iterationDirectory(),
          0,
          "model",
          "the tensors of a decoder",
          String.join("; ", new LinkedHashSet<>(problems)));
    }
  }

  /**
   * Opens a checkpoint.
   *
   * @param path the directory that holds {@code latest_checkpointed_iteration.txt}, or one of its
   *     {@code iter_…} or {@code release} children
   * @throws CorruptCheckpointException if it is damaged or incomplete, or holds tensors that have
   *     no canonical name; all of them are listed
   */
  public static MegatronCheckpoint open(Path path) throws IOException {
    CheckpointDirectory directory = CheckpointDirectory.find(path);
    if (directory.format() == CheckpointFormat.TORCH_DIST) {
      return new MegatronCheckpoint(
          directory, TorchDistCheckpoint.open(directory.iterationDirectory()));
    }
    List<TorchFileReader> opened = new ArrayList<>();
    try {
      TorchFileReader first = TorchFileReader.open(directory.firstFile());
      opened.add(first);
      PickleObject.PyDict firstRoot = root(first, directory.firstFile());
      Map<String, @Nullable Object> arguments = arguments(firstRoot);
      ParallelLayout sizes = ParallelLayout.of(directory, arguments, isWholeStage(firstRoot));
      if (sizes.expertModelParallelSize() > 1
          && Boolean.TRUE.equals(arguments.get("moe_extended_tp"))) {
        throw new CorruptCheckpointException(
            directory.firstFile(),
            0,
            "args.moe_extended_tp",
            "false (matrices of experts split over expert ranks too cannot be read)",
            true);
      }
      Map<Rank, TorchFileReader> files = new TreeMap<>();
      Map<Rank, PickleObject.PyDict> roots = new TreeMap<>();
      for (String name : directory.ranks()) {
        Rank rank = sizes.rankOf(name);
        Path file = sizes.file(directory.iterationDirectory(), rank);
        TorchFileReader reader =
            file.equals(directory.firstFile()) ? first : TorchFileReader.open(file);
        if (reader != first) {
          opened.add(reader);
        }
        files.put(rank, reader);
        PickleObject.PyDict root = root(reader, file);
        checkIteration(directory, file, root);
        roots.put(rank, root);
      }
      return new MegatronCheckpoint(directory, sizes, files, roots);
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
    if (StoredModel.chunks(root).isEmpty()) {
      throw new CorruptCheckpointException(
          file,
          0,
          "content",
          "an entry \"model\", or \"model0\" and so on",
          root.stringEntries().keySet());
    }
    return root;
  }

  /** Whether one file holds the model from its embedding to its last norm. */
  private static boolean isWholeStage(PickleObject.PyDict root) {
    boolean first = false;
    boolean last = false;
    for (PickleObject.PyDict chunk : StoredModel.chunks(root)) {
      for (String key : chunk.stringEntries().keySet()) {
        first |= key.startsWith("embedding.");
        last |= key.startsWith("decoder.final_layernorm.");
      }
    }
    return first && last;
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

  /** How it lies on disk. */
  public CheckpointFormat format() {
    return directory.format();
  }

  /**
   * The parallel sizes it was saved with, and the layers of every chunk as they are in the files.
   * One rank and one chunk for a distributed checkpoint, whose files do not depend on them.
   */
  public ParallelLayout layout() {
    return layout;
  }

  /** Whose names the files have; a distributed checkpoint says so only in {@code args}. */
  public LayerSpec layerSpec() {
    return layerSpec;
  }

  /** How the files store experts; null if there are none. */
  public @Nullable ExpertLayout expertLayout() {
    return expertLayout;
  }

  /**
   * The state of the optimizer as whole tensors {@code optimizer.state.exp_avg.NAME}, {@code
   * optimizer.state.exp_avg_sq.NAME} and {@code optimizer.state.fp32_param.NAME}; null if there is
   * none. Closing it does not close the checkpoint.
   *
   * @throws CorruptCheckpointException if there is one that cannot be understood
   */
  public @Nullable TensorSource optimizerTensors() throws IOException {
    if (distributed != null) {
      return distributed.optimizerTensors();
    }
    StoredOptimizer state = optimizer();
    return state.settings() == null ? null : new MergedTensorSource(state.tensors());
  }

  private synchronized StoredOptimizer optimizer() throws IOException {
    if (optimizer == null) {
      optimizer = StoredOptimizer.read(directory, layout, files, roots, arguments);
    }
    return optimizer;
  }

  /**
   * What a training run needs beside tensors of parameters' shapes, without any tensor: {@code
   * optimizer} (an {@link OptimizerSettings}), {@code opt_param_scheduler}, {@code rng_state}, …,
   * as far as the checkpoint has it.
   *
   * @throws CorruptCheckpointException if there is an optimizer that cannot be understood
   */
  public Map<String, PickleObject> commonState() throws IOException {
    if (distributed != null) {
      return TrainingState.of(distributed);
    }
    List<TrainingState.Rank> ranks = new ArrayList<>();
    files.forEach((rank, file) -> ranks.add(new TrainingState.Rank(layout.rankName(rank), file)));
    return TrainingState.of(ranks, optimizer().settings());
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
    if (isRelease()) {
      return 0;
    }
    return extraState("iteration") instanceof PickleObject.PyInt number
            && number.value().bitLength() < Long.SIZE
        ? number.longValueExact()
        : directory.iteration().orElse(0);
  }

  /** {@link ParallelLayout#tensorModelParallelSize} of {@link #layout}. */
  public int tensorModelParallelSize() {
    return layout.tensorModelParallelSize();
  }

  /** {@link ParallelLayout#pipelineModelParallelSize} of {@link #layout}. */
  public int pipelineModelParallelSize() {
    return layout.pipelineModelParallelSize();
  }

  /**
   * The attributes of {@code args}: null, Boolean, Long, Double, String, {@link
   * io.github.pretrain4j.checkpoint.DataType}, List, Map, or a {@link PickleObject} for anything
   * else. Empty if the file has none.
   */
  public Map<String, @Nullable Object> arguments() {
    return arguments;
  }

  /**
   * The model; no {@code output_layer.weight} if {@code args} say that it is the embedding. Closing
   * it does not close the checkpoint.
   */
  public TensorSource fullTensors() {
    return distributed == null ? new MergedTensorSource(tensors) : distributed.fullTensors();
  }

  /**
   * The files of the {@code torch} format that hold any of some rows of a whole tensor, in order of
   * ranks, relative to {@link #directory}; empty for a distributed checkpoint.
   *
   * @throws IllegalArgumentException if there is no such tensor
   */
  public List<String> filesOf(String name, long firstRow, long rowCount) {
    if (distributed != null) {
      return List.of();
    }
    MergedTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    return tensor.placesOf(firstRow, rowCount).stream()
        .map(place -> place + "/" + CheckpointDirectory.FILE)
        .toList();
  }

  /**
   * An entry beside the model, such as {@code optimizer}, {@code opt_param_scheduler} or {@code
   * rng_state}: of the file of tensor and pipeline rank 0, or what a distributed checkpoint does
   * not shard; null if it is not there.
   */
  public @Nullable PickleObject extraState(String key) {
    return distributed == null
        ? roots.values().iterator().next().get(key)
        : distributed.commonState().get(key);
  }

  /**
   * Everything in a rank's file.
   *
   * @throws IllegalArgumentException if there is no such rank, as in a distributed checkpoint
   */
  public PickleObject.PyDict rank(int tensorRank, int pipelineRank) {
    return rank(tensorRank, pipelineRank, 0);
  }

  /**
   * Everything in a rank's file.
   *
   * @throws IllegalArgumentException if there is no such rank, as in a distributed checkpoint
   */
  public PickleObject.PyDict rank(int tensorRank, int pipelineRank, int expertRank) {
    PickleObject.PyDict root = roots.get(new Rank(tensorRank, pipelineRank, expertRank));
    if (root == null) {
      throw new IllegalArgumentException(
          "no rank " + tensorRank + ", " + pipelineRank + ", " + expertRank + " in " + layout);
    }
    return root;
  }

  /**
   * Reads a tensor found in {@link #extraState}: packed bytes from {@code byteOffset} on, as many
   * as fit.
   */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    if (distributed == null) {
      files.values().iterator().next().read(tensor, byteOffset, target);
    } else {
      distributed.read(tensor, byteOffset, target);
    }
  }

  /** Reads a tensor found in {@link #rank(int, int)}. */
  public void read(
      int tensorRank, int pipelineRank, TensorReference tensor, long byteOffset, ByteBuffer target)
      throws IOException {
    TorchFileReader file = files.get(new Rank(tensorRank, pipelineRank, 0));
    if (file == null) {
      throw new IllegalArgumentException("no rank " + tensorRank + ", " + pipelineRank);
    }
    file.read(tensor, byteOffset, target);
  }

  /**
   * Tensors that several files should hold alike and do not: norms that differ between tensor
   * ranks, anything but experts between expert ranks, the last stage's copy of a tied embedding. A
   * sign of a damaged or wrongly merged checkpoint. Reads all of them.
   */
  public List<String> differingReplicas() throws IOException {
    List<MergedTensor.Replica> replicas = new ArrayList<>();
    tensors.values().forEach(tensor -> replicas.addAll(tensor.replicas()));
    replicas.addAll(copies);
    List<String> differing = new ArrayList<>();
    for (MergedTensor.Replica replica : replicas) {
      String difference = replica.difference();
      if (difference != null) {
        differing.add(difference);
      }
    }
    return differing;
  }

  /** Reads every file whole and checks its checksums. */
  public void verify() throws IOException {
    if (distributed != null) {
      distributed.verify();
    }
    for (TorchFileReader file : files.values()) {
      file.verify();
    }
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (TorchFileReader file : files.values()) {
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
    synchronized (this) {
      if (optimizer != null) {
        optimizer.close();
      }
    }
    if (distributed != null) {
      distributed.close();
    }
    if (failure != null) {
      throw failure;
    }
  }
}
