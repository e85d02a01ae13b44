package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The files of a Hugging Face folder that count, and the findings made while looking at them. */
final class ModelFolder {
  private static final int MAX_FILES = 10_000;
  private static final Pattern TRAINING =
      Pattern.compile(
          "model_optim_rng\\.pt|distrib_optim\\.pt|latest_checkpointed_iteration\\.txt|iter_\\d+|mp_rank_.*");
  private static final Pattern LEFT_OUT =
      Pattern.compile("\\..*|__pycache__|.*\\.log|.*\\.pyc|.*\\.tmp|events\\.out\\.tfevents.*");

  private final Path directory;
  private final SortedMap<String, Long> sizes = new TreeMap<>();
  private final List<Finding> findings = new ArrayList<>();

  private ModelFolder(Path directory) {
    this.directory = directory;
  }

  static ModelFolder scan(Path directory) throws IOException {
    ModelFolder folder = new ModelFolder(directory.toRealPath());
    Files.walkFileTree(folder.directory, folder.new Visitor());
    return folder;
  }

  private final class Visitor extends SimpleFileVisitor<Path> {
    @Override
    public FileVisitResult preVisitDirectory(Path visited, BasicFileAttributes attributes) {
      if (visited.equals(directory)) {
        return FileVisitResult.CONTINUE;
      }
      return take(visited) ? FileVisitResult.CONTINUE : FileVisitResult.SKIP_SUBTREE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      if (!take(file)) {
        return FileVisitResult.CONTINUE;
      }
      if (sizes.size() == MAX_FILES) {
        error(
            "file-count", "", "more than " + MAX_FILES + " files: this is not one model's folder");
        return FileVisitResult.TERMINATE;
      }
      String path = path(file);
      if (attributes.isSymbolicLink()) {
        if (!Files.exists(file)) {
          error("link", path, "is a symbolic link to nothing");
        } else if (!file.toRealPath().startsWith(directory)) {
          error("link", path, "is a symbolic link that leaves the folder: copy the file instead");
        } else if (!Files.isRegularFile(file)) {
          error("link", path, "is a symbolic link to something that is not a file");
        } else {
          sizes.put(path, Files.size(file));
        }
      } else if (!attributes.isRegularFile()) {
        error("file-kind", path, "is not a regular file");
      } else {
        sizes.put(path, attributes.size());
      }
      return FileVisitResult.CONTINUE;
    }

    /** Whether the entry belongs to the model; says so if it does not. */
    private boolean take(Path entry) {
      String name = String.valueOf(entry.getFileName());
      if (TRAINING.matcher(name).matches()) {
        error(
            "training-file",
            path(entry),
            "belongs to a Megatron checkpoint: convert it to Hugging Face first and deploy that folder");
        return false;
      }
      if (LEFT_OUT.matcher(name).matches()) {
        warning("left-out", path(entry), "is left out: no part of a model");
        return false;
      }
      return true;
    }

    private String path(Path entry) {
      return directory.relativize(entry).toString().replace('\\', '/');
    }
  }

  Path resolve(String path) {
    return directory.resolve(path);
  }

  boolean has(String path) {
    return sizes.containsKey(path);
  }

  long size(String path) {
    Long size = sizes.get(path);
    if (size == null) {
      throw new IllegalArgumentException("no such file: " + path);
    }
    return size;
  }

  List<String> files() {
    return List.copyOf(sizes.keySet());
  }

  long totalBytes() {
    return sizes.values().stream().mapToLong(Long::longValue).sum();
  }

  void error(String rule, String file, String message) {
    findings.add(Finding.error(rule, file, message));
  }

  void warning(String rule, String file, String message) {
    findings.add(Finding.warning(rule, file, message));
  }

  List<Finding> findings() {
    return List.copyOf(findings);
  }

  /** Reads a JSON object; null after an error finding if it is not one or longer than allowed. */
  @Nullable ObjectNode object(String file, long maxBytes) {
    long size = size(file);
    if (size > maxBytes) {
      error("json", file, "is " + size + " bytes long, at most " + maxBytes + " make sense");
      return null;
    }
    try {
      byte[] bytes = Files.readAllBytes(resolve(file));
      JsonNode node = Json.mapper().readTree(bytes);
      if (node instanceof ObjectNode object) {
        return object;
      }
      error("json", file, bytes.length == 0 ? "is empty" : "is not a JSON object");
    } catch (JsonProcessingException e) {
      long at = e.getLocation() == null ? -1 : e.getLocation().getByteOffset();
      error("json", file, "is not JSON at byte " + at + ": " + firstLine(e.getOriginalMessage()));
    } catch (IOException e) {
      error("unreadable", file, "cannot be read: " + e);
    }
    return null;
  }

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }

  /** A text as a list of names for a message, cut after a few. */
  static String some(Iterable<String> names) {
    StringBuilder text = new StringBuilder();
    int count = 0;
    for (String name : names) {
      if (count < 5) {
        text.append(count == 0 ? "" : ", ").append(name);
      }
      count++;
    }
    return count > 5 ? text + " and " + (count - 5) + " more" : text.toString();
  }
}
