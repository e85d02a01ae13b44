package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a folder: one file, or shards with an index, as safetensors or as PyTorch pickles.
 * Checks them against each other; reads headers and directories only, never the numbers.
 */
final class WeightFiles {
  private static final long MAX_INDEX_BYTES = 256 << 20;
  private static final Pattern SAFETENSORS = Pattern.compile("[^/]+\\.safetensors");
  private static final Pattern BIN = Pattern.compile("pytorch_model[^/]*\\.bin");
  private static final Pattern SHARD = Pattern.compile("(.+)-(\\d{5,})-of-(\\d{5,})\\.[a-z]+");

  private final ModelFolder folder;
  private @Nullable String format;

  /** Tensors of all shards; empty for PyTorch pickles, whose headers are not read here. */
  private final SortedMap<String, SafetensorsHeader.Tensor> tensors = new TreeMap<>();

  private final Map<String, String> shardOfTensor = new HashMap<>();
  private boolean readable = true;

  private WeightFiles(ModelFolder folder) {
    this.folder = folder;
  }

  static WeightFiles check(ModelFolder folder) {
    WeightFiles weights = new WeightFiles(folder);
    weights.check();
    return weights;
  }

  /** {@code safetensors}, {@code bin}, or null if there are no weights. */
  @Nullable String format() {
    return format;
  }

  /** All tensors, or null if not every one of them could be seen. */
  @Nullable SortedMap<String, SafetensorsHeader.Tensor> tensors() {
    return "safetensors".equals(format) && readable && !tensors.isEmpty() ? tensors : null;
  }

  private void check() {
    List<String> safetensors = matching(SAFETENSORS);
    List<String> bin = matching(BIN);
    if (safetensors.isEmpty() && bin.isEmpty()) {
      folder.error("weights", "", "no weights: neither *.safetensors nor pytorch_model*.bin");
      return;
    }
    if (!safetensors.isEmpty() && !bin.isEmpty()) {
      folder.warning(
          "two-formats", "", "weights are there twice, as safetensors and as .bin: delete one set");
    }
    if (safetensors.isEmpty()) {
      format = "bin";
      folder.warning(
          "pickle",
          "",
          "weights are PyTorch pickles, which can run code when loaded elsewhere: prefer safetensors");
      bin.forEach(this::checkZip);
      checkSet(bin, "pytorch_model.bin");
    } else {
      format = "safetensors";
      safetensors.forEach(this::checkHeader);
      checkSet(safetensors, "model.safetensors");
    }
  }

  private List<String> matching(Pattern pattern) {
    return folder.files().stream().filter(f -> pattern.matcher(f).matches()).toList();
  }

  private void checkHeader(String file) {
    if (folder.size(file) == 0) {
      folder.error("empty-shard", file, "is empty");
      readable = false;
      return;
    }
    try {
      SafetensorsHeader header = SafetensorsHeader.read(folder.resolve(file));
      header
          .tensors()
          .forEach(
              (name, tensor) -> {
                tensors.put(name, tensor);
                String other = shardOfTensor.put(name, file);
                if (other != null) {
                  folder.error("duplicate-tensor", file, "tensor " + name + " is also in " + other);
                }
              });
    } catch (SafetensorsHeader.BadHeader e) {
      folder.error("safetensors-header", file, String.valueOf(e.getMessage()));
      readable = false;
    } catch (IOException e) {
      folder.error("unreadable", file, "cannot be read: " + e);
      readable = false;
    }
  }

  private void checkZip(String file) {
    if (folder.size(file) == 0) {
      folder.error("empty-shard", file, "is empty");
      return;
    }
    try (ZipFile zip = new ZipFile(folder.resolve(file).toFile())) {
      if (zip.stream().noneMatch(entry -> entry.getName().endsWith("data.pkl"))) {
        folder.error(
            "torch-file", file, "is a zip file without data.pkl, not one that torch.save wrote");
      }
    } catch (ZipException e) {
      folder.error("torch-file", file, "is cut off or not a torch.save file: " + e.getMessage());
    } catch (IOException e) {
      folder.error("unreadable", file, "cannot be read: " + e);
    }
  }

  /** One whole set of weights: the single file, or all shards and their index. */
  private void checkSet(List<String> files, String single) {
    String index = single + ".index.json";
    checkShardNumbers(files);
    if (folder.has(index)) {
      checkIndex(index, files);
    } else if (!files.equals(List.of(single))) {
      folder.error(
          "index",
          "",
          "weights are "
              + ModelFolder.some(files)
              + " but there is no "
              + index
              + (files.size() == 1 ? "; a single file is named " + single : ""));
    }
  }

  private void checkShardNumbers(List<String> files) {
    SortedMap<String, SortedSet<Integer>> numbers = new TreeMap<>();
    SortedMap<String, Integer> counts = new TreeMap<>();
    for (String file : files) {
      Matcher matcher = SHARD.matcher(file);
      if (matcher.matches() && matcher.group(2).length() < 8 && matcher.group(3).length() < 8) {
        String set = matcher.group(1) + "-of-" + matcher.group(3);
        numbers.computeIfAbsent(set, s -> new TreeSet<>()).add(Integer.parseInt(matcher.group(2)));
        counts.put(set, Integer.parseInt(matcher.group(3)));
      }
    }
    if (counts.size() > 1) {
      folder.error("shards", "", "shards of several sets are mixed: " + counts.keySet());
    }
    counts.forEach(
        (set, count) -> {
          SortedSet<Integer> found = numbers.getOrDefault(set, new TreeSet<>());
          List<String> missing = new ArrayList<>();
          for (int k = 1; k <= count && missing.size() < 6; k++) {
            if (!found.contains(k)) {
              missing.add(String.valueOf(k));
            }
          }
          if (!missing.isEmpty()) {
            folder.error("shards", "", set + ": missing shard " + ModelFolder.some(missing));
          }
        });
  }

  private void checkIndex(String index, List<String> files) {
    ObjectNode root = folder.object(index, MAX_INDEX_BYTES);
    if (root == null) {
      return;
    }
    if (!(root.get("weight_map") instanceof ObjectNode map) || map.isEmpty()) {
      folder.error("index", index, "has no weight_map");
      return;
    }
    SortedSet<String> named = new TreeSet<>();
    SortedSet<String> absent = new TreeSet<>();
    SortedSet<String> notInShard = new TreeSet<>();
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      String shard = entry.getValue().asText();
      (folder.has(shard) ? named : absent).add(shard);
      if (tensors() != null
          && folder.has(shard)
          && !shard.equals(shardOfTensor.get(entry.getKey()))) {
        notInShard.add(entry.getKey());
      }
    }
    if (!absent.isEmpty()) {
      folder.error("index", index, "names files that are not there: " + ModelFolder.some(absent));
    }
    if (!notInShard.isEmpty()) {
      folder.error(
          "index",
          index,
          "places tensors in shards that lack them: " + ModelFolder.some(notInShard));
    }
    List<String> unnamed = files.stream().filter(f -> !named.contains(f)).toList();
    if (!unnamed.isEmpty()) {
      folder.warning("index", index, "does not name " + ModelFolder.some(unnamed));
    }
    if (tensors() != null) {
      List<String> unlisted = tensors.keySet().stream().filter(t -> !map.has(t)).toList();
      if (!unlisted.isEmpty()) {
        folder.error(
            "index",
            index,
            "does not list tensors that shards hold: " + ModelFolder.some(unlisted));
      }
    }
    checkTotal(index, root, named);
  }

  private void checkTotal(String index, ObjectNode root, Collection<String> shards) {
    JsonNode total = root.path("metadata").path("total_size");
    if (!total.isIntegralNumber()) {
      folder.warning("total-size", index, "has no metadata.total_size");
      return;
    }
    if (tensors() != null) {
      long bytes = tensors.values().stream().mapToLong(t -> t.end() - t.begin()).sum();
      if (bytes != total.asLong()) {
        folder.warning(
            "total-size",
            index,
            "total_size is " + total + ", the tensors take " + bytes + " bytes");
      }
    } else if ("bin".equals(format)) {
      long bytes = shards.stream().mapToLong(folder::size).sum();
      if (bytes < total.asLong()) {
        folder.error(
            "total-size",
            index,
            "total_size is " + total + " but the files have only " + bytes + " bytes");
      }
    }
  }
}
