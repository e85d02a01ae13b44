package io.github.pretrain4j.checkpoint;

import static io.github.pretrain4j.checkpoint.ZipFormat.CENTRAL_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.CENTRAL_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.DESCRIPTOR_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.END_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.END_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.FLAG_DESCRIPTOR;
import static io.github.pretrain4j.checkpoint.ZipFormat.FLAG_UTF8;
import static io.github.pretrain4j.checkpoint.ZipFormat.LOCAL_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.LOCAL_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.MAX_16;
import static io.github.pretrain4j.checkpoint.ZipFormat.MAX_32;
import static io.github.pretrain4j.checkpoint.ZipFormat.PADDING_EXTRA;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_END_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_END_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_EXTRA;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_LOCATOR_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_LOCATOR_SIGNATURE;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * Lays out stored members one after another, with headers, descriptors and padding exactly as
 * PyTorch's own writer does, so that PyTorch may compute where each record lies.
 */
final class ZipPlan {
  static final int ALIGNMENT = 64;
  private static final int ZIP64_VERSION = 45;
  private static final int MADE_BY = 0x031E;

  /** One member; without {@code data} a slot holds it. */
  private static final class Member {
    private final byte[] name;
    private final long headerOffset;
    private final long size;
    private final byte @Nullable [] data;

    Member(byte[] name, long headerOffset, long size, byte @Nullable [] data) {
      this.name = name;
      this.headerOffset = headerOffset;
      this.size = size;
      this.data = data;
    }

    boolean isBig() {
      return size >= MAX_32;
    }

    boolean isFar() {
      return headerOffset >= MAX_32;
    }

    int flags() {
      return FLAG_UTF8 | (size > 0 ? FLAG_DESCRIPTOR : 0);
    }

    /** Bytes of the zip64 field, its own header included; 0 if none is needed. */
    int zip64Bytes() {
      int content = (isBig() ? 16 : 0) + (isFar() ? 8 : 0);
      return content > 0 ? 4 + content : 0;
    }

    int padding() {
      long unpadded = headerOffset + LOCAL_BYTES + name.length + zip64Bytes() + 4;
      return (int) Math.floorMod(-unpadded, (long) ALIGNMENT);
    }

    long dataOffset() {
      return headerOffset + LOCAL_BYTES + name.length + zip64Bytes() + 4 + padding();
    }

    int descriptorBytes() {
      return size == 0 ? 0 : isBig() || isFar() ? 24 : 16;
    }

    long end() {
      return Math.addExact(dataOffset(), size) + descriptorBytes();
    }
  }

  private final String archiveName;
  private final List<Member> members = new ArrayList<>();
  private final List<PlannedFile.Slot> slots = new ArrayList<>();
  private long position;

  ZipPlan(String archiveName) {
    this.archiveName = archiveName;
  }

  /** Adds a member of these bytes. */
  void add(String name, byte[] data) {
    add(name, data.length, data);
  }

  /** Adds a member whose data is a slot. */
  void addSlot(String name, TensorInfo tensor, TensorContent content) {
    Member member = add(name, tensor.byteCount(), null);
    slots.add(new PlannedFile.Slot(member.dataOffset(), tensor, content));
  }

  private Member add(String name, long size, byte @Nullable [] data) {
    byte[] fullName = (archiveName + "/" + name).getBytes(StandardCharsets.UTF_8);
    if (fullName.length > MAX_16) {
      throw new IllegalArgumentException("zip member name of " + fullName.length + " bytes");
    }
    Member member = new Member(fullName, position, size, data);
    members.add(member);
    position = member.end();
    return member;
  }

  /** The archive; nothing may be added after that. */
  PlannedFile plan(String path) {
    long directoryBytes = 0;
    for (Member member : members) {
      directoryBytes += CENTRAL_BYTES + member.name.length + member.zip64Bytes();
    }
    long size = position + directoryBytes + ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES + END_BYTES;
    return new FramedFile(path, size, slots, this::writeFrame);
  }

  private void writeFrame(PositionalSink sink, SlotChecksums checksums) throws IOException {
    int[] crcs = new int[members.size()];
    ByteArrayOutputStream region = new ByteArrayOutputStream();
    long regionStart = 0;
    int slot = 0;
    for (int i = 0; i < crcs.length; i++) {
      Member member = members.get(i);
      append(region, localHeader(member));
      if (member.data != null) {
        CRC32 crc = new CRC32();
        crc.update(member.data);
        crcs[i] = (int) crc.getValue();
        region.writeBytes(member.data);
      } else {
        crcs[i] = checksums.crc32(slot++);
        sink.write(regionStart, ByteBuffer.wrap(region.toByteArray()));
        region.reset();
        regionStart = member.dataOffset() + member.size;
      }
      append(region, descriptor(member, crcs[i]));
    }
    for (int i = 0; i < crcs.length; i++) {
      append(region, centralHeader(members.get(i), crcs[i]));
    }
    long directoryBytes = regionStart + region.size() - position;
    append(region, endRecords(directoryBytes));
    sink.write(regionStart, ByteBuffer.wrap(region.toByteArray()));
  }

  private static ByteBuffer localHeader(Member member) {
    int zip64Bytes = member.zip64Bytes();
    int padding = member.padding();
    ByteBuffer header =
        allocate(LOCAL_BYTES + member.name.length + zip64Bytes + 4 + padding)
            .putInt(LOCAL_SIGNATURE)
            .putShort((short) 0)
            .putShort((short) member.flags())
            .putShort((short) 0) // stored
            .putInt(0) // no time, no date
            .putInt(0) // CRC and sizes follow in the descriptor
            .putInt(member.isBig() ? (int) MAX_32 : 0)
            .putInt(member.isBig() ? (int) MAX_32 : 0)
            .putShort((short) member.name.length)
            .putShort((short) (zip64Bytes + 4 + padding))
            .put(member.name);
    if (zip64Bytes > 0) {
      header.putShort((short) ZIP64_EXTRA).putShort((short) (zip64Bytes - 4));
      if (member.isBig()) {
        header.putLong(member.size).putLong(0);
      }
      if (member.isFar()) {
        header.putLong(member.headerOffset);
      }
    }
    header.putShort((short) PADDING_EXTRA).putShort((short) padding);
    byte[] fill = new byte[padding];
    Arrays.fill(fill, (byte) 'Z');
    return header.put(fill).flip();
  }

  private static ByteBuffer descriptor(Member member, int crc) {
    int bytes = member.descriptorBytes();
    ByteBuffer descriptor = allocate(bytes);
    if (bytes > 0) {
      descriptor.putInt(DESCRIPTOR_SIGNATURE).putInt(crc);
      if (bytes == 24) {
        descriptor.putLong(member.size).putLong(member.size);
      } else {
        descriptor.putInt((int) member.size).putInt((int) member.size);
      }
    }
    return descriptor.flip();
  }

  private static ByteBuffer centralHeader(Member member, int crc) {
    int zip64Bytes = member.zip64Bytes();
    ByteBuffer header =
        allocate(CENTRAL_BYTES + member.name.length + zip64Bytes)
            .putInt(CENTRAL_SIGNATURE)
            .putShort((short) 0)
            .putShort((short) 0)
            .putShort((short) member.flags())
            .putShort((short) 0)
            .putInt(0)
            .putInt(crc)
            .putInt((int) Math.min(member.size, MAX_32))
            .putInt((int) Math.min(member.size, MAX_32))
            .putShort((short) member.name.length)
            .putShort((short) zip64Bytes)
            .putShort((short) 0)
            .putShort((short) 0)
            .putShort((short) 0)
            .putInt(0)
            .putInt((int) Math.min(member.headerOffset, MAX_32))
            .put(member.name);
    if (zip64Bytes > 0) {
      header.putShort((short) ZIP64_EXTRA).putShort((short) (zip64Bytes - 4));
      if (member.isBig()) {
        header.putLong(member.size).putLong(member.size);
      }
      if (member.isFar()) {
        header.putLong(member.headerOffset);
      }
    }
    return header.flip();
  }

  private ByteBuffer endRecords(long directoryBytes) {
    int count = members.size();
    return allocate(ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES + END_BYTES)
        .putInt(ZIP64_END_SIGNATURE)
        .putLong(ZIP64_END_BYTES - 12)
        .putShort((short) MADE_BY)
        .putShort((short) ZIP64_VERSION)
        .putInt(0) // one disk
        .putInt(0)
        .putLong(count)
        .putLong(count)
        .putLong(directoryBytes)
        .putLong(position)
        .putInt(ZIP64_LOCATOR_SIGNATURE)
        .putInt(0)
        .putLong(position + directoryBytes)
        .putInt(1)
        .putInt(END_SIGNATURE)
        .putInt(0)
        .putShort((short) Math.min(count, MAX_16))
        .putShort((short) Math.min(count, MAX_16))
        .putInt((int) Math.min(directoryBytes, MAX_32))
        .putInt((int) Math.min(position, MAX_32))
        .putShort((short) 0)
        .flip();
  }

  private static void append(ByteArrayOutputStream out, ByteBuffer source) {
    byte[] bytes = new byte[source.remaining()];
    source.get(bytes);
    out.writeBytes(bytes);
  }

  private static ByteBuffer allocate(int capacity) {
    return ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN);
  }
}
