package io.github.pretrain4j.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Plans torch archives. Layout: see the package. */
public final class TorchFile {
  private TorchFile() {}

  /**
   * Plans an archive with one slot for each storage, in order of first appearance.
   *
   * @param path its last part without extension names the folder inside; PyTorch calls it {@code
   *     archive} where there is no file name
   * @param root the object tree; references with equal storages share memory after loading
   * @param content supplies whole storages: the name is the storage's key, type and shape are those
   *     of the reference if it fills the storage, else the shape is flat
   * @throws IllegalArgumentException if the tree cannot be expressed: too deep, or unequal views of
   *     one storage
   */
  public static PlannedFile plan(String path, PickleObject root, TensorContent content) {
    PickleWriter pickle = new PickleWriter();
    byte[] data = pickle.write(root);
    ZipPlan zip = new ZipPlan(archiveName(path));
    zip.add("data.pkl", data);
    zip.add(".format_version", ascii("1"));
    zip.add(".storage_alignment", ascii(Integer.toString(ZipPlan.ALIGNMENT)));
    zip.add("byteorder", ascii("little"));
    List<TensorReference> storages = pickle.storages();
    for (int i = 0; i < storages.size(); i++) {
      zip.addSlot("data/" + i, wholeStorage(storages.get(i)), content);
    }
    zip.add("version", ascii("3\n"));
    return zip.plan(path);
  }

  /**
   * The bare protocol 2 pickle of a tree, without an archive around it.
   *
   * @throws IllegalArgumentException if the tree holds a tensor or is too deep
   */
  public static byte[] pickle(PickleObject root) {
    PickleWriter writer = new PickleWriter();
    byte[] pickle = writer.write(root);
    if (!writer.storages().isEmpty()) {
      throw new IllegalArgumentException(
          "a bare pickle has no place for the data of " + writer.storages().get(0));
    }
    return pickle;
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
  private static String archiveName(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    int dot = name.lastIndexOf('.');
    String stem = dot < 0 ? name : name.substring(0, dot);
    if (stem.isEmpty() || stem.contains("..")) {
      throw new IllegalArgumentException("no name for an archive: " + path);
    }
    return stem;
  }
}
