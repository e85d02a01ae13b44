package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which files of a directory hold the weights.
 *
 * <p>First what transformers looks for: the single file, then the index, of safetensors and then of
 * torch. If there is neither: the only index of another name ({@code
 * model.safetensors.index.fp16.json}), the only single file of a variant ({@code
 * model.fp16.safetensors}), or the only complete set of numbered files; several are refused, since
 * any choice would be a guess.
 *
 * @param index which tensor is in which file; null if no file says so
 * @param warnings what is odd about them
 */
record WeightFiles(
    WeightFormat format, List<Path> files, @Nullable ShardIndex index, List<String> warnings) {

  private static final int MAX_SHARDS = 100_000;

  static WeightFiles find(Path directory) throws IOException {
    for (WeightFormat format : WeightFormat.values()) {
      Path single = directory.resolve(format.singleFile());
      if (Files.exists(single)) {
        return new WeightFiles(format, List.of(single), null, List.of());
      }
      if (Files.exists(directory.resolve(format.indexFile()))) {
        return indexed(directory, format, format.indexFile(), List.of());
      }
    }
    List<String> names;
    try (Stream<Path> files = Files.list(directory)) {
      names = files.map(file -> file.getFileName().toString()).sorted().toList();
    }
    for (WeightFormat format : WeightFormat.values()) {
      WeightFiles odd = new Search(directory, format, names).find();
      if (odd != null) {
        return odd;
      }
    }
    throw new NoSuchFileException(
        directory.toString(),
        null,
        "no model.safetensors, pytorch_model.bin or index of either in it");
  }

  private static WeightFiles indexed(
      Path directory, WeightFormat format, String name, List<String> warnings) throws IOException {
    ShardIndex index = ShardIndex.read(directory.resolve(name));
    List<Path> files = index.files().stream().map(directory::resolve).toList();
    return new WeightFiles(format, files, index, warnings);
  }

  /** Looks for names that transformers only finds when it is told of them. */
  private record Search(Path directory, WeightFormat format, List<String> names) {

    @Nullable WeightFiles find() throws IOException {
      Pattern indexName =
          Pattern.compile(".+" + Pattern.quote(format.extension()) + "\\.index(\\.[^.]+)?\\.json");
      List<String> indices = names.stream().filter(n -> indexName.matcher(n).matches()).toList();
      if (!indices.isEmpty()) {
        String index = only(indices);
        return indexed(directory, format, index, List.of("the weights are those of " + index));
      }
      Pattern variant =
          Pattern.compile(
              Pattern.quote(format.stem()) + "\\.[^.]+" + Pattern.quote(format.extension()));
      List<String> variants =
          new ArrayList<>(
              names.stream()
                  .filter(n -> variant.matcher(n).matches() && numbers(n) == null)
                  .toList());
      Map<String, List<String>> sets = sets();
      variants.addAll(sets.keySet());
      if (variants.isEmpty()) {
        return null;
      }
      String found = only(variants);
      List<String> set = sets.get(found);
      if (set == null) {
        return new WeightFiles(
            format,
            List.of(directory.resolve(found)),
            null,
            List.of("the weights are those of " + found));
      }
      return new WeightFiles(
          format,
          set.stream().map(directory::resolve).toList(),
          null,
          List.of("no index: the weights are all tensors of " + found));
    }

    private String only(List<String> candidates) throws IOException {
      if (candidates.size() > 1) {
        throw new CorruptCheckpointException(
            directory, 0, "weights", "one set of files", String.join(" and ", candidates));
      }
      return candidates.get(0);
    }

    /** {@code stem-K-of-N}, with any number of digits; null for other names. */
    private @Nullable Matcher numbers(String name) {
      Matcher numbers =
          Pattern.compile("(.+)-(\\d{1,9})-of-(\\d{1,9})" + Pattern.quote(format.extension()))
              .matcher(name);
      return numbers.matches() && !name.startsWith("consolidated") ? numbers : null;
    }

    /** The numbered files by what they have in common, each set complete and in order. */
    private Map<String, List<String>> sets() throws IOException {
      Map<String, TreeMap<Integer, String>> found = new TreeMap<>();
      Map<String, Integer> counts = new TreeMap<>();
      for (String name : names) {
        Matcher numbers = numbers(name);
        if (numbers != null) {
          String set = numbers.group(1) + "-*-of-" + numbers.group(3) + format.extension();
          counts.put(set, Integer.valueOf(numbers.group(3)));
          found
              .computeIfAbsent(set, key -> new TreeMap<>())
              .put(Integer.valueOf(numbers.group(2)), name);
        }
      }
      Map<String, List<String>> sets = new TreeMap<>();
      for (Map.Entry<String, TreeMap<Integer, String>> entry : found.entrySet()) {
        TreeMap<Integer, String> shards = entry.getValue();
        int count = counts.getOrDefault(entry.getKey(), 0);
        if (count < 1
            || count > MAX_SHARDS
            || shards.size() != count
            || shards.firstKey() != 1
            || shards.lastKey() != count) {
          throw new NoSuchFileException(
              directory.resolve(entry.getKey()).toString(),
              null,
              "there is no index, and of these files only the numbers " + shards.keySet());
        }
        sets.put(entry.getKey(), List.copyOf(shards.values()));
      }
      return sets;
    }
  }
}
