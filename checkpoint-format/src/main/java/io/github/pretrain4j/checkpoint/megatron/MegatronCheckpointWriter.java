package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.PlannedFiles;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFile;
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
import java.util.Set;
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

  /** What Megatron calls the layer inside a multi-token prediction: core 0.12 to 0.18, later. */
  private static final Set<String> PREDICTION_MODULES =
      Set.of("transformer_layer", "mtp_model_layer");

  /** Attributes that describe an uneven split of layers. */
  private static final List<String> UNEVEN =
      List.of(
          "decoder_first_pipeline_num_layers",
          "decoder_last_pipeline_num_layers",
          "pipeline_model_parallel_layout",
          "account_for_embedding_in_pipeline_split",
          "account_for_loss_in_pipeline_split");

  private static final Pattern PARTIAL = Pattern.compile("\\.(iter_\\d+|release)\\.partial");

  private static final Rank FIRST = new Rank(0, 0, 0);

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
  private @Nullable TensorSource optimizerTensors;
  private Map<String, PickleObject> commonState = Map.of();
  private int workers = 1;
  private String predictionModule = "transformer_layer";

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

  /**
   * What the files call the layer inside a multi-token prediction: {@code transformer_layer}, the
   * default, for Megatron core 0.12 to 0.18; {@code mtp_model_layer} from 0.19 on.
   */
  public MegatronCheckpointWriter predictionModule(String value) {
    if (!PREDICTION_MODULES.contains(value)) {
      throw new IllegalArgumentException(value + " is none of " + PREDICTION_MODULES);
    }
    this.predictionModule = value;
    return this;
  }

  /** How many threads {@link #write} fills files with; 1, the caller's, by default. */
  public MegatronCheckpointWriter workers(int value) {
    this.workers = value;
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
   * @param state what belongs to no tensor, as {@link MegatronCheckpoint#commonState} gives it.
   *     Random states are kept only if the ranks are those that they are of
   */
  public MegatronCheckpointWriter optimizer(
      TensorSource tensors, Map<String, ? extends PickleObject> state) {
    this.optimizerTensors = tensors;
    this.commonState = new LinkedHashMap<>(state);
    return this;
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
   * @param model whole tensors under canonical names; the vocabulary already padded. Without {@code
   *     output_layer.weight} the embedding is tied, and the last of several pipeline stages gets a
   *     copy
   * @return the directory of the iteration
   * @throws IllegalArgumentException if there are {@link #problems}; the message lists them all
   * @throws FileAlreadyExistsException if the checkpoint to be replaced is the latest and cannot be
   *     replaced in one step
   */
  public Path write(TensorSource model) throws IOException {
    List<PlannedFile> files = planIteration("", model);
    Files.createDirectories(root);
    Path complete = root.resolve(iterationName());
    Path partial = root.resolve("." + iterationName() + ".partial");
    deleteStalePartials();
    try {
      Files.createDirectories(partial);
      PlannedFiles.write(
          partial,
          files,
          PlannedFiles.Options.DEFAULT
              .withWorkers(workers)
              .withListener((written, total) -> progress.accept(written)));
      DurableFiles.flushDirectory(partial);
      publish(partial, complete);
    } finally {
      deleteTree(partial);
    }
    writeTracker();
    return complete;
  }

  /**
   * The files of the checkpoint, for {@link PlannedFiles#write} into its root: those of the
   * iteration, and last the tracker. Where there is a checkpoint already, {@link #write} is what
   * replaces it safely.
   *
   * @throws IllegalArgumentException if there are {@link #problems}; the message lists them all
   */
  public List<PlannedFile> plan(TensorSource model) {
    List<PlannedFile> files = new ArrayList<>(planIteration(iterationName() + "/", model));
    files.add(
        PlannedFile.bytes(
            CheckpointDirectory.TRACKER, tracker().getBytes(StandardCharsets.US_ASCII)));
    return List.copyOf(files);
  }

  /**
   * Everything that is wrong with writing {@code model} as configured, before anything is written;
   * empty if nothing is.
   */
  public List<String> problems(TensorSource model) {
    return problems(model, modelPlan(model));
  }

  private List<String> problems(TensorSource model, ModelPlan plan) {
    List<String> problems = new ArrayList<>(plan.problems());
    if (!extraState.isEmpty() && (format != CheckpointFormat.TORCH || layout.ranks().size() > 1)) {
      problems.add("extra state can be written for one rank only");
    }
    if (!extraState.isEmpty() && optimizerTensors != null) {
      problems.add("extra state and an optimizer cannot both be written");
    }
    if (format == CheckpointFormat.TORCH_DIST && layerSpec == LayerSpec.LEGACY) {
      problems.add("the models before Megatron-Core have no distributed checkpoints");
    }
    if (optimizerTensors != null) {
      problems.addAll(OptimizerTensors.problems(model, optimizerTensors));
    }
    return problems;
  }

  private ModelPlan modelPlan(TensorSource model) {
    return new ModelPlan(
        model.tensors(), layout, layerSpec, expertLayout, predictionModule, arguments);
  }

  private List<PlannedFile> planIteration(String prefix, TensorSource model) {
    ModelPlan plan = modelPlan(model);
    List<String> problems = problems(model, plan);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", problems));
    }
    Map<String, @Nullable Object> args = completeArguments(model, plan);
    if (format == CheckpointFormat.TORCH_DIST) {
      return planDistributed(prefix, model, args);
    }
    PickleObject namespace = PickleObject.ObjectState.namespace(ArgumentValues.toPickle(args));
    List<PlannedFile> files = new ArrayList<>();
    for (Rank rank : layout.ranks()) {
      files.add(planRank(prefix, rank, model, namespace, plan.entries(rank)));
    }
    return files;
  }

  private List<PlannedFile> planDistributed(
      String prefix, TensorSource model, Map<String, @Nullable Object> args) {
    boolean half = args.get("params_dtype") != DataType.F32;
    TorchDistFiles.CommonState common = TrainingState.distributed(commonState, half);
    Map<String, PickleObject> entries = new LinkedHashMap<>(common.entries());
    entries.put("iteration", PickleObject.of(iteration));
    return TorchDistFiles.plan(
            model,
            optimizerTensors,
            args,
            new TorchDistFiles.CommonState(entries, common.tensors()),
            new TorchDistFiles.Options(layerSpec, 0))
        .stream()
        .map(file -> PlannedFile.concatenation(prefix + file.path(), List.of(file)))
        .toList();
  }

  private PlannedFile planRank(
      String prefix,
      Rank rank,
      TensorSource model,
      PickleObject args,
      List<ModelPlan.Entry> entries) {
    Map<String, RankParameter> parameters = new LinkedHashMap<>();
    for (ModelPlan.Entry entry : entries) {
      if (entry.parameter() != null) {
        parameters.put(storageKey(entry.parameter()), entry.parameter());
      }
    }
    RankState state =
        RankState.plan(
            layout, rank, model, optimizerTensors, commonState, List.copyOf(parameters.values()));
    Map<String, PickleObject> root = new LinkedHashMap<>();
    root.put("args", args);
    root.put("checkpoint_version", PickleObject.of(3.0));
    root.put("iteration", PickleObject.of(iteration));
    int chunks = layout.virtualPipelineModelParallelSize();
    for (int chunk = 0; chunk < chunks; chunk++) {
      root.put(chunks == 1 ? "model" : "model" + chunk, dictionary(chunk, entries));
    }
    root.putAll(extraState);
    root.putAll(state.entries());
    TensorContent content =
        TensorContent.copyOf(
            new JoinedSource(List.of(new RankTensorSource(model, parameters), state)));
    return TorchFile.plan(
        prefix + layout.rankName(rank) + "/" + CheckpointDirectory.FILE,
        PickleObject.PyDict.of(root),
        extraState.isEmpty()
            ? content
            : TensorContent.chosen(
                storage -> storage.startsWith(MODEL_KEY) ? content : extraContent));
  }

  /** Equal on all ranks that have a part of a tensor, so that these are written together. */
  private static String storageKey(RankParameter parameter) {
    String whole = parameter.pieces().get(0).whole();
    boolean copy = parameter.chunk() > 0 || !parameter.key().endsWith(whole);
    return MODEL_KEY
        + whole
        + (whole.equals(ParameterNames.EMBEDDING) && copy ? "/" + parameter.key() : "");
  }

  /** A chunk's parameters: flat, or as deep as the models before Megatron-Core have them. */
  private PickleObject dictionary(int chunk, List<ModelPlan.Entry> entries) {
    Map<String, PickleObject> flat = new LinkedHashMap<>();
    for (ModelPlan.Entry entry : entries) {
      if (entry.chunk() == chunk) {
        RankParameter parameter = entry.parameter();
        flat.put(
            entry.key(),
            parameter == null
                ? PickleObject.none()
                : TensorReference.contiguous(
                    storageKey(parameter), parameter.info().type(), parameter.info().shape()));
      }
    }
    return layerSpec == LayerSpec.LEGACY
        ? LegacyDictionary.of(flat)
        : PickleObject.PyDict.ordered(flat);
  }

  /**
   * The caller's attributes, those that the layout decides, and defaults for what Megatron's tools
   * insist on.
   */
  private Map<String, @Nullable Object> completeArguments(TensorSource model, ModelPlan plan) {
    TensorInfo embedding = model.find(ParameterNames.EMBEDDING);
    DataType type = embedding == null ? DataType.F32 : embedding.type();
    Map<String, @Nullable Object> args = new LinkedHashMap<>(arguments);
    putLayout(args, plan);
    args.put("params_dtype", type);
    args.put("bf16", type == DataType.BF16);
    args.put("fp16", type == DataType.F16);
    args.put("transformer_impl", layerSpec.argument());
    args.put("use_mcore_models", layerSpec != LayerSpec.LEGACY);
    args.put("iteration", iteration);
    if (embedding != null) {
      args.put("padded_vocab_size", embedding.shape().get(0));
    }
    putDefaults(args);
    args.put("ckpt_format", format.argument());
    args.put("use_dist_ckpt", format == CheckpointFormat.TORCH_DIST);
    if (args.get("max_position_embeddings") != null) {
      args.putIfAbsent("seq_length", args.get("max_position_embeddings"));
      args.putIfAbsent("encoder_seq_length", args.get("seq_length"));
    }
    boolean optimizer =
        extraState.containsKey("optimizer") || commonState.containsKey(OptimizerSettings.KEY);
    args.putIfAbsent("no_save_optim", !optimizer);
    args.putIfAbsent("no_save_rng", !extraState.containsKey("rng_state"));
    if (optimizerTensors != null) {
      args.replace("use_distributed_optimizer", format == CheckpointFormat.TORCH_DIST);
    }
    return args;
  }

  private void putLayout(Map<String, @Nullable Object> args, ModelPlan plan) {
    int tensor = layout.tensorModelParallelSize();
    int pipeline = layout.pipelineModelParallelSize();
    int virtual = layout.virtualPipelineModelParallelSize();
    int experts = layout.expertModelParallelSize();
    int expertTensor = layout.expertTensorParallelSize();
    int ranks = leastCommonMultiple(tensor, experts * expertTensor);
    args.put("tensor_model_parallel_size", tensor);
    args.put("pipeline_model_parallel_size", pipeline);
    args.put("expert_model_parallel_size", experts);
    if (plan.hasExperts()) {
      args.put("expert_tensor_parallel_size", expertTensor);
      args.put("moe_grouped_gemm", expertLayout != ExpertLayout.SEQUENTIAL);
      args.put("moe_use_legacy_grouped_gemm", expertLayout == ExpertLayout.LEGACY_GROUPED);
      // Megatron trains experts with tensor parallelism in no other way.
      args.put("sequence_parallel", tensor > 1);
    }
    args.put("world_size", ranks * pipeline);
    args.put("data_parallel_size", ranks / tensor);
    args.put("virtual_pipeline_model_parallel_size", virtual == 1 ? null : virtual);
    List<Integer> layers = plan.layers();
    boolean even = layers.stream().distinct().count() == 1;
    args.put(
        "num_layers_per_virtual_pipeline_stage",
        virtual > 1 && even ? (Object) layers.get(0) : null);
    List<Integer> middle = layers.size() > 2 ? layers.subList(1, layers.size() - 1) : List.of();
    for (String uneven : UNEVEN) {
      args.replace(uneven, null); // of the layout before
    }
    if (!even) {
      if (virtual == 1 && middle.stream().distinct().count() <= 1) {
        args.put("decoder_first_pipeline_num_layers", layers.get(0));
        args.put("decoder_last_pipeline_num_layers", layers.get(layers.size() - 1));
      } else {
        args.put("pipeline_model_parallel_layout", pipelineLayout(layers));
      }
    }
  }

  private static int leastCommonMultiple(int a, int b) {
    int multiple = a;
    while (multiple % b != 0) {
      multiple += a;
    }
    return multiple;
  }

  /** {@code Et*3|t*2L}: as Megatron's option of that name describes the chunks. */
  private static String pipelineLayout(List<Integer> layers) {
    StringBuilder text = new StringBuilder("E");
    for (int i = 0; i < layers.size(); i++) {
      text.append(i == 0 ? "" : "|");
      text.append(layers.get(i) == 0 ? "" : "t*" + layers.get(i));
    }
    return text.append("L").toString();
  }

  /** In a fixed order, so that equal models make equal files. */
  private static void putDefaults(Map<String, @Nullable Object> args) {
    args.putIfAbsent("make_vocab_size_divisible_by", 128L);
    args.putIfAbsent("add_position_embedding", false);
    args.putIfAbsent("context_parallel_size", 1L);
    args.putIfAbsent("sequence_parallel", false);
    args.putIfAbsent("attention_dropout", 0.0);
    args.putIfAbsent("hidden_dropout", 0.0);
    args.putIfAbsent("consumed_train_samples", 0L);
    args.putIfAbsent("consumed_valid_samples", 0L);
    args.putIfAbsent("skipped_train_samples", 0L);
    args.putIfAbsent("tokenizer_type", "Llama2Tokenizer");
    args.putIfAbsent("bert_binary_head", true);
    args.putIfAbsent("tokenizer_model", null);
  }

  private String iterationName() {
    return release ? CheckpointDirectory.RELEASE : CheckpointDirectory.childName(iteration);
  }

  private String tracker() {
    return release ? CheckpointDirectory.RELEASE : Long.toString(iteration);
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
    Path file = layout.file(complete, FIRST);
    List<Path> files;
    try (Stream<Path> tree = Files.walk(complete)) {
      files = tree.filter(Files::isRegularFile).toList();
    }
    if (!files.equals(List.of(file)) || layout.ranks().size() > 1) {
      throw new FileAlreadyExistsException(complete.toString());
    }
    Files.move(
        layout.file(partial, FIRST),
        file,
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    DurableFiles.flushDirectory(complete.resolve(layout.rankName(FIRST)));
  }

  private void writeTracker() throws IOException {
    Path tracker = root.resolve(CheckpointDirectory.TRACKER);
    DurableFiles.write(tracker, StandardCharsets.US_ASCII.encode(tracker()));
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
