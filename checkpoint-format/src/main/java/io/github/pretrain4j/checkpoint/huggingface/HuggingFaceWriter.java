package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.CheckpointWriteException;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.SafetensorsFile;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFile;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Makes a Hugging Face model directory: weights, index, and the files beside them. Not thread-safe.
 *
 * <p>Everything is written into a sibling directory first, which then appears by one rename: the
 * model is there as a whole or not at all. A directory that holds files already is refused.
 */
public final class HuggingFaceWriter {
  /** What a loader or a reader may want of a reference directory; code and tiktoken files too. */
  private static final Set<String> COMPANIONS =
      Set.of(
          "config.json",
          "generation_config.json",
          "tokenizer.model",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt",
          "chat_template.jinja",
          "chat_template.json",
          "preprocessor_config.json",
          "configuration.json",
          "spiece.model",
          "LICENSE",
          "LICENSE.txt",
          "LICENSE.md",
          "NOTICE",
          "NOTICE.txt",
          "README.md");

  private static final Pattern COMPANION_ENDING = Pattern.compile(".*\\.(py|tiktoken)");

  private final Path directory;
  private final WeightFormat format;
  private final ShardRule sharding;
  private final List<Path> references = new ArrayList<>();
  private final Map<String, ByteBuffer> files = new LinkedHashMap<>();

  private HuggingFaceWriter(Path directory, WeightFormat format, ShardRule sharding) {
    this.directory = directory.toAbsolutePath().normalize();
    this.format = format;
    this.sharding = sharding;
  }

  /** A writer for a directory that need not exist; nothing is touched before {@link #write}. */
  public static HuggingFaceWriter create(Path directory, WeightFormat format, ShardRule sharding) {
    return new HuggingFaceWriter(directory, format, sharding);
  }

  /**
   * Also copies configuration, tokenizer and code files from a reference directory; no weights, no
   * index.
   */
  public HuggingFaceWriter companionsFrom(Path referenceDirectory) {
    references.add(referenceDirectory);
    return this;
  }

  /**
   * Also writes this file, such as {@code config.json}; it wins over a companion of the same name.
   */
  public HuggingFaceWriter file(String name, byte[] content) {
    if (!Path.of(name).getFileName().toString().equals(name) || isWeights(name)) {
      throw new IllegalArgumentException("not the name of a companion file: " + name);
    }
    files.put(name, ByteBuffer.wrap(content.clone()));
    return this;
  }

  /**
   * Writes everything.
   *
   * @param tensors all weights, in the order in which they are dealt out to shards
   * @return the files that hold the weights, in order
   * @throws FileAlreadyExistsException if the directory is there and not empty
   * @throws CheckpointWriteException if a file cannot be written
   * @throws IllegalArgumentException if two tensors have one name, or there are fewer tensors than
   *     shards
   */
  public List<Path> write(List<TensorInfo> tensors, TensorContent content) throws IOException {
    Set<String> names = new HashSet<>();
    for (TensorInfo tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("two tensors named " + tensor.name());
      }
    }
    List<List<TensorInfo>> shards = ShardPlan.of(tensors, sharding);
    if (shards.isEmpty()) {
      throw new IllegalArgumentException("no tensors");
    }
    Path target = DurableFiles.followed(directory);
    requireVacant(target);
    Path beside = DurableFiles.partial(target, ".tmp");
    deleteTree(beside);
    Files.createDirectories(beside);
    try {
      List<String> weightFiles = writeWeights(beside, shards, content);
      writeCompanions(beside);
      DurableFiles.publish(beside, target);
      return weightFiles.stream().map(directory::resolve).toList();
    } finally {
      deleteTree(beside);
    }
  }

  /**
   * The files that {@link #write} makes, to be written by {@link
   * io.github.pretrain4j.checkpoint.PlannedFiles}: weights, then the files beside them.
   *
   * @param tensors all weights, in the order in which they are dealt out to shards
   * @param content asked by several threads at once if there are several
   * @throws IllegalArgumentException if two tensors have one name, or there are fewer tensors than
   *     shards
   */
  public List<PlannedFile> plan(List<TensorInfo> tensors, TensorContent content)
      throws IOException {
    Set<String> names = new HashSet<>();
    for (TensorInfo tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("two tensors named " + tensor.name());
      }
    }
    List<List<TensorInfo>> shards = ShardPlan.of(tensors, sharding);
    if (shards.isEmpty()) {
      throw new IllegalArgumentException("no tensors");
    }
    List<PlannedFile> plan = new ArrayList<>();
    for (int i = 0; i < shards.size(); i++) {
      plan.add(planShard(shardName(i, shards.size()), shards.get(i), content));
    }
    if (shards.size() > 1) {
      plan.add(PlannedFile.bytes(format.indexFile(), index(shards).toJson()));
    }
    companions().forEach((name, bytes) -> plan.add(PlannedFile.bytes(name, bytes)));
    return plan;
  }

  private String shardName(int shard, int shardCount) {
    return shardCount == 1 ? format.singleFile() : format.shardFile(shard + 1, shardCount);
  }

  private ShardIndex index(List<List<TensorInfo>> shards) {
    Map<String, String> weightMap = new LinkedHashMap<>();
    long totalBytes = 0;
    long totalParameters = 0;
    for (int i = 0; i < shards.size(); i++) {
      for (TensorInfo tensor : shards.get(i)) {
        weightMap.put(tensor.name(), shardName(i, shards.size()));
        totalBytes += tensor.byteCount();
        totalParameters += tensor.elementCount();
      }
    }
    return new ShardIndex(weightMap, totalBytes, totalParameters);
  }

  private PlannedFile planShard(String name, List<TensorInfo> tensors, TensorContent content) {
    if (format == WeightFormat.SAFETENSORS) {
      return SafetensorsFile.plan(name, tensors, Map.of("format", "pt"), content);
    }
    Map<String, PickleObject> stateDict = new LinkedHashMap<>();
    for (TensorInfo tensor : tensors) {
      stateDict.put(tensor.name(), TensorReference.contiguous(tensor));
    }
    return TorchFile.plan(name, PickleObject.PyDict.ordered(stateDict), content);
  }

  private List<String> writeWeights(
      Path target, List<List<TensorInfo>> shards, TensorContent content) throws IOException {
    List<String> fileNames = new ArrayList<>();
    for (int i = 0; i < shards.size(); i++) {
      String name = shardName(i, shards.size());
      writeShard(target.resolve(name), shards.get(i), content);
      fileNames.add(name);
    }
    if (shards.size() > 1) {
      DurableFiles.write(
          target.resolve(format.indexFile()), ByteBuffer.wrap(index(shards).toJson()));
    }
    return fileNames;
  }

  private void writeShard(Path file, List<TensorInfo> tensors, TensorContent content)
      throws IOException {
    if (format == WeightFormat.SAFETENSORS) {
      SafetensorsWriter.write(file, tensors, Map.of("format", "pt"), content);
      return;
    }
    Map<String, PickleObject> stateDict = new LinkedHashMap<>();
    for (TensorInfo tensor : tensors) {
      stateDict.put(tensor.name(), TensorReference.contiguous(tensor));
    }
    TorchFileWriter.write(file, PickleObject.PyDict.ordered(stateDict), content);
  }

  private void writeCompanions(Path target) throws IOException {
    for (Map.Entry<String, byte[]> companion : companions().entrySet()) {
      DurableFiles.write(target.resolve(companion.getKey()), ByteBuffer.wrap(companion.getValue()));
    }
  }

  /** The files beside the weights: those of the references by name, then those given. */
  private Map<String, byte[]> companions() throws IOException {
    Map<String, Path> found = new TreeMap<>();
    for (Path reference : references) {
      companionsOf(reference).forEach(found::putIfAbsent);
    }
    Map<String, byte[]> companions = new LinkedHashMap<>();
    for (Map.Entry<String, Path> companion : found.entrySet()) {
      if (!files.containsKey(companion.getKey())) {
        companions.put(companion.getKey(), Files.readAllBytes(companion.getValue()));
      }
    }
    files.forEach(
        (name, content) -> {
          byte[] bytes = new byte[content.remaining()];
          content.duplicate().get(bytes);
          companions.put(name, bytes);
        });
    return companions;
  }

  /**
   * The files of a model directory that belong to the model and are no weights, by name: what
   * {@link #companionsFrom} copies.
   */
  public static Map<String, Path> companionsOf(Path modelDirectory) throws IOException {
    Map<String, Path> found = new TreeMap<>();
    for (Path file : list(modelDirectory)) {
      String name = file.getFileName().toString();
      if (Files.isRegularFile(file)
          && (COMPANIONS.contains(name) || COMPANION_ENDING.matcher(name).matches())) {
        found.put(name, file);
      }
    }
    return found;
  }

  private static void requireVacant(Path target) throws IOException {
    if (Files.exists(target) && !(Files.isDirectory(target) && list(target).isEmpty())) {
      throw new FileAlreadyExistsException(
          target.toString(), null, "expected a new or empty directory, found files");
    }
  }

  private static boolean isWeights(String name) {
    return WeightFormat.SAFETENSORS.owns(name) || WeightFormat.TORCH.owns(name);
  }

  private static List<Path> list(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  private static void deleteTree(Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      for (Path file : list(directory)) {
        Files.delete(file); // we only ever put files there
      }
      Files.delete(directory);
    }
  }
}
