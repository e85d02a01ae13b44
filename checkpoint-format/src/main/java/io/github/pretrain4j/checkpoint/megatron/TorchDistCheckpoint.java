package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.distributed.DistributedCheckpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint of the {@code torch_dist} format: model and optimizer as whole tensors
 * under canonical names, and the state that is not sharded.
 *
 * <p>The files say how their tensors are cut, so parallel sizes do not matter. Layers may be
 * stacked on an axis or numbered in the keys, experts likewise. Thread-safe; {@link #close} is
 * idempotent.
 */
public final class TorchDistCheckpoint implements AutoCloseable {
  private static final String COMMON_FILE = "common.pt";
  private static final String COMMON_KEY = "common_state/shard_0_1";
  private static final Pattern LAYER = Pattern.compile("decoder\\.layers\\.(\\d+)\\..*");
  private static final Pattern EXPERT =
      Pattern.compile("(.*)\\.mlp\\.experts\\.local_experts\\.(\\d+)\\..*");
  private static final int MAX_PROBLEMS = 40;

  private final DistributedCheckpoint data;
  private final TorchFileReader common;
  private final boolean commonFile;
  private final PickleObject.PyDict commonState;
  private final Map<String, @Nullable Object> arguments;
  private final StackedTensors model;
  private final StackedTensors optimizer;
  private final List<String> optimizerProblems;

  private TorchDistCheckpoint(
      DistributedCheckpoint data, TorchFileReader common, boolean commonFile) throws IOException {
    this.data = data;
    this.common = common;
    this.commonFile = commonFile;
    this.commonState = commonState(data.directory(), common, commonFile);
    this.arguments =
        commonState.get("args") instanceof PickleObject.ObjectState args
            ? ArgumentValues.toJava(args.attributes())
            : Map.of();
    List<String> problems = new ArrayList<>();
    this.optimizerProblems = new ArrayList<>();
    StackedTensors.Builder models = new StackedTensors.Builder(data, problems);
    StackedTensors.Builder states = new StackedTensors.Builder(data, optimizerProblems);
    for (TensorInfo tensor : data.tensors().tensors()) {
      String key = tensor.name();
      TorchDistKey meaning = TorchDistKey.parse(key);
      if (TorchDistKey.isIgnored(key) || isSecondKey(data, key, meaning)) {
        continue;
      }
      if (meaning != null) {
        (meaning.state().isEmpty() ? models : states).add(tensor, meaning);
      } else if (TorchDistKey.isOptimizer(key)) {
        optimizerProblems.add("no parameter is known for " + tensor);
      } else if (!key.startsWith("rng_state") && !key.startsWith("rerun_state_machine")) {
        problems.add("no parameter is known for " + tensor);
      }
    }
    this.model = models.build();
    this.optimizer = states.build();
    checkLayers(problems);
    refuse(problems, "model", "parameters of a decoder");
  }

  /** Whether the fp32 weights are under both of the names that optimizers use. */
  private static boolean isSecondKey(
      DistributedCheckpoint data, String key, @Nullable TorchDistKey meaning) {
    return meaning != null
        && meaning.state().equals("fp32_param")
        && key.contains("optimizer.state.param.")
        && data.isSameData(
            key, key.replace("optimizer.state.param.", "optimizer.state.fp32_param."));
  }

  /** Whether a directory ({@code iter_…} or {@code release}) is of this format. */
  public static boolean isIn(Path iterationDirectory) {
    return DistributedCheckpoint.isIn(iterationDirectory);
  }

  /**
   * Opens a checkpoint.
   *
   * @param iterationDirectory the {@code iter_…} or {@code release} directory
   * @throws CorruptCheckpointException if it is damaged, holds model tensors that have no canonical
   *     name, or lacks layers or experts; all of them are listed
   */
  public static TorchDistCheckpoint open(Path iterationDirectory) throws IOException {
    DistributedCheckpoint data = DistributedCheckpoint.open(iterationDirectory);
    TorchFileReader common = null;
    try {
      Path file = iterationDirectory.resolve(COMMON_FILE);
      boolean commonFile = Files.exists(file);
      if (!commonFile && !data.objectKeys().contains(COMMON_KEY)) {
        throw new CorruptCheckpointException(
            iterationDirectory,
            0,
            "checkpoint of Megatron",
            COMMON_FILE + " or an item " + COMMON_KEY,
            "neither");
      }
      common = commonFile ? TorchFileReader.open(file) : data.object(COMMON_KEY);
      return new TorchDistCheckpoint(data, common, commonFile);
    } catch (IOException | RuntimeException e) {
      closeAfter(e, common);
      closeAfter(e, data);
      throw e;
    }
  }

  private static void closeAfter(Exception failure, @Nullable AutoCloseable resource) {
    if (resource != null) {
      try {
        resource.close();
      } catch (Exception e) {
        failure.addSuppressed(e);
      }
    }
  }

  private static PickleObject.PyDict commonState(
      Path directory, TorchFileReader reader, boolean file) throws CorruptCheckpointException {
    PickleObject root = reader.root();
    if (!file && root instanceof PickleObject.PyList list && list.items().size() == 1) {
      root = list.items().get(0);
    }
    if (root instanceof PickleObject.PyDict dict) {
      return dict;
    }
    throw new CorruptCheckpointException(
        directory.resolve(file ? COMMON_FILE : COMMON_KEY),
        0,
        "common state",
        "a dictionary",
        root.getClass().getSimpleName());
  }

  private void refuse(List<String> problems, String what, String expected)
      throws CorruptCheckpointException {
    if (!problems.isEmpty()) {
      int more = problems.size() - MAX_PROBLEMS;
      throw new CorruptCheckpointException(
          data.directory(),
          0,
          what,
          expected,
          String.join("; ", problems.subList(0, Math.min(MAX_PROBLEMS, problems.size())))
              + (more > 0 ? "; and " + more + " more" : ""));
    }
  }

  /** Layers and each layer's experts are numbered from 0 without gaps. */
  private void checkLayers(List<String> problems) {
    TreeSet<Integer> layers = new TreeSet<>();
    Map<String, TreeSet<Integer>> experts = new TreeMap<>();
    for (TensorInfo tensor : model.tensors()) {
      Matcher layer = LAYER.matcher(tensor.name());
      if (layer.matches()) {
        layers.add(Integer.parseInt(layer.group(1)));
      }
      Matcher expert = EXPERT.matcher(tensor.name());
      if (expert.matches()) {
        experts
            .computeIfAbsent(expert.group(1), name -> new TreeSet<>())
            .add(Integer.parseInt(expert.group(2)));
      }
    }
    if (layers.isEmpty() || layers.last() != layers.size() - 1) {
      problems.add("the layers are " + layers);
    }
    Object expected = arguments.get("num_layers");
    if (expected instanceof Long number && number != layers.size()) {
      problems.add("args.num_layers is " + number + ", the files hold " + layers.size());
    }
    experts.forEach(
        (layer, numbers) -> {
          if (numbers.last() != numbers.size() - 1) {
            problems.add("the experts of " + layer + " are " + numbers);
          }
        });
  }

  /** The {@code iter_…} or {@code release} directory. */
  public Path directory() {
    return data.directory();
  }

  /** The model. Closing it does not close the checkpoint. */
  public TensorSource fullTensors() {
    return model;
  }

  /**
   * The optimizer's tensors, {@code optimizer.state.exp_avg.NAME} and so on with a canonical NAME;
   * null if there are none. Closing it does not close the checkpoint.
   *
   * @throws CorruptCheckpointException if there are some that cannot be told apart by parameter,
   *     such as the buckets of a distributed optimizer; all of them are listed
   */
  public @Nullable TensorSource optimizerTensors() throws IOException {
    refuse(optimizerProblems, "optimizer", "tensors of known parameters");
    return optimizer.tensors().isEmpty() ? null : optimizer;
  }

  /** The attributes of {@code args}, as {@link MegatronCheckpoint#arguments} gives them. */
  public Map<String, @Nullable Object> arguments() {
    return arguments;
  }

  /**
   * What is not sharded: {@code args}, {@code iteration}, {@code checkpoint_version}, {@code
   * opt_param_scheduler}, {@code optimizer} without its big tensors, ….
   */
  public PickleObject.PyDict commonState() {
    return commonState;
  }

  /** Reads a tensor found in {@link #commonState}: packed bytes from {@code byteOffset} on. */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    common.read(tensor, byteOffset, target);
  }

  /**
   * The keys of objects that ranks saved one by one, such as {@code rng_state/shard_0.1_2.2} for
   * the second of two tensor ranks on the first of two stages.
   */
  public List<String> objectKeys() {
    return data.objectKeys();
  }

  /**
   * Such an object: the root is a list with one element. It need not be closed.
   *
   * @throws IllegalArgumentException if there is none of that key
   */
  public TorchFileReader object(String key) throws IOException {
    return data.object(key);
  }

  /** Reads every item whole and checks its checksums. */
  public void verify() throws IOException {
    data.verify();
    if (commonFile) {
      common.verify();
    }
  }

  @Override
  public void close() throws IOException {
    try (data) {
      common.close();
    }
  }

  /** Canonical tensors cut out of stacked ones. */
  private static final class StackedTensors implements TensorSource {
    /** A range of a stacked tensor. */
    private record Part(TensorSource source, String key, long byteOffset, long byteCount) {}

    private record View(TensorInfo info, List<Part> parts) {}

    private final Map<String, View> views;
    private final List<TensorInfo> infos;

    private StackedTensors(Map<String, View> views) {
      this.views = views;
      this.infos = views.values().stream().map(View::info).toList();
    }

    static final class Builder {
      private final DistributedCheckpoint data;
      private final List<String> problems;
      private final Map<String, View> views = new LinkedHashMap<>();
      private final List<Map<String, View>> halves =
          List.of(new LinkedHashMap<>(), new LinkedHashMap<>());

      Builder(DistributedCheckpoint data, List<String> problems) {
        this.data = data;
        this.problems = problems;
      }

      void add(TensorInfo stored, TorchDistKey key) {
        TensorInfo tensor = stored;
        TensorSource source = data.tensors();
        if (!key.state().isEmpty()) {
          String name = stored.name();
          TensorInfo parameter = data.tensors().find(key.parameterKey());
          if (parameter == null) {
            problems.add("no model tensor for " + stored);
            return;
          }
          if (stored.shape().size() == parameter.shape().size() + 1) {
            try {
              source = data.fromFlatShards(name, parameter.shape());
            } catch (IllegalArgumentException e) {
              problems.add(String.valueOf(e.getMessage()));
              return;
            }
            tensor = source.get(name);
          } else if (!stored.shape().equals(parameter.shape())) {
            problems.add(stored + " does not fit " + parameter);
            return;
          }
        }
        split(source, tensor, key);
      }

      private void split(TensorSource source, TensorInfo tensor, TorchDistKey key) {
        List<Long> shape = tensor.shape();
        int stacked = key.stackedAxes();
        if (shape.size() <= stacked) {
          problems.add(tensor + " has no axis for the parameter itself");
          return;
        }
        long layers = key.layerAxis() ? shape.get(0) : 1;
        long experts = key.expertAxis() ? shape.get(stacked - 1) : 1;
        String prefix = key.state().isEmpty() ? "" : "optimizer.state." + key.state() + ".";
        Map<String, View> target = key.half() < 0 ? views : halves.get(key.half());
        List<Long> own = shape.subList(stacked, shape.size());
        long byteOffset = 0;
        for (long layer = 0; layer < layers; layer++) {
          for (long expert = 0; expert < experts; expert++) {
            TensorInfo info = new TensorInfo(prefix + key.name(layer, expert), tensor.type(), own);
            Part part = new Part(source, tensor.name(), byteOffset, info.byteCount());
            if (target.put(info.name(), new View(info, List.of(part))) != null) {
              problems.add("two tensors for " + info.name());
            }
            byteOffset += info.byteCount();
          }
        }
      }

      StackedTensors build() {
        TreeSet<String> names = new TreeSet<>(halves.get(0).keySet());
        names.addAll(halves.get(1).keySet());
        for (String name : names) {
          View gate = halves.get(0).get(name);
          View up = halves.get(1).get(name);
          if (gate == null || up == null || !gate.info().equals(up.info())) {
            problems.add("the halves of " + name + " are " + gate + " and " + up);
            continue;
          }
          List<Long> shape = new ArrayList<>(gate.info().shape());
          shape.set(0, 2 * shape.get(0));
          TensorInfo info = new TensorInfo(name, gate.info().type(), shape);
          List<Part> parts = List.of(gate.parts().get(0), up.parts().get(0));
          if (views.put(name, new View(info, parts)) != null) {
            problems.add("two tensors for " + name);
          }
        }
        return new StackedTensors(views);
      }
    }

    @Override
    public List<TensorInfo> tensors() {
      return infos;
    }

    @Override
    public @Nullable TensorInfo find(String name) {
      View view = views.get(name);
      return view == null ? null : view.info();
    }

    @Override
    public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
      View view = views.get(name);
      if (view == null) {
        throw new IllegalArgumentException("no tensor named " + name);
      }
      if (byteOffset < 0 || byteOffset > view.info().byteCount() - target.remaining()) {
        throw new IllegalArgumentException(
            target.remaining() + " bytes from byte " + byteOffset + " are not in " + view.info());
      }
      int end = target.limit();
      long at = byteOffset;
      for (Part part : view.parts()) {
        if (at < part.byteCount() && target.position() < end) {
          int count = (int) Math.min(part.byteCount() - at, end - target.position());
          target.limit(target.position() + count);
          part.source().read(part.key(), part.byteOffset() + at, target);
          target.limit(end);
          at = 0;
        } else {
          at -= part.byteCount();
        }
      }
    }

    @Override
    public void close() {}
  }
}
