package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the flows of one service remember: one JSON file {@code STORE/NAME/TARGET.json}, replaced as
 * a whole and on disk before a call returns.
 *
 * <pre>
 *   {"format":1, "state":"SERVING", "step":"first-request", "failure":null, "model":"…", "values":{…}}
 * </pre>
 *
 * <p>An open journal holds the lock {@code STORE/NAME/.TARGET.lock}; a second one, in this or
 * another process, is refused. Not thread-safe.
 */
public final class DeployJournal implements AutoCloseable {
  private static final int FORMAT = 1;
  private static final int MAX_BYTES = 16 << 20;

  private final Path file;
  private final @Nullable FileChannel lock; // null: read only
  private ObjectNode root;

  private DeployJournal(Path file, @Nullable FileChannel lock, ObjectNode root) {
    this.file = file;
    this.lock = lock;
    this.root = root;
  }

  private static Path file(ServiceReference service, String target) {
    return service.directory().resolve(target + ".json");
  }

  /** Opens or creates the journal, and locks it. */
  public static DeployJournal open(ServiceReference service, String target) throws IOException {
    Files.createDirectories(service.directory());
    Path lockFile = service.directory().resolve("." + target + ".lock");
    FileChannel channel =
        FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock;
      try {
        lock = channel.tryLock();
      } catch (OverlappingFileLockException e) {
        lock = null; // held by another thread of this process
      }
      if (lock == null) {
        throw new DeployException(
            "another deployment of '" + service.name() + "' is at work (" + lockFile + ")");
      }
      return new DeployJournal(file(service, target), channel, read(file(service, target)));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** The journal as it is now, for reading only. */
  public static DeployJournal peek(ServiceReference service, String target) throws IOException {
    return new DeployJournal(file(service, target), null, read(file(service, target)));
  }

  private static ObjectNode read(Path file) throws IOException {
    byte[] bytes;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new CorruptModelException(file, "size", MAX_BYTES + " at most", Files.size(file));
      }
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      ObjectNode fresh = Json.mapper().createObjectNode();
      fresh.put("format", FORMAT).putObject("values");
      return fresh;
    }
    JsonNode node;
    try {
      node = Json.mapper().readTree(bytes);
    } catch (JsonProcessingException e) {
      throw new CorruptModelException(file, "journal", "JSON", e.getOriginalMessage(), e);
    }
    if (!(node instanceof ObjectNode object) || !(node.get("values") instanceof ObjectNode)) {
      throw new CorruptModelException(file, "journal", "an object with values", node.getNodeType());
    }
    if (object.path("format").asInt(-1) != FORMAT) {
      throw new CorruptModelException(file, "format", FORMAT, object.path("format"));
    }
    return object;
  }

  /** The value kept under {@code key}, or null. */
  public <T> @Nullable T get(String key, Class<T> type) throws CorruptModelException {
    JsonNode value = values().get(key);
    if (value == null) {
      return null;
    }
    try {
      return Json.mapper().treeToValue(value, type);
    } catch (JsonProcessingException e) {
      throw new CorruptModelException(file, key, type.getSimpleName(), e.getOriginalMessage(), e);
    }
  }

  /** Keeps {@code value} under {@code key}. */
  public void put(String key, Object value) throws IOException {
    update(Map.of(key, value), java.util.Set.of());
  }

  /** Keeps and forgets several values in one stroke. */
  public void update(Map<String, ?> kept, java.util.Set<String> forgotten) throws IOException {
    ObjectNode next = root.deepCopy();
    ObjectNode values = (ObjectNode) next.get("values");
    values.remove(forgotten);
    kept.forEach((key, value) -> values.set(key, Json.mapper().valueToTree(value)));
    write(next);
  }

  /** How far the last flow came, or null if there was none. */
  public @Nullable DeployState state() throws CorruptModelException {
    JsonNode state = root.get("state");
    if (state == null) {
      return null;
    }
    try {
      return DeployState.valueOf(state.asText());
    } catch (IllegalArgumentException e) {
      throw new CorruptModelException(file, "state", "a deploy state", state, e);
    }
  }

  /** Why the last flow ended early, or null if it did not. */
  public @Nullable String failure() {
    JsonNode failure = root.get("failure");
    return failure == null ? null : failure.asText();
  }

  void enter(DeployState state, String step, @Nullable String failure) throws IOException {
    ObjectNode next = root.deepCopy();
    next.put("state", state.name()).put("step", step);
    if (failure == null) {
      next.remove("failure");
    } else {
      next.put("failure", failure);
    }
    write(next);
  }

  private ObjectNode values() {
    return (ObjectNode) root.get("values");
  }

  private void write(ObjectNode next) throws IOException {
    if (lock == null || !lock.isOpen()) {
      throw new IllegalStateException("the journal is not open for writing");
    }
    DurableFiles.replace(
        file, Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(next));
    root = next;
  }

  @Override
  public void close() throws IOException {
    if (lock != null) {
      lock.close(); // releases the lock; the empty lock file stays, deleting it would race
    }
  }
}
