package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.ItemFile;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A directory with {@code .metadata} and {@code .distcp} files, read by key. Thread-safe; {@link
 * #close} is idempotent.
 */
public final class DistributedCheckpoint implements AutoCloseable {
  /** Open items, a few kilobytes each: those that the workers of a conversion are at. */
  private static final int MAX_OPEN_ITEMS = 1024;

  private static final int MAX_PROBLEMS = 20;

  private final Path directory;
  private final DistributedMetadata metadata;
  private final Map<String, ChunkedTensor> tensors = new LinkedHashMap<>();
  private final List<TensorInfo> infos;
  private final Map<String, ItemFile> files = new TreeMap<>();
  private final Map<StoredItem, TorchFileReader> items =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<StoredItem, TorchFileReader> eldest) {
          return size() > MAX_OPEN_ITEMS;
        }
      };
  private boolean closed;

  private DistributedCheckpoint(Path directory, DistributedMetadata metadata) {
    this.directory = directory;
    this.metadata = metadata;
    for (StoredTensor tensor : metadata.tensors().values()) {
      List<ChunkedTensor.ChunkReader> readers = new ArrayList<>();
      for (int i = 0; i < tensor.chunks().size(); i++) {
        TensorInfo chunk =
            new TensorInfo(
                tensor.info().name(), tensor.info().type(), tensor.chunks().get(i).sizes());
        StoredItem item = tensor.items().get(i);
        readers.add((offset, target) -> readChunk(chunk, item, offset, target));
      }
      tensors.put(tensor.info().name(), new ChunkedTensor(tensor.info(), tensor.chunks(), readers));
    }
    this.infos = metadata.tensors().values().stream().map(StoredTensor::info).toList();
  }

  /** Whether a directory holds such a checkpoint. */
  public static boolean isIn(Path directory) {
    return Files.isRegularFile(directory.resolve(DistributedMetadata.FILE));
  }

  /**
   * Opens a checkpoint. Reads {@code .metadata} only; items are opened when they are asked for.
   *
   * @throws CorruptCheckpointException if it is damaged, chunks do not tile their tensors, or items
   *     do not lie one behind another inside their files
   */
  public static DistributedCheckpoint open(Path directory) throws IOException {
    DistributedMetadata metadata = DistributedMetadata.read(directory);
    checkPlaces(directory, metadata);
    return new DistributedCheckpoint(directory, metadata);
  }

  private static Map<String, List<StoredItem>> itemsByFile(DistributedMetadata metadata) {
    Map<String, List<StoredItem>> byFile = new TreeMap<>();
    for (StoredTensor tensor : metadata.tensors().values()) {
      for (StoredItem item : tensor.items()) {
        byFile.computeIfAbsent(item.file(), file -> new ArrayList<>()).add(item);
      }
    }
    for (StoredItem item : metadata.objects().values()) {
      byFile.computeIfAbsent(item.file(), file -> new ArrayList<>()).add(item);
    }
    byFile.values().forEach(list -> list.sort(Comparator.comparingLong(StoredItem::byteOffset)));
    return byFile;
  }

  private static void checkPlaces(Path directory, DistributedMetadata metadata) throws IOException {
    List<String> problems = new ArrayList<>();
    for (Map.Entry<String, List<StoredItem>> entry : itemsByFile(metadata).entrySet()) {
      Path file = directory.resolve(entry.getKey());
      if (!Files.isRegularFile(file)) {
        problems.add(entry.getKey() + " is missing");
        continue;
      }
      long size = Files.size(file);
      long end = 0;
      long start = -1;
      for (StoredItem item : entry.getValue()) {
        if (item.byteOffset() == start && item.end() == end) {
          continue; // one item may have several keys
        }
        start = item.byteOffset();
        if (start < end) {
          problems.add(entry.getKey() + ": two items overlap at byte " + item.byteOffset());
          break;
        }
        end = item.end();
      }
      if (end > size) {
        problems.add(entry.getKey() + " has " + size + " bytes, its items need " + end);
      }
    }
    if (!problems.isEmpty()) {
      int more = problems.size() - MAX_PROBLEMS;
      throw new CorruptCheckpointException(
          directory.resolve(DistributedMetadata.FILE),
          0,
          "data files",
          "items inside the files beside it",
          String.join("; ", problems.subList(0, Math.min(MAX_PROBLEMS, problems.size())))
              + (more > 0 ? "; and " + more + " more" : ""));
    }
  }

  /** The directory. */
  public Path directory() {
    return directory;
  }

  /** All tensors whole, by key, in the order of the metadata. Closing it does nothing. */
  public TensorSource tensors() {
    return new TensorSource() {
      @Override
      public List<TensorInfo> tensors() {
        return infos;
      }

      @Override
      public @Nullable TensorInfo find(String key) {
        StoredTensor tensor = metadata.tensors().get(key);
        return tensor == null ? null : tensor.info();
      }

      @Override
      public void read(String key, long byteOffset, ByteBuffer target) throws IOException {
        ChunkedTensor tensor = tensors.get(key);
        if (tensor == null) {
          throw new IllegalArgumentException("no tensor named " + key);
        }
        tensor.read(byteOffset, target);
      }

      @Override
      public void close() {}
    };
  }

  /**
   * The chunks of a tensor, in the order of the metadata.
   *
   * @throws IllegalArgumentException if there is no such tensor
   */
  public List<Chunk> chunks(String key) {
    StoredTensor tensor = metadata.tensors().get(key);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + key);
    }
    return tensor.chunks();
  }

  /**
   * A tensor that was saved shard by shard as flat runs, in its own shape. Megatron-Core's
   * distributed optimizer of 2024 saves the state of a tensor of shape [X, Y] that is sharded x by
   * y as [x, y, X/x * Y/y]: a grid of shards, each flattened.
   *
   * @param shape of the result
   * @throws IllegalArgumentException if there is no such tensor, or it is no such grid of a tensor
   *     of that shape
   */
  public TensorSource fromFlatShards(String key, List<Long> shape) {
    TensorInfo flat = tensors().get(key);
    int rank = shape.size();
    List<Long> grid = flat.shape().subList(0, Math.min(rank, flat.shape().size()));
    List<Long> cell = new ArrayList<>();
    long cellElements = 1;
    for (int axis = 0; axis < grid.size(); axis++) {
      long parts = grid.get(axis);
      boolean divides = parts > 0 && shape.get(axis) % parts == 0;
      cell.add(divides ? shape.get(axis) / parts : 0);
      cellElements *= cell.get(axis);
    }
    if (flat.shape().size() != rank + 1
        || cellElements == 0
        || flat.shape().get(rank) != cellElements) {
      throw new IllegalArgumentException(flat + " is no grid of flat shards of " + shape);
    }
    long cellBytes = cellElements * flat.type().bytes();
    List<Chunk> cells = new ArrayList<>();
    List<ChunkedTensor.ChunkReader> readers = new ArrayList<>();
    long count = flat.byteCount() / cellBytes;
    for (long i = 0; i < count; i++) {
      Long[] offsets = new Long[rank];
      long rest = i;
      for (int axis = rank - 1; axis >= 0; axis--) {
        offsets[axis] = rest % grid.get(axis) * cell.get(axis);
        rest /= grid.get(axis);
      }
      long start = i * cellBytes;
      cells.add(new Chunk(List.of(offsets), cell));
      readers.add((offset, target) -> tensors().read(key, start + offset, target));
    }
    TensorInfo info = new TensorInfo(key, flat.type(), shape);
    return new OneTensor(info, new ChunkedTensor(info, cells, readers));
  }

  private record OneTensor(TensorInfo info, ChunkedTensor chunks) implements TensorSource {
    @Override
    public List<TensorInfo> tensors() {
      return List.of(info);
    }

    @Override
    public @Nullable TensorInfo find(String name) {
      return name.equals(info.name()) ? info : null;
    }

    @Override
    public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
      get(name);
      chunks.read(byteOffset, target);
    }

    @Override
    public void close() {}
  }

  /** Whether two keys are names of the same data. */
  public boolean isSameData(String key, String otherKey) {
    StoredTensor tensor = metadata.tensors().get(key);
    StoredTensor other = metadata.tensors().get(otherKey);
    return tensor != null
        && other != null
        && tensor.chunks().equals(other.chunks())
        && tensor.items().equals(other.items());
  }

  /** The keys of the byte items, in the order of the metadata. */
  public List<String> objectKeys() {
    return List.copyOf(metadata.objects().keySet());
  }

  /**
   * A byte item as the torch archive that it holds. It need not be closed, and works as long as
   * this checkpoint is open.
   *
   * @throws IllegalArgumentException if there is no such item
   * @throws CorruptCheckpointException if it is no torch archive
   */
  public TorchFileReader object(String key) throws IOException {
    StoredItem item = metadata.objects().get(key);
    if (item == null) {
      throw new IllegalArgumentException("no bytes named " + key);
    }
    return archive(item);
  }

  /**
   * Reads every item whole and checks its checksums, and that chunks are what the metadata says.
   * Bytes that are no torch archive are not looked into.
   */
  public void verify() throws IOException {
    for (StoredTensor tensor : metadata.tensors().values()) {
      for (int i = 0; i < tensor.items().size(); i++) {
        TensorInfo chunk =
            new TensorInfo(
                tensor.info().name(), tensor.info().type(), tensor.chunks().get(i).sizes());
        StoredItem item = tensor.items().get(i);
        TorchFileReader archive = file(item).torch(item.byteOffset(), item.byteCount());
        check(chunk, item, archive);
        archive.verify();
      }
    }
    for (StoredItem item : metadata.objects().values()) {
      if (isArchive(item)) {
        file(item).torch(item.byteOffset(), item.byteCount()).verify();
      }
    }
  }

  private boolean isArchive(StoredItem item) throws IOException {
    if (item.byteCount() < 4) {
      return false;
    }
    ByteBuffer start = ByteBuffer.allocate(4);
    file(item).read(item.byteOffset(), start);
    return start.getInt(0) == 0x504B0304;
  }

  private void readChunk(TensorInfo chunk, StoredItem item, long byteOffset, ByteBuffer target)
      throws IOException {
    TorchFileReader archive = archive(item);
    archive.read(check(chunk, item, archive), byteOffset, target);
  }

  private TensorReference check(TensorInfo chunk, StoredItem item, TorchFileReader archive)
      throws CorruptCheckpointException {
    if (archive.root() instanceof TensorReference tensor
        && tensor.type() == chunk.type()
        && tensor.shape().equals(chunk.shape())) {
      return tensor;
    }
    throw new CorruptCheckpointException(
        directory.resolve(item.file()),
        item.byteOffset(),
        "chunk of " + chunk.name(),
        chunk,
        archive.root() instanceof TensorReference tensor
            ? tensor.info(chunk.name())
            : archive.root().getClass().getSimpleName());
  }

  private TorchFileReader archive(StoredItem item) throws IOException {
    synchronized (items) {
      TorchFileReader open = items.get(item);
      if (open != null) {
        return open;
      }
    }
    TorchFileReader archive = file(item).torch(item.byteOffset(), item.byteCount());
    synchronized (items) {
      TorchFileReader before = items.putIfAbsent(item, archive);
      return before == null ? archive : before;
    }
  }

  private ItemFile file(StoredItem item) throws IOException {
    synchronized (files) {
      if (closed) {
        throw new IllegalStateException(directory + " is closed");
      }
      ItemFile file = files.get(item.file());
      if (file == null) {
        file = ItemFile.open(directory.resolve(item.file()));
        files.put(item.file(), file);
      }
      return file;
    }
  }

  @Override
  public void close() throws IOException {
    List<ItemFile> open;
    synchronized (files) {
      closed = true;
      open = new ArrayList<>(files.values());
      files.clear();
    }
    IOException failure = null;
    for (ItemFile file : open) {
      try {
        file.close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** The places of all items, for tests of damage. */
  Map<String, List<StoredItem>> places() {
    return Collections.unmodifiableMap(itemsByFile(metadata));
  }
}
