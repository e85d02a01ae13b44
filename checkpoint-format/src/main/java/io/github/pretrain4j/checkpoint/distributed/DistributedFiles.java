package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.PickleFile;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFile;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Plans the files of a distributed checkpoint, as {@code torch.distributed.checkpoint} saves one.
 *
 * <p>The metadata has what its readers need: no plans of the saving ranks, no name of the place.
 */
public final class DistributedFiles {
  /** PyTorch's name of an archive that it saves into a stream. */
  private static final String ARCHIVE = "archive.pt";

  private static final String METADATA = "torch.distributed.checkpoint.metadata";

  private DistributedFiles() {}

  /**
   * One chunk of a tensor.
   *
   * @param whole the key, type and shape of the tensor
   * @param chunk what of it
   * @param content supplies the chunk's data; asked for the key with the chunk's shape
   */
  public record TensorItem(TensorInfo whole, Chunk chunk, TensorContent content) {

    /**
     * Validates the chunk.
     *
     * @throws IllegalArgumentException if it is not inside the tensor
     */
    public TensorItem {
      if (!chunk.isIn(whole.shape())) {
        throw new IllegalArgumentException(chunk + " is not inside " + whole);
      }
    }

    /** The chunk as a tensor of the same key. */
    public TensorInfo part() {
      return new TensorInfo(whole.name(), whole.type(), chunk.sizes());
    }
  }

  /**
   * An object, pickled into a torch archive. For many items of the same object, pass the very same
   * one.
   *
   * @param content supplies the storages in {@code object}, by key
   */
  public record ObjectItem(String key, PickleObject object, TensorContent content) {}

  /** What goes into one data file, objects first. */
  public record Part(List<ObjectItem> objects, List<TensorItem> tensors) {

    /** Copies the lists. */
    public Part {
      objects = List.copyOf(objects);
      tensors = List.copyOf(tensors);
    }
  }

  /**
   * Plans {@code __0_0.distcp}, {@code __1_0.distcp} and so on, one for each part, and then {@code
   * .metadata}.
   *
   * @throws IllegalArgumentException if a key is used twice, or the chunks of a tensor do not tile
   *     it
   */
  public static List<PlannedFile> plan(List<Part> parts) {
    return plan(parts, Map.of());
  }

  /**
   * Plans files in which some tensors have a second key.
   *
   * @param aliases second keys, to the key of a tensor in {@code parts}; their data is not repeated
   * @throws IllegalArgumentException as above, or if an alias is of no tensor
   */
  public static List<PlannedFile> plan(List<Part> parts, Map<String, String> aliases) {
    Map<String, List<TensorItem>> tensors = new LinkedHashMap<>();
    Map<String, ObjectItem> objects = new LinkedHashMap<>();
    for (Part part : parts) {
      for (TensorItem item : part.tensors()) {
        tensors.computeIfAbsent(item.whole().name(), key -> new ArrayList<>()).add(item);
      }
      for (ObjectItem item : part.objects()) {
        if (objects.put(item.key(), item) != null) {
          throw new IllegalArgumentException("two objects " + item.key());
        }
      }
    }
    check(tensors, objects);
    for (Map.Entry<String, String> alias : aliases.entrySet()) {
      if (!tensors.containsKey(alias.getValue())
          || tensors.containsKey(alias.getKey())
          || objects.containsKey(alias.getKey())) {
        throw new IllegalArgumentException("no second key " + alias);
      }
    }
    Map<PickleObject, PickleObject> places = new LinkedHashMap<>();
    IdentityHashMap<PickleObject, PlannedFile> archives = new IdentityHashMap<>();
    List<PlannedFile> files = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      String name = String.format(Locale.ROOT, "__%d_0.distcp", i);
      List<PlannedFile> items = new ArrayList<>();
      long byteOffset = 0;
      for (ObjectItem item : parts.get(i).objects()) {
        PlannedFile archive =
            archives.computeIfAbsent(
                item.object(), object -> TorchFile.plan(ARCHIVE, object, item.content()));
        items.add(archive);
        places.put(index(item.key(), null), place(name, byteOffset, archive.size()));
        byteOffset += archive.size();
      }
      for (TensorItem item : parts.get(i).tensors()) {
        PlannedFile archive =
            TorchFile.plan(ARCHIVE, TensorReference.contiguous(item.part()), item.content());
        items.add(archive);
        places.put(
            index(item.whole().name(), item.chunk()), place(name, byteOffset, archive.size()));
        byteOffset += archive.size();
      }
      files.add(PlannedFile.concatenation(name, items));
    }
    aliases.forEach(
        (alias, key) -> {
          List<TensorItem> items = tensors.getOrDefault(key, List.of());
          for (TensorItem item : items) {
            PickleObject place = places.get(index(key, item.chunk()));
            if (place != null) {
              places.put(index(alias, item.chunk()), place);
            }
          }
          tensors.put(alias, items);
        });
    files.add(PlannedFile.bytes(DistributedMetadata.FILE, metadata(tensors, objects, places)));
    return files;
  }

  private static void check(
      Map<String, List<TensorItem>> tensors, Map<String, ObjectItem> objects) {
    tensors.forEach(
        (key, items) -> {
          TensorInfo whole = items.get(0).whole();
          for (TensorItem item : items) {
            if (!item.whole().equals(whole)) {
              throw new IllegalArgumentException(whole + " is also " + item.whole());
            }
          }
          String problem =
              Tiling.problem(whole.shape(), items.stream().map(TensorItem::chunk).toList());
          if (problem != null) {
            throw new IllegalArgumentException("tensor " + key + ": " + problem);
          }
          if (objects.containsKey(key)) {
            throw new IllegalArgumentException("both a tensor and an object " + key);
          }
        });
  }

  private static byte[] metadata(
      Map<String, List<TensorItem>> tensors,
      Map<String, ObjectItem> objects,
      Map<PickleObject, PickleObject> places) {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    tensors.forEach((key, items) -> entries.put(key, tensor(items)));
    PickleObject bytes = instance(METADATA, "BytesStorageMetadata", Map.of());
    objects.keySet().forEach(key -> entries.put(key, bytes));
    Map<String, PickleObject> fields = new LinkedHashMap<>();
    fields.put("state_dict_metadata", PyDict.of(entries));
    fields.put("planner_data", PickleObject.none());
    fields.put("storage_data", new PyDict(false, places));
    return PickleFile.encode(instance(METADATA, "Metadata", fields));
  }

  private static PickleObject tensor(List<TensorItem> items) {
    TensorInfo whole = items.get(0).whole();
    PickleObject properties =
        new ObjectState(
            new PyGlobal(METADATA, "TensorProperties"),
            ObjectState.Construction.NEW,
            PyTuple.of(),
            PyTuple.of(
                PyGlobal.of(whole.type()),
                ObjectState.call(
                    "torch.serialization", "_get_layout", PickleObject.of("torch.strided")),
                PickleObject.of(false), // requires_grad
                ObjectState.call(METADATA, "_MEM_FORMAT_ENCODING", PickleObject.of(0)), // packed
                PickleObject.of(false)), // pin_memory
            List.of(),
            Map.of());
    List<PickleObject> chunks = new ArrayList<>();
    for (TensorItem item : items) {
      Map<String, PickleObject> chunk = new LinkedHashMap<>();
      chunk.put("offsets", size(item.chunk().offsets()));
      chunk.put("sizes", size(item.chunk().sizes()));
      chunks.add(instance(METADATA, "ChunkStorageMetadata", chunk));
    }
    Map<String, PickleObject> fields = new LinkedHashMap<>();
    fields.put("properties", properties);
    fields.put("size", size(whole.shape()));
    fields.put("chunks", new PyList(chunks));
    return instance(METADATA, "TensorStorageMetadata", fields);
  }

  private static PickleObject index(String key, @Nullable Chunk chunk) {
    Map<String, PickleObject> fields = new LinkedHashMap<>();
    fields.put("fqn", PickleObject.of(key));
    if (chunk != null) {
      fields.put("offset", size(chunk.offsets()));
    }
    fields.put("index", PickleObject.none());
    return instance(METADATA, "MetadataIndex", fields);
  }

  private static PickleObject place(String file, long byteOffset, long byteCount) {
    Map<String, PickleObject> fields = new LinkedHashMap<>();
    fields.put("relative_path", PickleObject.of(file));
    fields.put("offset", PickleObject.of(byteOffset));
    fields.put("length", PickleObject.of(byteCount));
    return instance("torch.distributed.checkpoint.filesystem", "_StorageInfo", fields);
  }

  private static PickleObject size(List<Long> values) {
    List<PickleObject> items = values.stream().map(PickleObject::of).toList();
    return ObjectState.call("torch", "Size", new PyTuple(items));
  }

  private static PickleObject instance(
      String module, String type, Map<String, PickleObject> fields) {
    return new ObjectState(
        new PyGlobal(module, type),
        ObjectState.Construction.NEW,
        PyTuple.of(),
        fields.isEmpty() ? null : PyDict.of(fields),
        List.of(),
        Map.of());
  }
}
