package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.model.HuggingFaceConfig;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One file of tensors. In a torch file tensors are found at any depth of dictionaries and lists,
 * and named by the way there: {@code model.embedding.weight}, {@code optimizer.state.0.exp_avg}.
 */
final class FileSubject implements Subject {
  private final Path file;
  private final String format;
  private final Map<String, String> facts;
  private final TensorSource tensors;
  private final @Nullable TorchFileReader torch;
  private final Closeable owned;

  private FileSubject(
      Path file,
      String format,
      Map<String, String> facts,
      TensorSource tensors,
      @Nullable TorchFileReader torch,
      Closeable owned) {
    this.file = file;
    this.format = format;
    this.facts = facts;
    this.tensors = tensors;
    this.torch = torch;
    this.owned = owned;
  }

  /** Opens a safetensors file if its name says so, else a torch file. */
  static FileSubject open(Path file) throws IOException {
    if (file.getFileName().toString().endsWith(".safetensors")) {
      SafetensorsReader reader = SafetensorsReader.open(file);
      return new FileSubject(
          file, "safetensors file", reader.metadata(), reader, null, reader::close);
    }
    TorchFileReader reader = TorchFileReader.open(file);
    Map<String, PickleObject> found = new LinkedHashMap<>();
    collect("", reader.root(), found);
    Map<String, String> facts = new LinkedHashMap<>();
    if (reader.root() instanceof PyDict root) {
      facts.put("entries", String.join(", ", root.stringEntries().keySet()));
    }
    return new FileSubject(
        file, "torch file", facts, reader.tensors(PyDict.of(found)), reader, reader::close);
  }

  private static void collect(String path, PickleObject value, Map<String, PickleObject> found) {
    if (value instanceof TensorReference) {
      String name = path.isEmpty() ? "tensor" : path;
      for (int i = 2; found.containsKey(name); i++) {
        name = path + "#" + i; // the keys "a.b" and "a" over "b"
      }
      found.put(name, value);
    } else if (value instanceof PyDict dict) {
      dict.entries().forEach((key, item) -> collect(below(path, key), item, found));
    } else if (value instanceof PyList list) {
      collectAll(path, list.items(), found);
    } else if (value instanceof PyTuple tuple) {
      collectAll(path, tuple.items(), found);
    }
  }

  private static void collectAll(
      String path, List<PickleObject> items, Map<String, PickleObject> found) {
    for (int i = 0; i < items.size(); i++) {
      collect(below(path, PickleObject.of(i)), items.get(i), found);
    }
  }

  private static String below(String path, PickleObject key) {
    String name =
        key instanceof PyString text
            ? text.value()
            : key instanceof PyInt number ? number.value().toString() : key.toString();
    return path.isEmpty() ? name : path + "." + name;
  }

  @Override
  public Path path() {
    return file;
  }

  @Override
  public String format() {
    return format;
  }

  @Override
  public Map<String, String> facts() {
    return facts;
  }

  @Override
  public TensorSource tensors() {
    return tensors;
  }

  @Override
  public @Nullable TensorSource optimizerTensors() {
    return null;
  }

  @Override
  public String placeOf(String tensor) {
    return "";
  }

  @Override
  public List<String> warnings() {
    return List.of();
  }

  @Override
  public void verifyChecksums() throws IOException {
    if (torch != null) {
      torch.verify();
    }
  }

  @Override
  public List<String> problems(@Nullable HuggingFaceConfig reference) {
    return List.of();
  }

  @Override
  public boolean knowsWhatShouldBeThere(@Nullable HuggingFaceConfig reference) {
    return false;
  }

  @Override
  public void close() throws IOException {
    owned.close();
  }
}
