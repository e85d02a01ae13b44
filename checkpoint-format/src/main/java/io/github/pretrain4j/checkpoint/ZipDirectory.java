package io.github.pretrain4j.checkpoint;

import static io.github.pretrain4j.checkpoint.ZipFormat.CENTRAL_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.CENTRAL_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.END_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.END_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.FLAG_ENCRYPTED;
import static io.github.pretrain4j.checkpoint.ZipFormat.LOCAL_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.LOCAL_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.MAX_16;
import static io.github.pretrain4j.checkpoint.ZipFormat.MAX_32;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_END_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_END_SIGNATURE;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_EXTRA;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_LOCATOR_BYTES;
import static io.github.pretrain4j.checkpoint.ZipFormat.ZIP64_LOCATOR_SIGNATURE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The members of a torch archive by their name below the archive's one folder.
 *
 * <p>{@code java.util.zip} will not do: its stream cannot read stored members with descriptors, and
 * its file does not say where the data lies. Checked here: every length against the file, central
 * against local headers, and that no two members overlap.
 */
record ZipDirectory(String archiveName, Map<String, ZipRecord> records) {
  private static final int MAX_COMMENT = MAX_16;
  private static final long MAX_ENTRIES = 10_000_000;
  private static final long MAX_DIRECTORY_BYTES = 1 << 30;

  static ZipDirectory read(FileBytes bytes) throws IOException {
    return new Parse(bytes).directory();
  }

  /** What the end records say: where the central directory is. */
  private record End(long offset, long entryCount, long directoryOffset, long directoryBytes) {}

  private record Central(String name, long headerOffset, long size, int crc, long at) {}

  private record Parse(FileBytes bytes) {

    ZipDirectory directory() throws IOException {
      End end = end();
      List<Central> entries = central(end);
      entries.sort(Comparator.comparingLong(Central::headerOffset));
      String archiveName = archiveName(entries, end);
      Map<String, ZipRecord> records = new LinkedHashMap<>();
      for (int i = 0; i < entries.size(); i++) {
        Central entry = entries.get(i);
        long limit =
            i + 1 < entries.size() ? entries.get(i + 1).headerOffset() : end.directoryOffset();
        String name = entry.name().substring(archiveName.length() + 1);
        records.put(name, record(entry, name, limit));
      }
      return new ZipDirectory(archiveName, Collections.unmodifiableMap(records));
    }

    /** Archives rarely have a comment, and one file may hold very many archives. */
    private End end() throws IOException {
      if (bytes.size() >= END_BYTES) {
        long at = bytes.size() - END_BYTES;
        ByteBuffer last = bytes.read(at, END_BYTES);
        if (last.getInt(0) == END_SIGNATURE && last.getShort(20) == 0) {
          return end(at, last);
        }
      }
      return endBeforeComment();
    }

    private End endBeforeComment() throws IOException {
      int tailBytes = (int) Math.min(bytes.size(), END_BYTES + MAX_COMMENT);
      long tailOffset = bytes.size() - tailBytes;
      ByteBuffer tail = bytes.read(tailOffset, tailBytes);
      for (int at = tailBytes - END_BYTES; at >= 0; at--) {
        if (tail.getInt(at) == END_SIGNATURE
            && Short.toUnsignedInt(tail.getShort(at + 20)) == tailBytes - END_BYTES - at) {
          return end(tailOffset + at, tail.slice(at, END_BYTES).order(tail.order()));
        }
      }
      throw bytes.corrupt(bytes.size(), "zip end record", "PK 05 06 near the end", "none");
    }

    private End end(long offset, ByteBuffer end) throws IOException {
      if (end.getShort(4) != 0 || end.getShort(6) != 0) {
        throw bytes.corrupt(offset + 4, "zip disk number", 0, end.getShort(4));
      }
      End small =
          new End(
              offset,
              Short.toUnsignedInt(end.getShort(10)),
              Integer.toUnsignedLong(end.getInt(16)),
              Integer.toUnsignedLong(end.getInt(12)));
      End result = zip64End(small);
      if (result.directoryBytes() > MAX_DIRECTORY_BYTES
          || result.directoryBytes() < 0
          || result.directoryOffset() < 0
          || result.directoryOffset() > result.offset() - result.directoryBytes()) {
        throw bytes.corrupt(
            result.offset(),
            "zip directory",
            "inside the " + result.offset() + " bytes before its end record",
            result.directoryOffset() + "+" + result.directoryBytes());
      }
      if (result.entryCount() < 0
          || result.entryCount() > Math.min(MAX_ENTRIES, result.directoryBytes() / CENTRAL_BYTES)) {
        throw bytes.corrupt(
            result.offset(),
            "zip entry count",
            "at most what " + result.directoryBytes() + " bytes hold",
            result.entryCount());
      }
      return result;
    }

    /** Follows the zip64 locator if there is one; values in both records must agree. */
    private End zip64End(End small) throws IOException {
      long locatorOffset = small.offset() - ZIP64_LOCATOR_BYTES;
      boolean saturated =
          small.entryCount() == MAX_16
              || small.directoryOffset() == MAX_32
              || small.directoryBytes() == MAX_32;
      if (locatorOffset < 0
          || bytes.read(locatorOffset, ZIP64_LOCATOR_BYTES).getInt(0) != ZIP64_LOCATOR_SIGNATURE) {
        if (saturated) {
          throw bytes.corrupt(small.offset(), "zip64 locator", "present", "absent");
        }
        return small;
      }
      long offset = bytes.read(locatorOffset, ZIP64_LOCATOR_BYTES).getLong(8);
      if (offset < 0 || offset > locatorOffset - ZIP64_END_BYTES) {
        throw bytes.corrupt(
            locatorOffset + 8, "zip64 end record", "before byte " + locatorOffset, offset);
      }
      ByteBuffer record = bytes.read(offset, ZIP64_END_BYTES);
      if (record.getInt(0) != ZIP64_END_SIGNATURE) {
        throw bytes.corrupt(offset, "zip64 end record", "PK 06 06", hex(record.getInt(0)));
      }
      End big = new End(offset, record.getLong(32), record.getLong(48), record.getLong(40));
      agree(offset, "zip entry count", small.entryCount(), MAX_16, big.entryCount());
      agree(offset, "zip directory size", small.directoryBytes(), MAX_32, big.directoryBytes());
      agree(offset, "zip directory offset", small.directoryOffset(), MAX_32, big.directoryOffset());
      return big;
    }

    private void agree(long at, String what, long small, long saturated, long big)
        throws IOException {
      if (small != big && small != saturated) {
        throw bytes.corrupt(at, what, small, big);
      }
    }

    private List<Central> central(End end) throws IOException {
      ByteBuffer in = bytes.read(end.directoryOffset(), (int) end.directoryBytes());
      List<Central> entries = new ArrayList<>();
      Set<String> names = new HashSet<>();
      for (long i = 0; i < end.entryCount(); i++) {
        long at = end.directoryOffset() + in.position();
        if (in.remaining() < CENTRAL_BYTES || in.getInt(in.position()) != CENTRAL_SIGNATURE) {
          throw bytes.corrupt(at, "zip directory", end.entryCount() + " entries", i);
        }
        ByteBuffer fixed = in.slice(in.position(), CENTRAL_BYTES).order(in.order());
        int nameBytes = Short.toUnsignedInt(fixed.getShort(28));
        int extraBytes = Short.toUnsignedInt(fixed.getShort(30));
        int commentBytes = Short.toUnsignedInt(fixed.getShort(32));
        if (in.remaining() < CENTRAL_BYTES + nameBytes + extraBytes + commentBytes) {
          throw bytes.corrupt(at, "zip directory entry", "complete", "cut short");
        }
        in.position(in.position() + CENTRAL_BYTES);
        byte[] name = new byte[nameBytes];
        in.get(name);
        ByteBuffer extra = in.slice(in.position(), extraBytes).order(in.order());
        in.position(in.position() + extraBytes + commentBytes);
        Central entry = central(at, fixed, new String(name, StandardCharsets.UTF_8), extra);
        if (!names.add(entry.name())) {
          throw bytes.corrupt(at, "zip entry " + entry.name(), "once", "twice");
        }
        entries.add(entry);
      }
      if (in.hasRemaining()) {
        throw bytes.corrupt(
            end.directoryOffset() + in.position(),
            "zip directory",
            end.entryCount() + " entries",
            in.remaining() + " bytes more");
      }
      return entries;
    }

    private Central central(long at, ByteBuffer fixed, String name, ByteBuffer extra)
        throws IOException {
      if ((fixed.getShort(8) & FLAG_ENCRYPTED) != 0) {
        throw bytes.corrupt(at + 8, "zip entry " + name, "not encrypted", "encrypted");
      }
      if (fixed.getShort(10) != 0) {
        throw bytes.corrupt(
            at + 10, "zip entry " + name, "stored (method 0)", "method " + fixed.getShort(10));
      }
      long compressed = Integer.toUnsignedLong(fixed.getInt(20));
      long size = Integer.toUnsignedLong(fixed.getInt(24));
      long headerOffset = Integer.toUnsignedLong(fixed.getInt(42));
      ByteBuffer wide = zip64Extra(extra);
      size = size == MAX_32 ? wide(wide, at, name) : size;
      compressed = compressed == MAX_32 ? wide(wide, at, name) : compressed;
      headerOffset = headerOffset == MAX_32 ? wide(wide, at, name) : headerOffset;
      if (size != compressed || size < 0 || headerOffset < 0) {
        throw bytes.corrupt(
            at + 20, "zip entry " + name, "equal sizes", compressed + " and " + size);
      }
      return new Central(name, headerOffset, size, fixed.getInt(16), at);
    }

    private static ByteBuffer zip64Extra(ByteBuffer extra) {
      int at = 0;
      while (at + 4 <= extra.limit()) {
        int length = Short.toUnsignedInt(extra.getShort(at + 2));
        if (at + 4 + length > extra.limit()) {
          break;
        }
        if (Short.toUnsignedInt(extra.getShort(at)) == ZIP64_EXTRA) {
          return extra.slice(at + 4, length).order(extra.order());
        }
        at += 4 + length;
      }
      return ByteBuffer.allocate(0);
    }

    private long wide(ByteBuffer zip64, long at, String name) throws IOException {
      if (zip64.remaining() < Long.BYTES) {
        throw bytes.corrupt(at, "zip64 field of " + name, "8 bytes", zip64.remaining());
      }
      return zip64.getLong();
    }

    /** The folder of the first entry of the directory, which all must share. */
    private String archiveName(List<Central> entries, End end) throws IOException {
      if (entries.isEmpty()) {
        throw bytes.corrupt(end.directoryOffset(), "zip directory", "entries", "none");
      }
      String archiveName = "";
      for (Central entry : entries) {
        int slash = entry.name().indexOf('/');
        String folder = slash < 0 ? "" : entry.name().substring(0, slash);
        archiveName = archiveName.isEmpty() ? folder : archiveName;
        if (folder.isEmpty() || !folder.equals(archiveName) || entry.name().contains("..")) {
          throw bytes.corrupt(
              entry.at(), "zip entry name", "one folder for all and no ..", entry.name());
        }
      }
      return archiveName;
    }

    private ZipRecord record(Central entry, String name, long limit) throws IOException {
      long at = entry.headerOffset();
      if (at > limit - LOCAL_BYTES) {
        throw bytes.corrupt(at, "zip entry " + entry.name(), "a header before " + limit, at);
      }
      ByteBuffer local = bytes.read(at, LOCAL_BYTES);
      if (local.getInt(0) != LOCAL_SIGNATURE) {
        throw bytes.corrupt(at, "zip entry " + entry.name(), "PK 03 04", hex(local.getInt(0)));
      }
      if (local.getShort(8) != 0) {
        throw bytes.corrupt(at + 8, "zip entry " + entry.name(), "stored", "compressed");
      }
      int nameBytes = Short.toUnsignedInt(local.getShort(26));
      int extraBytes = Short.toUnsignedInt(local.getShort(28));
      byte[] expectedName = entry.name().getBytes(StandardCharsets.UTF_8);
      long dataOffset = at + LOCAL_BYTES + nameBytes + extraBytes;
      if (dataOffset > limit || entry.size() > limit - dataOffset) {
        throw bytes.corrupt(
            at,
            "zip entry " + entry.name(),
            "to end before " + limit,
            dataOffset + "+" + entry.size());
      }
      byte[] localName = new byte[nameBytes];
      bytes.read(at + LOCAL_BYTES, nameBytes).get(localName);
      if (!java.util.Arrays.equals(localName, expectedName)) {
        throw bytes.corrupt(
            at + LOCAL_BYTES,
            "zip entry name",
            entry.name(),
            new String(localName, StandardCharsets.UTF_8));
      }
      return new ZipRecord(name, at, dataOffset, entry.size(), entry.crc());
    }

    private static String hex(int signature) {
      return "0x" + Integer.toHexString(signature);
    }
  }
}
