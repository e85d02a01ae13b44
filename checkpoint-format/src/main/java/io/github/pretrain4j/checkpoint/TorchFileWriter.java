package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes files that {@code torch.load} reads, also with {@code weights_only=True} and {@code
 * mmap=True}. Layout: see the package.
 */
public final class TorchFileWriter {
  private TorchFileWriter() {}

  /**
   * Writes a file: beside its place, flushed, then renamed.
   *
   * @param root the object tree; references with equal storages share memory after loading
   * @param content is asked once per storage, in order of first appearance, for all of it: the name
   *     is the storage's key, type and shape are those of the reference if it fills the storage,
   *     else the shape is flat
   * @throws IllegalArgumentException if the tree cannot be expressed: too deep, or unequal views of
   *     one storage
   */
  public static void write(Path file, PickleObject root, TensorContent content) throws IOException {
    PickleWriter pickle = new PickleWriter();
    byte[] data = pickle.write(root);
    try (FileOutput out = FileOutput.create(file)) {
      ZipWriter zip = new ZipWriter(out, archiveName(file));
      zip.add("data.pkl", data);
      zip.add(".format_version", ascii("1"));
      zip.add(".storage_alignment", ascii(Integer.toString(ZipWriter.ALIGNMENT)));
      zip.add("byteorder", ascii("little"));
      List<TensorReference> storages = pickle.storages();
      for (int i = 0; i < storages.size(); i++) {
        zip.add("data/" + i, wholeStorage(storages.get(i)), content);
      }
      zip.add("version", ascii("3\n"));
      zip.finish();
      out.commit();
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static TensorInfo wholeStorage(TensorReference first) {
    TensorStorage storage = first.storage();
    TensorInfo info = first.info(storage.key());
    return first.isContiguous() && info.byteCount() == storage.byteCount()
        ? info
        : new TensorInfo(
            storage.key(), first.type(), List.of(storage.byteCount() / first.type().bytes()));
  }

  /** The file's name without its last extension, as PyTorch names the folder inside. */
  private static String archiveName(Path file) {
    String name = file.getFileName().toString();
    int dot = name.lastIndexOf('.');
    String stem = dot < 0 ? name : name.substring(0, dot);
    if (stem.isEmpty() || stem.contains("..")) {
      throw new IllegalArgumentException("no name for an archive: " + file);
    }
    return stem;
  }
}
