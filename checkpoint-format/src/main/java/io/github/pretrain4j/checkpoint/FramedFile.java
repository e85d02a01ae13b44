package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.util.List;

/** A planned file given by its parts. */
record FramedFile(String path, long size, List<Slot> slots, Frame frame) implements PlannedFile {

  /** Writes everything but the slots. */
  @FunctionalInterface
  interface Frame {
    void write(PositionalSink sink, SlotChecksums checksums) throws IOException;
  }

  /** Checks that the path stays below a directory, and that the slots lie in the file in order. */
  FramedFile {
    slots = List.copyOf(slots);
    for (String part : path.split("/", -1)) {
      if (part.isEmpty() || part.equals(".") || part.equals("..") || part.indexOf('\\') >= 0) {
        throw new IllegalArgumentException("not a path below a directory: " + path);
      }
    }
    long next = 0;
    for (Slot slot : slots) {
      if (slot.byteOffset() < next || slot.tensor().byteCount() > size - slot.byteOffset()) {
        throw new IllegalArgumentException(
            path + ": " + slot.tensor() + " at byte " + slot.byteOffset() + " of " + size);
      }
      next = slot.end();
    }
  }

  @Override
  public void writeFrame(PositionalSink sink, SlotChecksums checksums) throws IOException {
    frame.write(sink, checksums);
  }
}
