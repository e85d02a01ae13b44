package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.hash.Hashing;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The identity of a model: size and SHA-256 of each of its files.
 *
 * <pre>
 *   {"format":1, "sha256":"…", "files":[{"path":"config.json","size":612,"sha256":"…"}, …]}
 * </pre>
 *
 * @param files sorted by path, each path once
 */
public record ModelManifest(List<Entry> files) {
  private static final int FORMAT = 1;
  private static final long MAX_BYTES = 64 << 20;
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  /**
   * A file of the model.
   *
   * @param path relative, with {@code /}
   * @param sha256 64 lower-case hexadecimal digits
   */
  public record Entry(String path, long size, String sha256) {
    public Entry {
      Path parsed = Path.of(path);
      if (path.isEmpty() || parsed.isAbsolute() || !parsed.normalize().equals(parsed)) {
        throw new IllegalArgumentException("not a plain relative path: '" + path + "'");
      }
      if (path.startsWith("..")) {
        throw new IllegalArgumentException("path leaves the folder: '" + path + "'");
      }
      if (size < 0 || !SHA256.matcher(sha256).matches()) {
        throw new IllegalArgumentException("bad size or SHA-256 of '" + path + "'");
      }
    }
  }

  public ModelManifest {
    files = files.stream().sorted(Comparator.comparing(Entry::path)).toList();
    for (int i = 1; i < files.size(); i++) {
      if (files.get(i).path().equals(files.get(i - 1).path())) {
        throw new IllegalArgumentException("listed twice: " + files.get(i).path());
      }
    }
  }

  /** SHA-256 of one line {@code sha256 size path\n} for each file, in order. */
  public String sha256() {
    StringBuilder lines = new StringBuilder();
    for (Entry file : files) {
      lines.append(file.sha256()).append(' ').append(file.size()).append(' ');
      lines.append(file.path()).append('\n');
    }
    return Hashing.sha256().hashString(lines, StandardCharsets.UTF_8).toString();
  }

  public long totalBytes() {
    return files.stream().mapToLong(Entry::size).sum();
  }

  /** Writes it so that a crash leaves either all of it or nothing. */
  public void write(Path file) throws IOException {
    DurableFiles.replace(
        file, Json.pretty(new Stored(FORMAT, sha256(), files)).getBytes(StandardCharsets.UTF_8));
  }

  private record Stored(int format, String sha256, List<Entry> files) {}

  /** Reads what {@link #write} wrote. */
  public static ModelManifest read(Path file) throws IOException {
    long size = Files.size(file);
    if (size > MAX_BYTES) {
      throw new CorruptModelException(file, "size", MAX_BYTES + " at most", size);
    }
    JsonNode root;
    try {
      root = Json.mapper().readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new CorruptModelException(file, "manifest", "JSON", e.getOriginalMessage(), e);
    }
    if (root.path("format").asInt(-1) != FORMAT || !root.path("files").isArray()) {
      throw new CorruptModelException(file, "format", FORMAT, root.path("format"));
    }
    ModelManifest manifest;
    try {
      List<Entry> entries = new ArrayList<>();
      for (JsonNode entry : root.get("files")) {
        entries.add(
            new Entry(
                entry.path("path").asText(),
                entry.path("size").asLong(-1),
                entry.path("sha256").asText()));
      }
      manifest = new ModelManifest(entries);
    } catch (IllegalArgumentException e) {
      throw new CorruptModelException(
          file, "files", "valid entries", String.valueOf(e.getMessage()), e);
    }
    if (!manifest.sha256().equals(root.path("sha256").asText())) {
      throw new CorruptModelException(
          file, "sha256", manifest.sha256(), root.path("sha256").asText());
    }
    return manifest;
  }
}
