package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFile;
import io.github.pretrain4j.checkpoint.distributed.Chunk;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles.ObjectItem;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles.TensorItem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Plans the files of a Megatron checkpoint of the {@code torch_dist} format.
 *
 * <p>One chunk for each layer and expert, whatever the parallel sizes of those who will load it:
 * Megatron reads the boxes that it needs. Layers get an axis in front where Megatron expects that,
 * which it does for models whose layers are alike; else their number stands in the key. What is not
 * sharded goes to {@code common.pt}, which new and old versions read.
 */
public final class TorchDistFiles {
  /** Chunks above this are cut by rows, to stay below the 2 GiB that some readers can hold. */
  private static final long MAX_CHUNK_BYTES = 1L << 30;

  private static final long BYTES_PER_FILE = 4L << 30;
  private static final int MAX_FILES = 256;
  private static final int MAX_PROBLEMS = 40;
  private static final String STATE = "optimizer.state.";
  private static final PickleObject NO_STATE =
      new PickleObject.PyList(List.of(PickleObject.none()));
  private static final TensorContent NO_TENSORS =
      (tensor, out) -> {
        throw new IllegalStateException("no content given for " + tensor.name());
      };

  private TorchDistFiles() {}

  /**
   * What is not sharded.
   *
   * @param entries beside {@code args}: {@code iteration}, {@code checkpoint_version}, {@code
   *     opt_param_scheduler}, {@code optimizer} (for one optimizer {@code {"param_groups": […],
   *     "state": {…}}} without the big tensors), …
   * @param tensors the data of tensors in them, by storage key
   */
  public record CommonState(Map<String, PickleObject> entries, TensorContent tensors) {

    /** Entries without tensors. */
    public static CommonState of(Map<String, PickleObject> entries) {
      return new CommonState(entries, NO_TENSORS);
    }
  }

  /**
   * How to write.
   *
   * @param layerSpec whose names the norms of expert layers and of latent attention take; all else
   *     is alike
   * @param files how many data files share the tensors; 0 for one for each 4 GiB
   */
  public record Options(LayerSpec layerSpec, int files) {
    /** Transformer Engine's names, files by size. */
    public static final Options DEFAULT = new Options(LayerSpec.TRANSFORMER_ENGINE, 0);

    /** Validates the number of files. */
    public Options {
      if (files < 0) {
        throw new IllegalArgumentException(files + " files");
      }
    }
  }

  /**
   * Plans everything below the {@code iter_…} or {@code release} directory, in the order in which
   * the files may become visible.
   *
   * @param model whole tensors under canonical names
   * @param optimizer {@code optimizer.state.…} tensors under canonical names, or null
   * @param arguments the attributes of {@code args}
   * @throws IllegalArgumentException if layers or experts are missing or unlike where they must be
   *     alike, or the optimizer's tensors are not the model's; all problems are listed
   */
  public static List<PlannedFile> plan(
      TensorSource model,
      @Nullable TensorSource optimizer,
      Map<String, ? extends @Nullable Object> arguments,
      CommonState common,
      Options options) {
    List<String> names = model.tensors().stream().map(TensorInfo::name).toList();
    boolean layerAxis = layersAreAlike(model, arguments);
    TorchDistNaming naming = new TorchDistNaming(names, options.layerSpec(), layerAxis);
    List<String> problems = new ArrayList<>();
    Map<String, Stack> stacks = new LinkedHashMap<>();
    List<TensorItem> items = new ArrayList<>();
    for (TensorInfo tensor : model.tensors()) {
      stack(stacks, "", tensor, naming.place(tensor.name()), problems);
    }
    Set<ObjectItem> extraStates = extraStates(stacks.values());
    if (optimizer != null) {
      for (TensorInfo tensor : optimizer.tensors()) {
        stackState(stacks, model, tensor, naming, problems);
      }
    }
    for (Stack stack : stacks.values()) {
      stack.check(problems);
    }
    if (!problems.isEmpty()) {
      int more = problems.size() - MAX_PROBLEMS;
      throw new IllegalArgumentException(
          String.join("; ", problems.subList(0, Math.min(MAX_PROBLEMS, problems.size())))
              + (more > 0 ? "; and " + more + " more" : ""));
    }
    for (TensorInfo tensor : model.tensors()) {
      TorchDistNaming.Place place = naming.place(tensor.name());
      addChunks(items, stack(stacks, place.key()), place, tensor, model);
    }
    if (optimizer != null) {
      for (TensorInfo tensor : optimizer.tensors()) {
        String prefix = statePrefix(tensor.name());
        TorchDistNaming.Place place = naming.place(tensor.name().substring(prefix.length()));
        addChunks(items, stack(stacks, prefix + place.key()), place, tensor, optimizer);
      }
    }
    List<PlannedFile> files =
        new ArrayList<>(
            DistributedFiles.plan(
                parts(items, extraStates, options.files()), masterWeights(stacks.keySet())));
    PlannedFile metadata = files.remove(files.size() - 1);
    files.add(
        TorchFile.plan(
            "common.pt",
            commonRoot(arguments, common.entries(), optimizer != null),
            common.tensors()));
    files.add(metadata);
    files.add(
        PlannedFile.bytes(
            "metadata.json",
            ("{\"sharded_backend\": \"torch_dist\", \"sharded_backend_version\": 1, "
                    + "\"common_backend\": \"torch\", \"common_backend_version\": 1}")
                .getBytes(StandardCharsets.UTF_8)));
    return files;
  }

  /**
   * Megatron's rule for layers on an axis: no list of expert layers and no interval of them above
   * 1, no blocks of their own kinds. And they must be alike in fact.
   */
  private static boolean layersAreAlike(
      TensorSource model, Map<String, ? extends @Nullable Object> arguments) {
    for (String frequency : List.of("moe_layer_freq", "linear_attention_freq")) {
      Object value = arguments.get(frequency);
      if (value instanceof List<?> || (value instanceof Number number && number.longValue() > 1)) {
        return false;
      }
    }
    if (Boolean.TRUE.equals(arguments.get("hetereogenous_dist_checkpoint"))
        || arguments.get("heterogeneous_layers_config_path") != null) {
      return false;
    }
    Map<String, Set<TensorInfo>> layers = new TreeMap<>();
    for (TensorInfo tensor : model.tensors()) {
      int layer = ParameterNames.layerOf(tensor.name());
      if (layer >= 0) {
        String prefix = "decoder.layers." + layer;
        layers
            .computeIfAbsent(prefix, key -> new LinkedHashSet<>())
            .add(tensor.withName(tensor.name().substring(prefix.length())));
      }
    }
    return new LinkedHashSet<>(layers.values()).size() <= 1;
  }

  /** One tensor of the checkpoint, made of canonical ones. */
  private static final class Stack {
    final String key;
    final TensorInfo first;
    final Set<List<Long>> indices = new LinkedHashSet<>();
    final List<Long> shape = new ArrayList<>();

    Stack(String key, TensorInfo first) {
      this.key = key;
      this.first = first;
    }

    void add(TensorInfo tensor, List<Long> index, List<String> problems) {
      if (tensor.type() != first.type() || !tensor.shape().equals(first.shape())) {
        problems.add(tensor + " is not like " + first);
      }
      if (!indices.add(index)) {
        problems.add("two tensors for " + key + " " + index);
      }
      for (int axis = 0; axis < index.size(); axis++) {
        if (axis == shape.size()) {
          shape.add(0L);
        }
        shape.set(axis, Math.max(shape.get(axis), index.get(axis) + 1));
      }
    }

    void check(List<String> problems) {
      long count = 1;
      for (long size : shape) {
        count *= size;
      }
      if (count != indices.size()) {
        problems.add(
            "of " + key + " there are " + indices.size() + " layers or experts, not " + count);
      }
    }

    TensorInfo whole() {
      List<Long> all = new ArrayList<>(shape);
      all.addAll(first.shape());
      return new TensorInfo(key, first.type(), all);
    }
  }

  private static void stack(
      Map<String, Stack> stacks,
      String prefix,
      TensorInfo tensor,
      TorchDistNaming.Place place,
      List<String> problems) {
    stacks
        .computeIfAbsent(prefix + place.key(), key -> new Stack(key, tensor))
        .add(tensor, place.index(), problems);
  }

  private static Stack stack(Map<String, Stack> stacks, String key) {
    Stack stack = stacks.get(key);
    if (stack == null) {
      throw new IllegalStateException(key);
    }
    return stack;
  }

  private static void stackState(
      Map<String, Stack> stacks,
      TensorSource model,
      TensorInfo tensor,
      TorchDistNaming naming,
      List<String> problems) {
    String prefix = statePrefix(tensor.name());
    String parameter = tensor.name().substring(prefix.length());
    TensorInfo info = model.find(parameter);
    if (prefix.isEmpty() || info == null || !info.shape().equals(tensor.shape())) {
      problems.add(tensor + " is no state of " + (info == null ? "a known parameter" : info));
      return;
    }
    stack(stacks, prefix, tensor, naming.place(parameter), problems);
  }

  /** {@code optimizer.state.exp_avg.}, or empty if it is no such name. */
  private static String statePrefix(String name) {
    int end = name.indexOf('.', STATE.length());
    return name.startsWith(STATE) && end > 0 ? name.substring(0, end + 1) : "";
  }

  private static void addChunks(
      List<TensorItem> items,
      Stack stack,
      TorchDistNaming.Place place,
      TensorInfo tensor,
      TensorSource source) {
    TensorInfo whole = stack.whole();
    List<Long> index = place.index();
    long rows = tensor.shape().isEmpty() ? 1 : tensor.shape().get(0);
    long rowBytes = rows == 0 ? 1 : Math.max(1, tensor.byteCount() / rows);
    long rowsPerChunk = Math.max(1, MAX_CHUNK_BYTES / rowBytes);
    if (rows <= rowsPerChunk) {
      items.add(
          new TensorItem(
              whole,
              chunk(index, tensor.shape(), 0, rows),
              TensorContent.copyOf(source, key -> tensor.name())));
      return;
    }
    for (long row = 0; row < rows; row += rowsPerChunk) {
      long count = Math.min(rowsPerChunk, rows - row);
      List<Long> shape = new ArrayList<>(tensor.shape());
      shape.set(0, count);
      TensorInfo range = new TensorInfo(tensor.name(), tensor.type(), shape);
      items.add(
          new TensorItem(
              whole,
              chunk(index, tensor.shape(), row, count),
              TensorContent.copyOf(
                  new RowRange(source, range, row * rowBytes), key -> tensor.name())));
    }
  }

  private static Chunk chunk(List<Long> index, List<Long> shape, long row, long rows) {
    List<Long> offsets = new ArrayList<>(index);
    List<Long> sizes = new ArrayList<>();
    index.forEach(position -> sizes.add(1L));
    for (int axis = 0; axis < shape.size(); axis++) {
      offsets.add(axis == 0 ? row : 0);
      sizes.add(axis == 0 ? rows : shape.get(axis));
    }
    return new Chunk(offsets, sizes);
  }

  /** Some rows of one tensor of a source, under its name. */
  private record RowRange(TensorSource source, TensorInfo range, long start)
      implements TensorSource {
    @Override
    public List<TensorInfo> tensors() {
      return List.of(range);
    }

    @Override
    public @Nullable TensorInfo find(String name) {
      return name.equals(range.name()) ? range : null;
    }

    @Override
    public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
      if (byteOffset < 0 || byteOffset > range.byteCount() - target.remaining()) {
        throw new IllegalArgumentException(
            target.remaining() + " bytes from byte " + byteOffset + " are not in " + range);
      }
      source.read(name, start + byteOffset, target);
    }

    @Override
    public void close() {}
  }

  /**
   * The states of modules beside their parameters, which Megatron asks for by default: none. For
   * all modules that may own one, in any version of Transformer Engine; more than a run asks for do
   * no harm.
   */
  private static Set<ObjectItem> extraStates(Iterable<Stack> stacks) {
    Set<ObjectItem> states = new LinkedHashSet<>();
    for (Stack stack : stacks) {
      String module = stack.key.substring(0, stack.key.lastIndexOf('.'));
      String last = module.substring(module.lastIndexOf('.') + 1);
      boolean linear = last.startsWith("linear_") || last.equals("eh_proj");
      boolean norm = last.endsWith("norm");
      if (!stack.key.endsWith(".weight") || !(linear || norm)) {
        continue;
      }
      addExtraStates(states, module, stack);
      if (module.endsWith("self_attention.linear_proj")) {
        String attention = module.substring(0, module.length() - last.length());
        addExtraStates(states, attention + "core_attention", stack);
      }
    }
    return states;
  }

  private static void addExtraStates(Set<ObjectItem> states, String module, Stack stack) {
    String shape = stack.shape.isEmpty() ? "1" : join(stack.shape);
    List<List<Long>> indices = new ArrayList<>(stack.indices);
    indices.sort(Comparator.comparing(TorchDistFiles::join));
    for (List<Long> index : indices) {
      String offset = index.isEmpty() ? "0" : join(index);
      states.add(
          new ObjectItem(
              module + "._extra_state/shard_" + offset + "_" + shape, NO_STATE, NO_TENSORS));
    }
  }

  private static String join(List<Long> numbers) {
    return numbers.stream().map(String::valueOf).collect(Collectors.joining("."));
  }

  /** Spreads the tensors over files of about one size, in their order. */
  private static List<DistributedFiles.Part> parts(
      List<TensorItem> items, Set<ObjectItem> objects, int files) {
    long total = items.stream().mapToLong(item -> item.part().byteCount()).sum();
    int count =
        files > 0 ? files : (int) Math.min(MAX_FILES, 1 + Math.max(0, total - 1) / BYTES_PER_FILE);
    List<DistributedFiles.Part> parts = new ArrayList<>();
    int next = 0;
    long done = 0;
    for (int file = 0; file < count; file++) {
      long end = (long) ((double) total / count * (file + 1));
      int first = next;
      while (next < items.size() && (file == count - 1 || done < end)) {
        done += items.get(next).part().byteCount();
        next++;
      }
      parts.add(
          new DistributedFiles.Part(
              file == 0 ? List.copyOf(objects) : List.of(), items.subList(first, next)));
    }
    return parts;
  }

  private static PickleObject commonRoot(
      Map<String, ? extends @Nullable Object> arguments,
      Map<String, PickleObject> entries,
      boolean optimizer) {
    Map<String, PickleObject> root = new LinkedHashMap<>();
    root.put("args", PickleObject.ObjectState.namespace(ArgumentValues.toPickle(arguments)));
    root.put("checkpoint_version", PickleObject.of(3.0));
    root.put("iteration", PickleObject.of(0));
    root.put("content_metadata", contentMetadata(optimizer));
    if (entries.containsKey("args")) {
      throw new IllegalArgumentException("the entry args is made of the arguments");
    }
    root.putAll(entries);
    return PickleObject.PyDict.of(root);
  }

  /**
   * Second keys of the fp32 weights, by which the distributed optimizer of later versions asks for
   * them.
   */
  private static Map<String, String> masterWeights(Set<String> keys) {
    String master = STATE + "fp32_param.";
    Map<String, String> aliases = new LinkedHashMap<>();
    for (String key : keys) {
      if (key.startsWith(master)) {
        aliases.put(STATE + "param." + key.substring(master.length()), key);
      }
    }
    return aliases;
  }

  /** What later versions ask to know how keys were made. */
  private static PickleObject contentMetadata(boolean optimizer) {
    Map<String, PickleObject> content = new LinkedHashMap<>();
    content.put("singleton_local_shards", PickleObject.of(false));
    content.put("chained_optim_avoid_prefix", PickleObject.of(true));
    if (optimizer) {
      content.put("distrib_optim_sharding_type", PickleObject.of("fully_reshardable"));
      content.put("distrib_optim_fully_reshardable_mem_efficient", PickleObject.of(false));
    }
    return PickleObject.PyDict.of(content);
  }
}
