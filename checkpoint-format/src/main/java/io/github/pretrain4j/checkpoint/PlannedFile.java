package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A file whose layout is known before the data of any tensor: slots for tensors, and the frame
 * around them (headers, object trees, directories). {@link PlannedFiles#write} makes such files.
 *
 * <p>Immutable. The slots may be filled in any order and by several threads; the frame comes last,
 * since it may hold the slots' checksums. Frame and slots together are every byte of the file, each
 * once.
 */
public interface PlannedFile {

  /**
   * The place of one tensor's packed data.
   *
   * @param byteOffset in the file
   * @param tensor what {@code content} is asked for
   * @param content supplies the data; asked by any thread, by several at once for different slots
   */
  record Slot(long byteOffset, TensorInfo tensor, TensorContent content) {

    /** Settles on the content of this tensor where it is one of several. */
    public Slot {
      content = ChosenContent.resolve(content, tensor);
    }

    /** The byte after the slot. */
    public long end() {
      return byteOffset + tensor.byteCount();
    }
  }

  /** Where the file goes, below the directory that is written to; parts are joined by '/'. */
  String path();

  /** Size of the file in bytes. */
  long size();

  /** The slots by ascending offset; none overlap. */
  List<Slot> slots();

  /** Writes everything but the slots. */
  void writeFrame(PositionalSink sink, SlotChecksums checksums) throws IOException;

  /** A file of these bytes, which are copied. */
  static PlannedFile bytes(String path, byte[] content) {
    byte[] copy = content.clone();
    return new FramedFile(
        path,
        copy.length,
        List.of(),
        (sink, checksums) -> sink.write(0, ByteBuffer.wrap(copy).asReadOnlyBuffer()));
  }

  /**
   * A file that holds {@code parts} one after another, without gaps; their paths do not matter. A
   * torch archive may stand at any offset.
   */
  static PlannedFile concatenation(String path, List<? extends PlannedFile> parts) {
    List<PlannedFile> all = List.copyOf(parts);
    List<Slot> slots = new ArrayList<>();
    long size = 0;
    for (PlannedFile part : all) {
      for (Slot slot : part.slots()) {
        slots.add(new Slot(size + slot.byteOffset(), slot.tensor(), slot.content()));
      }
      size = Math.addExact(size, part.size());
    }
    return new FramedFile(
        path,
        size,
        slots,
        (sink, checksums) -> {
          long start = 0;
          int firstSlot = 0;
          for (PlannedFile part : all) {
            long partStart = start;
            int partSlot = firstSlot;
            part.writeFrame(
                (byteOffset, source) -> sink.write(partStart + byteOffset, source),
                index -> checksums.crc32(partSlot + index));
            start += part.size();
            firstSlot += part.slots().size();
          }
        });
  }
}
