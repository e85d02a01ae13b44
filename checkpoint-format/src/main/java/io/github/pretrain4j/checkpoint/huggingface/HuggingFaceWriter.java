package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.CheckpointWriteException;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.SafetensorsWriter;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
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
import java.util.stream.Stream;

/**
 * Makes a Hugging Face model directory: weights, index, and the files beside them. Not thread-safe.
 *
 * <p>Everything is written into a sibling directory first, which then appears by one rename: the
 * model is there as a whole or not at all. A directory that holds files already is refused.
 */
public final class HuggingFaceWriter {
  /** Beside {@code *.py}: what a loader may want of a reference directory. */
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
          "README.md");

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

  private List<String> writeWeights(
      Path target, List<List<TensorInfo>> shards, TensorContent content) throws IOException {
    List<String> fileNames = new ArrayList<>();
    Map<String, String> weightMap = new LinkedHashMap<>();
    long totalBytes = 0;
    long totalParameters = 0;
    for (int i = 0; i < shards.size(); i++) {
      String name =
          shards.size() == 1 ? format.singleFile() : format.shardFile(i + 1, shards.size());
      writeShard(target.resolve(name), shards.get(i), content);
      fileNames.add(name);
      for (TensorInfo tensor : shards.get(i)) {
        weightMap.put(tensor.name(), name);
        totalBytes += tensor.byteCount();
        totalParameters += tensor.elementCount();
      }
    }
    if (shards.size() > 1) {
      ShardIndex index = new ShardIndex(weightMap, totalBytes, totalParameters);
      DurableFiles.write(target.resolve(format.indexFile()), ByteBuffer.wrap(index.toJson()));
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
    Map<String, Path> companions = new TreeMap<>();
    for (Path reference : references) {
      try (Stream<Path> listed = Files.list(reference)) {
        for (Path file : listed.filter(Files::isRegularFile).toList()) {
          String name = file.getFileName().toString();
          if (COMPANIONS.contains(name) || name.endsWith(".py")) {
            companions.putIfAbsent(name, file);
          }
        }
      }
    }
    for (Map.Entry<String, Path> companion : companions.entrySet()) {
      if (!files.containsKey(companion.getKey())) {
        DurableFiles.write(
            target.resolve(companion.getKey()),
            ByteBuffer.wrap(Files.readAllBytes(companion.getValue())));
      }
    }
    for (Map.Entry<String, ByteBuffer> file : files.entrySet()) {
      DurableFiles.write(target.resolve(file.getKey()), file.getValue().duplicate());
    }
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
