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

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes stored members one after another, with headers, descriptors and padding exactly as
 * PyTorch's own writer lays them out, so that PyTorch may compute where each record lies.
 */
final class ZipWriter {
  static final int ALIGNMENT = 64;
  private static final int ZIP64_VERSION = 45;
  private static final int MADE_BY = 0x031E;

  private record Member(ByteBuffer name, int flags, int crc, long size, long headerOffset) {
    boolean isBig() {
      return size >= MAX_32;
    }

    boolean isFar() {
      return headerOffset >= MAX_32;
    }
  }

  private final FileOutput out;
  private final String archiveName;
  private final List<Member> members = new ArrayList<>();

  ZipWriter(FileOutput out, String archiveName) {
    this.out = out;
    this.archiveName = archiveName;
  }

  void add(String name, byte[] data) throws IOException {
    TensorInfo info = new TensorInfo(name, DataType.U8, List.of((long) data.length));
    add(name, info, (tensor, channel) -> channel.write(ByteBuffer.wrap(data)));
  }

  /** Adds a member whose data is written by {@code content}. */
  void add(String name, TensorInfo tensor, TensorContent content) throws IOException {
    ByteBuffer fullName = StandardCharsets.UTF_8.encode(archiveName + "/" + name);
    long size = tensor.byteCount();
    int flags = FLAG_UTF8 | (size > 0 ? FLAG_DESCRIPTOR : 0);
    Member planned = new Member(fullName, flags, 0, size, out.position());
    writeLocalHeader(planned);
    int crc = out.write(tensor, content);
    Member member = new Member(fullName, flags, crc, size, planned.headerOffset());
    if (size > 0) {
      writeDescriptor(member);
    }
    members.add(member);
  }

  private void writeLocalHeader(Member member) throws IOException {
    int zip64Bytes = (member.isBig() ? 16 : 0) + (member.isFar() ? 8 : 0);
    zip64Bytes += zip64Bytes > 0 ? 4 : 0;
    long unpadded =
        member.headerOffset() + LOCAL_BYTES + member.name().remaining() + zip64Bytes + 4;
    int padding = (int) Math.floorMod(-unpadded, (long) ALIGNMENT);
    ByteBuffer header =
        allocate(LOCAL_BYTES + member.name().remaining() + zip64Bytes + 4 + padding)
            .putInt(LOCAL_SIGNATURE)
            .putShort((short) 0)
            .putShort((short) member.flags())
            .putShort((short) 0) // stored
            .putInt(0) // no time, no date
            .putInt(0) // CRC and sizes follow in the descriptor
            .putInt(member.isBig() ? (int) MAX_32 : 0)
            .putInt(member.isBig() ? (int) MAX_32 : 0)
            .putShort((short) member.name().remaining())
            .putShort((short) (zip64Bytes + 4 + padding))
            .put(member.name().duplicate());
    if (zip64Bytes > 0) {
      header.putShort((short) ZIP64_EXTRA).putShort((short) (zip64Bytes - 4));
      if (member.isBig()) {
        header.putLong(member.size()).putLong(0);
      }
      if (member.isFar()) {
        header.putLong(member.headerOffset());
      }
    }
    header.putShort((short) PADDING_EXTRA).putShort((short) padding);
    byte[] fill = new byte[padding];
    Arrays.fill(fill, (byte) 'Z');
    out.write(header.put(fill).flip());
  }

  private void writeDescriptor(Member member) throws IOException {
    ByteBuffer descriptor = allocate(24).putInt(DESCRIPTOR_SIGNATURE).putInt(member.crc());
    if (member.isBig() || member.isFar()) {
      descriptor.putLong(member.size()).putLong(member.size());
    } else {
      descriptor.putInt((int) member.size()).putInt((int) member.size());
    }
    out.write(descriptor.flip());
  }

  /** Writes the directory and the end records. */
  void finish() throws IOException {
    long directoryOffset = out.position();
    for (Member member : members) {
      writeCentralHeader(member);
    }
    long endOffset = out.position();
    long directoryBytes = endOffset - directoryOffset;
    int count = members.size();
    out.write(
        allocate(ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES + END_BYTES)
            .putInt(ZIP64_END_SIGNATURE)
            .putLong(ZIP64_END_BYTES - 12)
            .putShort((short) MADE_BY)
            .putShort((short) ZIP64_VERSION)
            .putInt(0) // one disk
            .putInt(0)
            .putLong(count)
            .putLong(count)
            .putLong(directoryBytes)
            .putLong(directoryOffset)
            .putInt(ZIP64_LOCATOR_SIGNATURE)
            .putInt(0)
            .putLong(endOffset)
            .putInt(1)
            .putInt(END_SIGNATURE)
            .putInt(0)
            .putShort((short) Math.min(count, MAX_16))
            .putShort((short) Math.min(count, MAX_16))
            .putInt((int) Math.min(directoryBytes, MAX_32))
            .putInt((int) Math.min(directoryOffset, MAX_32))
            .putShort((short) 0)
            .flip());
  }

  private void writeCentralHeader(Member member) throws IOException {
    int zip64Bytes = (member.isBig() ? 16 : 0) + (member.isFar() ? 8 : 0);
    zip64Bytes += zip64Bytes > 0 ? 4 : 0;
    ByteBuffer header =
        allocate(CENTRAL_BYTES + member.name().remaining() + zip64Bytes)
            .putInt(CENTRAL_SIGNATURE)
            .putShort((short) 0)
            .putShort((short) 0)
            .putShort((short) member.flags())
            .putShort((short) 0)
            .putInt(0)
            .putInt(member.crc())
            .putInt((int) Math.min(member.size(), MAX_32))
            .putInt((int) Math.min(member.size(), MAX_32))
            .putShort((short) member.name().remaining())
            .putShort((short) zip64Bytes)
            .putShort((short) 0)
            .putShort((short) 0)
            .putShort((short) 0)
            .putInt(0)
            .putInt((int) Math.min(member.headerOffset(), MAX_32))
            .put(member.name().duplicate());
    if (zip64Bytes > 0) {
      header.putShort((short) ZIP64_EXTRA).putShort((short) (zip64Bytes - 4));
      if (member.isBig()) {
        header.putLong(member.size()).putLong(member.size());
      }
      if (member.isFar()) {
        header.putLong(member.headerOffset());
      }
    }
    out.write(header.flip());
  }

  private static ByteBuffer allocate(int capacity) {
    return ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN);
  }
}
