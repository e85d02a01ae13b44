package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleFile;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyNone;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The content of {@code .metadata}, checked: every tensor is tiled by its chunks, every chunk and
 * object has an item.
 *
 * <p>Classes are told by their names without modules, which have moved. What programs add beside
 * (plans of their saves) is ignored.
 *
 * @param tensors by key, in the order of the file
 * @param objects by key, in the order of the file
 */
record DistributedMetadata(Map<String, StoredTensor> tensors, Map<String, StoredItem> objects) {
  static final String FILE = ".metadata";

  private static final int MAX_RANK = 64;
  private static final int MAX_PROBLEMS = 20;

  /** A key, and the offset of the chunk; an object has none. */
  private record ItemKey(String key, List<Long> offset) {}

  static DistributedMetadata read(Path directory) throws IOException {
    return new Parser(directory.resolve(FILE)).parse();
  }

  private static final class Parser {
    private final Path file;
    private final Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    private final Map<String, StoredItem> objects = new LinkedHashMap<>();
    private final List<String> problems = new ArrayList<>();

    Parser(Path file) {
      this.file = file;
    }

    DistributedMetadata parse() throws IOException {
      PickleObject root = PickleFile.read(file);
      if (!(root instanceof ObjectState metadata) || !metadata.type().name().endsWith("Metadata")) {
        throw corrupt("content", "an object Metadata", kind(root));
      }
      Map<String, PickleObject> fields = metadata.attributes();
      Map<ItemKey, StoredItem> items = items(dict(fields, "storage_data"));
      Map<PickleObject, PickleObject> entries = dict(fields, "state_dict_metadata").entries();
      for (Map.Entry<PickleObject, PickleObject> entry : entries.entrySet()) {
        String key = string(entry.getKey(), "key of state_dict_metadata");
        if (!(entry.getValue() instanceof ObjectState value)) {
          throw corrupt("entry " + key, "metadata of a tensor or bytes", kind(entry.getValue()));
        }
        switch (value.type().name()) {
          case "TensorStorageMetadata" -> addTensor(key, value, items);
          case "BytesStorageMetadata" -> addObject(key, items);
          default ->
              throw corrupt(
                  "entry " + key, "metadata of a tensor or bytes", value.type().qualifiedName());
        }
      }
      if (!problems.isEmpty()) {
        int more = problems.size() - MAX_PROBLEMS;
        throw corrupt(
            "content",
            "chunks that tile tensors, and an item for each",
            String.join("; ", problems.subList(0, Math.min(MAX_PROBLEMS, problems.size())))
                + (more > 0 ? "; and " + more + " more" : ""));
      }
      return new DistributedMetadata(
          Collections.unmodifiableMap(tensors), Collections.unmodifiableMap(objects));
    }

    private void addObject(String key, Map<ItemKey, StoredItem> items) {
      StoredItem item = items.get(new ItemKey(key, List.of()));
      if (item == null) {
        problems.add("no item for the bytes " + key);
      } else {
        objects.put(key, item);
      }
    }

    private void addTensor(String key, ObjectState metadata, Map<ItemKey, StoredItem> items)
        throws IOException {
      Map<String, PickleObject> fields = metadata.attributes();
      DataType type = type(key, fields.get("properties"));
      List<Long> shape = longs(fields.get("size"), "size of " + key);
      TensorInfo info;
      try {
        info = new TensorInfo(key, type, shape);
      } catch (IllegalArgumentException e) {
        throw corrupt("size of " + key, "a shape", shape);
      }
      if (!(fields.get("chunks") instanceof PyList list)) {
        throw corrupt("chunks of " + key, "a list", kind(fields.get("chunks")));
      }
      List<Chunk> chunks = new ArrayList<>();
      List<StoredItem> stored = new ArrayList<>();
      for (PickleObject element : list.items()) {
        Chunk chunk = chunk(key, element);
        StoredItem item = items.get(new ItemKey(key, chunk.offsets()));
        if (item == null) {
          problems.add("no item for chunk " + chunk.offsets() + " of " + key);
          continue;
        }
        chunks.add(chunk);
        stored.add(item);
      }
      if (chunks.size() == list.items().size()) {
        String problem = Tiling.problem(shape, chunks);
        if (problem != null) {
          problems.add("tensor " + key + ": " + problem);
        }
      }
      tensors.put(key, new StoredTensor(info, List.copyOf(chunks), List.copyOf(stored)));
    }

    private Chunk chunk(String key, PickleObject element) throws IOException {
      if (!(element instanceof ObjectState state)) {
        throw corrupt("chunk of " + key, "an object", kind(element));
      }
      List<Long> offsets = longs(state.attributes().get("offsets"), "offsets of " + key);
      List<Long> sizes = longs(state.attributes().get("sizes"), "sizes of a chunk of " + key);
      try {
        return new Chunk(offsets, sizes);
      } catch (IllegalArgumentException e) {
        throw corrupt("chunk of " + key, "offsets and sizes", offsets + ", " + sizes);
      }
    }

    /** The state of TensorProperties is a tuple that begins with the type. */
    private DataType type(String key, @Nullable PickleObject properties) throws IOException {
      PickleObject type = null;
      if (properties instanceof ObjectState object) {
        type =
            object.state() instanceof PyTuple tuple && !tuple.items().isEmpty()
                ? tuple.items().get(0)
                : object.attributes().get("dtype");
      }
      if (type instanceof PyGlobal global && global.module().equals("torch")) {
        var known = DataType.ofTorchName(global.name());
        if (known.isPresent()) {
          return known.get();
        }
      }
      throw corrupt("type of " + key, "a supported one", kind(type));
    }

    private Map<ItemKey, StoredItem> items(PyDict storage) throws IOException {
      Map<ItemKey, StoredItem> items = new HashMap<>();
      for (Map.Entry<PickleObject, PickleObject> entry : storage.entries().entrySet()) {
        if (!(entry.getKey() instanceof ObjectState index)
            || !(entry.getValue() instanceof ObjectState info)) {
          throw corrupt("storage_data", "places of items by their index", kind(entry.getKey()));
        }
        String key = string(index.attributes().get("fqn"), "key of an item");
        PickleObject offset = index.attributes().get("offset");
        List<Long> offsets =
            offset == null || offset instanceof PyNone
                ? List.of()
                : longs(offset, "offset of an item of " + key);
        StoredItem item = item(key, info.attributes());
        StoredItem before = items.put(new ItemKey(key, offsets), item);
        if (before != null && !before.equals(item)) {
          throw corrupt("item " + key + " " + offsets, "one place", before + " and " + item);
        }
      }
      return items;
    }

    private StoredItem item(String key, Map<String, PickleObject> fields) throws IOException {
      PickleObject transforms = fields.get("transform_descriptors");
      if (transforms != null
          && !(transforms instanceof PyNone)
          && !(transforms instanceof PyList list && list.items().isEmpty())
          && !(transforms instanceof PyTuple tuple && tuple.items().isEmpty())) {
        throw corrupt("item of " + key, "plain data", "transformed data (compressed streams)");
      }
      String name = string(fields.get("relative_path"), "file of " + key);
      if (!name.matches("[^/\\\\\\x00]{1,255}") || name.equals(".") || name.equals("..")) {
        throw corrupt("file of " + key, "the name of a file beside it", '"' + name + '"');
      }
      long offset = integer(fields.get("offset"), "offset of " + key);
      long length = integer(fields.get("length"), "length of " + key);
      if (offset < 0 || length < 0 || offset > Long.MAX_VALUE - length) {
        throw corrupt("item of " + key, "a range of bytes", offset + "+" + length);
      }
      return new StoredItem(name, offset, length);
    }

    private PyDict dict(Map<String, PickleObject> fields, String name) throws IOException {
      if (fields.get(name) instanceof PyDict dict) {
        return dict;
      }
      throw corrupt(name, "a dictionary", kind(fields.get(name)));
    }

    private String string(@Nullable PickleObject value, String what) throws IOException {
      if (value instanceof PyString string) {
        return string.value();
      }
      throw corrupt(what, "text", kind(value));
    }

    private long integer(@Nullable PickleObject value, String what) throws IOException {
      if (value instanceof PyInt integer && integer.value().bitLength() < Long.SIZE) {
        return integer.longValueExact();
      }
      throw corrupt(what, "an int of 64 bits", kind(value));
    }

    /** A {@code torch.Size}, which is a call of it with a tuple, or a bare tuple or list. */
    private List<Long> longs(@Nullable PickleObject value, String what) throws IOException {
      List<PickleObject> items;
      if (value instanceof PyTuple tuple) {
        items = tuple.items();
      } else if (value instanceof PyList list) {
        items = list.items();
      } else if (value instanceof ObjectState size
          && size.type().name().equals("Size")
          && size.arguments().items().size() == 1) {
        return longs(size.arguments().items().get(0), what);
      } else {
        throw corrupt(what, "a torch.Size", kind(value));
      }
      if (items.size() > MAX_RANK) {
        throw corrupt(what, "at most " + MAX_RANK + " axes", items.size());
      }
      List<Long> longs = new ArrayList<>();
      for (PickleObject item : items) {
        longs.add(integer(item, what));
      }
      return longs;
    }

    private CorruptCheckpointException corrupt(String what, Object expected, Object found) {
      return new CorruptCheckpointException(file, 0, what, expected, found);
    }

    private static String kind(@Nullable PickleObject value) {
      if (value == null || value instanceof PyNone) {
        return "nothing";
      }
      if (value instanceof ObjectState object) {
        return object.type().qualifiedName();
      }
      return value instanceof PyGlobal global
          ? global.qualifiedName()
          : value.getClass().getSimpleName();
    }
  }
}
