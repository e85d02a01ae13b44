package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Writes a checkpoint that Megatron-LM loads (core 0.6 and later), splitting whole tensors over the
 * ranks.
 *
 * <p>The iteration's directory is written under another name and renamed when it is complete; the
 * tracker follows, so that a reader sees the whole new checkpoint or the one before. Tensor data
 * passes through one buffer at a time. Configure, then {@link #write} once; not thread-safe.
 */
public final class MegatronCheckpointWriter {
  /** Storages of the model are called this and the tensor's name. */
  private static final String MODEL_KEY = "model/";

  private static final Pattern PARTIAL = Pattern.compile("\\.(iter_\\d+|release)\\.partial");

  private final Path root;
  private long iteration = 1;
  private boolean release;
  private ParallelLayout layout = ParallelLayout.of(1, 1);
  private LayerSpec layerSpec = LayerSpec.TRANSFORMER_ENGINE;
  private CheckpointFormat format = CheckpointFormat.TORCH;
  private ExpertLayout expertLayout = ExpertLayout.SEQUENTIAL;
  private Map<String, ? extends @Nullable Object> arguments = Map.of();
  private Map<String, PickleObject> extraState = Map.of();
  private TensorContent extraContent =
      (tensor, out) -> {
        throw new IllegalStateException("no content given for " + tensor.name());
      };

  private LongConsumer progress = bytes -> {};
  private long bytesWritten;

  private MegatronCheckpointWriter(Path root) {
    this.root = root;
  }

  /** A writer of a checkpoint in {@code root}, beside the iterations that are there already. */
  public static MegatronCheckpointWriter create(Path root) {
    return new MegatronCheckpointWriter(root);
  }

  /** The training iteration; 1 is what converted checkpoints carry, and the default. */
  public MegatronCheckpointWriter iteration(long value) {
    if (value < 0) {
      throw new IllegalArgumentException("iteration " + value + " is negative");
    }
    this.iteration = value;
    this.release = false;
    return this;
  }

  /** Weights to start a run from, in the directory {@code release}. */
  public MegatronCheckpointWriter release() {
    this.iteration = 0;
    this.release = true;
    return this;
  }

  /** Over how many ranks to split; 1 and 1 by default. */
  public MegatronCheckpointWriter parallel(
      int tensorModelParallelSize, int pipelineModelParallelSize) {
    this.layout = ParallelLayout.of(tensorModelParallelSize, pipelineModelParallelSize);
    return this;
  }

  /** Over how many ranks to split, and which layers each pipeline chunk gets. */
  public MegatronCheckpointWriter layout(ParallelLayout value) {
    this.layout = value;
    return this;
  }

  /** What to write; {@link CheckpointFormat#TORCH} by default. */
  public MegatronCheckpointWriter format(CheckpointFormat value) {
    this.format = value;
    return this;
  }

  /** How to store experts; {@link ExpertLayout#SEQUENTIAL} by default. */
  public MegatronCheckpointWriter expertLayout(ExpertLayout value) {
    this.expertLayout = value;
    return this;
  }

  /**
   * The state of the optimizer, written as Megatron without its distributed optimizer saves it.
   *
   * @param tensors whole tensors {@code optimizer.state.exp_avg.NAME}, {@code
   *     optimizer.state.exp_avg_sq.NAME} and {@code optimizer.state.fp32_param.NAME}, shaped as the
   *     model's
   * @param commonState what belongs to no tensor, as {@link MegatronCheckpoint#commonState} gives
   *     it: parameter groups, scheduler, generators
   */
  public MegatronCheckpointWriter optimizer(
      TensorSource tensors, Map<String, ? extends PickleObject> commonState) {
    throw new UnsupportedOperationException("optimizer state");
  }

  /** Whose names to write; Transformer Engine's by default. */
  public MegatronCheckpointWriter layerSpec(LayerSpec value) {
    this.layerSpec = value;
    return this;
  }

  /**
   * Attributes of {@code args}, of the Java types that {@link MegatronCheckpoint#arguments} gives.
   * What the layout decides (parallel sizes, types, padded vocabulary, iteration) is filled in by
   * the writer.
   */
  public MegatronCheckpointWriter arguments(Map<String, ? extends @Nullable Object> values) {
    this.arguments = new LinkedHashMap<>(values);
    return this;
  }

  /**
   * More entries for the file: {@code optimizer}, {@code opt_param_scheduler}, {@code rng_state}.
   * Only for one rank.
   *
   * @param content supplies the data of the storages in {@code entries}, by key; no key may start
   *     with {@code model/}
   */
  public MegatronCheckpointWriter extraState(
      Map<String, ? extends PickleObject> entries, TensorContent content) {
    for (String reserved : List.of("args", "checkpoint_version", "iteration", "model")) {
      if (entries.containsKey(reserved)) {
        throw new IllegalArgumentException("the writer itself makes the entry " + reserved);
      }
    }
    this.extraState = new LinkedHashMap<>(entries);
    this.extraContent = content;
    return this;
  }

  /** Told the number of bytes of tensors written so far, now and then. */
  public MegatronCheckpointWriter onProgress(LongConsumer listener) {
    this.progress = listener;
    return this;
  }

  /**
   * Writes the checkpoint.
   *
   * @param model whole tensors under canonical names, in Megatron's order; the vocabulary already
   *     padded. Without {@code output_layer.weight} the embedding is tied, and the last of several
   *     pipeline stages gets a copy
   * @return the directory of the iteration
   * @throws IllegalArgumentException if a tensor does not split evenly; the message lists them all
   * @throws FileAlreadyExistsException if the checkpoint to be replaced is the latest and cannot be
   *     replaced in one step
   */
  public Path write(TensorSource model) throws IOException {
    if (!extraState.isEmpty()
        && layout.tensorModelParallelSize() * layout.pipelineModelParallelSize() > 1) {
      throw new IllegalArgumentException("extra state can be written for one rank only");
    }
    List<Map<String, String>> stages = stages(model);
    Files.createDirectories(root);
    String name = release ? CheckpointDirectory.RELEASE : CheckpointDirectory.childName(iteration);
    Path complete = root.resolve(name);
    Path partial = root.resolve("." + name + ".partial");
    deleteStalePartials();
    try {
      for (int p = 0; p < stages.size(); p++) {
        for (int t = 0; t < layout.tensorModelParallelSize(); t++) {
          Path rank = partial.resolve(layout.rankName(t, p));
          Files.createDirectories(rank);
          writeRank(rank.resolve(CheckpointDirectory.FILE), model, stages.get(p), t);
          DurableFiles.flushDirectory(rank);
        }
      }
      DurableFiles.flushDirectory(partial);
      publish(partial, complete);
    } finally {
      deleteTree(partial);
    }
    writeTracker();
    return complete;
  }

  /**
   * Everything that is wrong with writing {@code model} as configured, before anything is written;
   * empty if nothing is.
   */
  public List<String> problems(TensorSource model) {
    if (format != CheckpointFormat.TORCH || expertLayout != ExpertLayout.SEQUENTIAL) {
      return List.of("format " + format.argument() + " with experts " + expertLayout);
    }
    try {
      stages(model);
      return List.of();
    } catch (IllegalArgumentException e) {
      return List.of(String.valueOf(e.getMessage()));
    }
  }

  /**
   * For each pipeline stage its tensors: the name in the file (layers from 0) and the whole
   * tensor's name.
   */
  private List<Map<String, String>> stages(TensorSource model) {
    List<String> problems = new ArrayList<>();
    int layers = 0;
    for (TensorInfo info : model.tensors()) {
      layers = Math.max(layers, ParameterNames.layerOf(info.name()) + 1);
      ShardRule rule = ShardRule.of(info.name(), gated()).orElse(null);
      if (rule == null) {
        problems.add("no rule how tensor " + info.name() + " is split");
      } else if (!rule.splits(info.shape(), layout.tensorModelParallelSize())) {
        problems.add(
            "tensor "
                + info.name()
                + " "
                + info.shape()
                + " does not split over "
                + layout.tensorModelParallelSize()
                + " tensor ranks");
      }
    }
    int pipeline = layout.pipelineModelParallelSize();
    if (layers == 0 || layers % pipeline != 0) {
      problems.add(layers + " layers do not split over " + pipeline + " pipeline stages");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", problems));
    }
    int perStage = layers / pipeline;
    List<Map<String, String>> stages = new ArrayList<>();
    for (int p = 0; p < pipeline; p++) {
      Map<String, String> names = new LinkedHashMap<>();
      for (TensorInfo info : model.tensors()) {
        String name = info.name();
        int layer = ParameterNames.layerOf(name);
        boolean here =
            layer >= 0
                ? layer / perStage == p
                : name.startsWith("embedding.") ? p == 0 : p == pipeline - 1;
        if (here) {
          names.put(layer < 0 ? name : ParameterNames.shiftLayer(name, -p * perStage), name);
        }
      }
      if (pipeline > 1 && p == pipeline - 1) {
        names.putIfAbsent("output_layer.weight", "embedding.word_embeddings.weight");
      }
      stages.add(names);
    }
    return stages;
  }

  private boolean gated() {
    return !Boolean.FALSE.equals(arguments.get("swiglu"));
  }

  private void writeRank(Path file, TensorSource model, Map<String, String> stage, int tensorRank)
      throws IOException {
    Map<String, ShardRule> rules = new LinkedHashMap<>();
    for (String whole : stage.values()) {
      rules.put(whole, ShardRule.of(whole, gated()).orElseThrow());
    }
    TensorSource shards =
        new ShardTensorSource(model, rules, tensorRank, layout.tensorModelParallelSize());
    Map<String, String> wholeByKey = new LinkedHashMap<>();
    Map<String, PickleObject> tensors = new LinkedHashMap<>();
    for (ParameterNames.Key key : ParameterNames.keys(List.copyOf(stage.keySet()), layerSpec)) {
      String whole = stage.get(key.canonical());
      if (whole == null) {
        tensors.put(key.written(), PickleObject.none());
      } else {
        TensorInfo info = shards.get(whole);
        String storage = MODEL_KEY + key.written();
        wholeByKey.put(storage, whole);
        tensors.put(key.written(), TensorReference.contiguous(storage, info.type(), info.shape()));
      }
    }
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    entries.put(
        "args",
        PickleObject.ObjectState.namespace(ArgumentValues.toPickle(completeArguments(model))));
    entries.put("checkpoint_version", PickleObject.of(3.0));
    entries.put("iteration", PickleObject.of(iteration));
    entries.put("model", PickleObject.PyDict.ordered(tensors));
    entries.putAll(extraState);
    TensorContent modelContent = TensorContent.copyOf(shards);
    TorchFileWriter.write(
        file,
        PickleObject.PyDict.of(entries),
        (tensor, out) -> {
          String whole = wholeByKey.get(tensor.name());
          if (whole == null) {
            extraContent.write(tensor, out);
          } else {
            modelContent.write(tensor.withName(whole), out);
          }
          bytesWritten += tensor.byteCount();
          progress.accept(bytesWritten);
        });
  }

  /**
   * The caller's attributes, those that the layout decides, and defaults for what Megatron's tools
   * insist on.
   */
  private Map<String, @Nullable Object> completeArguments(TensorSource model) {
    TensorInfo embedding = model.find("embedding.word_embeddings.weight");
    DataType type = embedding == null ? DataType.F32 : embedding.type();
    Map<String, @Nullable Object> args = new LinkedHashMap<>(arguments);
    int tensor = layout.tensorModelParallelSize();
    int pipeline = layout.pipelineModelParallelSize();
    args.put("tensor_model_parallel_size", tensor);
    args.put("pipeline_model_parallel_size", pipeline);
    args.put("world_size", tensor * pipeline);
    args.put("params_dtype", type);
    args.put("bf16", type == DataType.BF16);
    args.put("fp16", type == DataType.F16);
    args.put("transformer_impl", layerSpec.argument());
    args.put("iteration", iteration);
    if (embedding != null) {
      args.put("padded_vocab_size", embedding.shape().get(0));
    }
    putDefaults(args);
    if (args.get("max_position_embeddings") != null) {
      args.putIfAbsent("seq_length", args.get("max_position_embeddings"));
      args.putIfAbsent("encoder_seq_length", args.get("seq_length"));
    }
    args.putIfAbsent("no_save_optim", !extraState.containsKey("optimizer"));
    args.putIfAbsent("no_save_rng", !extraState.containsKey("rng_state"));
    return args;
  }

  /** In a fixed order, so that equal models make equal files. */
  private static void putDefaults(Map<String, @Nullable Object> args) {
    args.putIfAbsent("make_vocab_size_divisible_by", 128L);
    args.putIfAbsent("add_position_embedding", false);
    args.putIfAbsent("data_parallel_size", 1L);
    args.putIfAbsent("context_parallel_size", 1L);
    args.putIfAbsent("expert_model_parallel_size", 1L);
    args.putIfAbsent("sequence_parallel", false);
    args.putIfAbsent("attention_dropout", 0.0);
    args.putIfAbsent("hidden_dropout", 0.0);
    args.putIfAbsent("use_mcore_models", true);
    args.putIfAbsent("consumed_train_samples", 0L);
    args.putIfAbsent("consumed_valid_samples", 0L);
    args.putIfAbsent("skipped_train_samples", 0L);
    args.putIfAbsent("ckpt_format", "torch");
    args.putIfAbsent("use_dist_ckpt", false);
    args.putIfAbsent("tokenizer_type", "Llama2Tokenizer");
    args.putIfAbsent("bert_binary_head", true);
    args.putIfAbsent("tokenizer_model", null);
    args.putIfAbsent("virtual_pipeline_model_parallel_size", null);
    args.putIfAbsent("num_layers_per_virtual_pipeline_stage", null);
  }

  private void publish(Path partial, Path complete) throws IOException {
    if (Files.isDirectory(complete)) {
      Path tracker = root.resolve(CheckpointDirectory.TRACKER);
      boolean latest =
          Files.exists(tracker)
              && CheckpointDirectory.childName(tracker).equals(complete.getFileName().toString());
      if (latest) {
        replaceSingleFile(partial, complete);
        return;
      }
      deleteTree(complete);
    }
    Files.move(partial, complete, StandardCopyOption.ATOMIC_MOVE);
    DurableFiles.flushDirectory(root);
  }

  /** A checkpoint of one file can be replaced in one step even while the tracker names it. */
  private void replaceSingleFile(Path partial, Path complete) throws IOException {
    Path file = layout.file(complete, 0, 0);
    List<Path> files;
    try (Stream<Path> tree = Files.walk(complete)) {
      files = tree.filter(Files::isRegularFile).toList();
    }
    if (!files.equals(List.of(file))
        || layout.tensorModelParallelSize() * layout.pipelineModelParallelSize() > 1) {
      throw new FileAlreadyExistsException(complete.toString());
    }
    Files.move(
        layout.file(partial, 0, 0),
        file,
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    DurableFiles.flushDirectory(complete.resolve(layout.rankName(0, 0)));
  }

  private void writeTracker() throws IOException {
    Path tracker = root.resolve(CheckpointDirectory.TRACKER);
    String text = release ? CheckpointDirectory.RELEASE : Long.toString(iteration);
    DurableFiles.write(tracker, StandardCharsets.US_ASCII.encode(text));
  }

  /** What writers that were killed left behind. */
  private void deleteStalePartials() throws IOException {
    List<Path> stale;
    try (Stream<Path> children = Files.list(root)) {
      stale =
          children
              .filter(child -> PARTIAL.matcher(child.getFileName().toString()).matches())
              .toList();
    }
    for (Path child : stale) {
      deleteTree(child);
    }
  }

  private static void deleteTree(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(directory)) {
      paths = tree.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : paths) {
      Files.delete(path);
    }
  }
}
