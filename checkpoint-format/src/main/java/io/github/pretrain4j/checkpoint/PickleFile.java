package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/** Bare pickles, such as the {@code .metadata} of a distributed checkpoint. */
public final class PickleFile {
  private PickleFile() {}

  /**
   * Reads a pickle of protocol 2 to 5 into an inert tree; nothing is looked up or run. Bytes behind
   * its end are ignored, as Python does.
   *
   * @throws CorruptCheckpointException if it is damaged, uses opcodes that checkpoints do not need,
   *     or would be too big or too deep
   */
  public static PickleObject read(Path file) throws IOException {
    try (FileBytes bytes = FileBytes.open(file)) {
      if (bytes.size() > TorchContents.MAX_PICKLE_BYTES) {
        throw bytes.corrupt(
            0, "size of a pickle", "at most " + TorchContents.MAX_PICKLE_BYTES, bytes.size());
      }
      PickleInput in = new PickleInput(bytes, 0, bytes.size());
      PickleCalls calls = new PickleCalls(false);
      PickleObject root = new PickleFreezer(in).freeze(new PickleMachine(in, calls).run());
      if (!calls.storages().isEmpty()) {
        throw in.corrupt("bare pickle", "no tensors", calls.storages().size() + " storages");
      }
      return root;
    }
  }

  /**
   * The pickle (protocol 2) of a tree.
   *
   * @throws IllegalArgumentException if it holds tensors or is too deep
   */
  public static byte[] encode(PickleObject root) {
    PickleWriter pickle = new PickleWriter();
    byte[] bytes = pickle.write(root);
    if (!pickle.storages().isEmpty()) {
      throw new IllegalArgumentException("a bare pickle holds no tensors");
    }
    return bytes;
  }
}
