package io.github.pretrain4j.checkpoint;

/** The checksums of a planned file's slots, known once their data is written. */
@FunctionalInterface
public interface SlotChecksums {

  /** The CRC-32 of the data in {@code slots().get(index)}; 0 for an empty slot. */
  int crc32(int index);
}
