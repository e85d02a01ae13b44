package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Reads what {@code torch.save} wrote, without executing anything: the object tree at once, tensor
 * data on demand. Thread-safe.
 */
public final class TorchFileReader implements AutoCloseable {
  private TorchFileReader() {}

  /** Opens a file; objects of unknown classes become {@link PickleObject.ObjectState}. */
  public static TorchFileReader open(Path file) throws IOException {
    return Pending.value(new TorchFileReader());
  }

  /** Opens a file and refuses classes and functions that a checkpoint of weights does not need. */
  public static TorchFileReader openStrict(Path file) throws IOException {
    return Pending.value(new TorchFileReader());
  }

  /** The object tree. */
  public PickleObject root() {
    return Pending.value(PickleObject.none());
  }

  /**
   * Fills {@code target} with bytes of a tensor of this file, as packed row-major little-endian
   * data.
   *
   * @param byteOffset where to start in the packed data
   */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    Pending.value("");
  }

  /**
   * The tensors among the values of a dict of this file, by key. Closing the result does not close
   * this reader.
   */
  public TensorSource tensors(PickleObject.PyDict stateDict) {
    return Pending.value(SafetensorsReader.openPending());
  }

  /** Reads everything and checks the checksums. */
  public void verify() throws IOException {
    Pending.value("");
  }

  @Override
  public void close() throws IOException {}
}
