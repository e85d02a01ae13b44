package io.github.pretrain4j.checkpoint;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32;

/**
 * Reads what {@code torch.save} wrote, without executing anything: the object tree at once, tensor
 * data on demand. Thread-safe. Layout: see the package.
 */
public final class TorchFileReader implements AutoCloseable {
  private static final int VERIFY_BYTES = 1 << 20;

  private final FileBytes bytes;
  private final TorchContents contents;
  private final StridedReader strided;
  private final Closeable owned;

  private TorchFileReader(FileBytes bytes, TorchContents contents, Closeable owned) {
    this.bytes = bytes;
    this.owned = owned;
    this.contents = contents;
    this.strided = new StridedReader(bytes, contents.bigEndian());
  }

  /**
   * Opens a file; objects of unknown classes become {@link PickleObject.ObjectState}.
   *
   * @throws CorruptCheckpointException if it is not a torch file or damaged
   */
  public static TorchFileReader open(Path file) throws IOException {
    return open(file, false);
  }

  /** Opens a file and refuses classes and functions that a checkpoint of weights does not need. */
  public static TorchFileReader openStrict(Path file) throws IOException {
    return open(file, true);
  }

  /**
   * Opens an archive that lies inside a bigger file. To open many of one file, see {@link
   * ItemFile}.
   *
   * @param byteOffset its first byte in the file
   * @param byteCount its length; nothing outside is read
   */
  public static TorchFileReader open(Path file, long byteOffset, long byteCount)
      throws IOException {
    ItemFile items = ItemFile.open(file);
    try {
      TorchFileReader item = items.torch(byteOffset, byteCount);
      return new TorchFileReader(item.bytes, item.contents, items);
    } catch (IOException | RuntimeException e) {
      try (items) {
        throw e;
      }
    }
  }

  /** Reads an archive of an open file, which stays open when the reader is closed. */
  static TorchFileReader of(FileBytes window) throws IOException {
    return new TorchFileReader(window, TorchContents.read(window, false), window);
  }

  private static TorchFileReader open(Path file, boolean strict) throws IOException {
    FileBytes bytes = FileBytes.open(file);
    try {
      return new TorchFileReader(bytes, TorchContents.read(bytes, strict), bytes);
    } catch (IOException | RuntimeException e) {
      try (bytes) {
        throw e;
      }
    }
  }

  /** The object tree. */
  public PickleObject root() {
    return contents.root();
  }

  /**
   * Fills {@code target} with bytes of a tensor of this file, as packed row-major little-endian
   * data.
   *
   * @param byteOffset where to start in the packed data
   * @throws IllegalArgumentException if the tensor is not of this file or the range is outside it
   */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    Long storageOffset = contents.storageOffsets().get(tensor.storage().key());
    if (storageOffset == null
        || !tensor.storage().equals(contents.storages().get(tensor.storage().key()))) {
      throw new IllegalArgumentException("not a tensor of " + bytes.file() + ": " + tensor);
    }
    tensor.info(tensor.storage().key()).checkRange(byteOffset, target.remaining());
    strided.read(tensor, storageOffset, byteOffset, target);
  }

  /**
   * The tensors among the values of a dict of this file, by key. Closing the result does not close
   * this reader.
   */
  public TensorSource tensors(PickleObject.PyDict stateDict) {
    return new StateDictSource(this, stateDict);
  }

  /**
   * Reads everything and checks the checksums, as far as the file has any.
   *
   * @throws CorruptCheckpointException if one does not match
   */
  public void verify() throws IOException {
    for (ZipRecord record : contents.records()) {
      verify(bytes, record);
    }
  }

  static void verify(FileBytes bytes, ZipRecord record) throws IOException {
    if (record.crc() == 0) {
      return; // PyTorch can be told not to compute them
    }
    CRC32 crc = new CRC32();
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(VERIFY_BYTES, record.size()));
    for (long done = 0; done < record.size(); done += buffer.limit()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), record.size() - done));
      bytes.read(record.dataOffset() + done, buffer);
      crc.update(buffer.flip());
    }
    if ((int) crc.getValue() != record.crc()) {
      throw bytes.corrupt(
          record.dataOffset(),
          "CRC-32 of record " + record.name(),
          String.format("%08x", record.crc()),
          String.format("%08x", crc.getValue()));
    }
  }

  @Override
  public void close() throws IOException {
    owned.close();
  }
}
