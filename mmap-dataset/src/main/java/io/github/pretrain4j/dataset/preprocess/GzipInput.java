package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Decompresses gzip, RFC 1952: members one after the other, each checked for its CRC and length.
 * Zero bytes may follow the last member, as tape drives leave them; anything else is damage. The
 * JDK's own stream ends at the first member if no further bytes happen to be available. Not
 * thread-safe.
 */
final class GzipInput extends InputStream {
  private static final int READ_BYTES = 1 << 16;

  // Bits of a member's flags.
  private static final int HEADER_CRC = 2;
  private static final int EXTRA = 4;
  private static final int NAME = 8;
  private static final int COMMENT = 16;
  private static final int RESERVED = 0xe0;

  private final Path file;
  private final InputStream in;
  private final Inflater inflater = new Inflater(true);
  private final CRC32 crc = new CRC32();
  private final byte[] buffer = new byte[READ_BYTES];
  private int at;
  private int end;
  private boolean inMember;
  private boolean hadMember;
  private boolean ended;
  private long byteCount;

  GzipInput(Path file, InputStream in) {
    this.file = file;
    this.in = in;
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    while (!ended) {
      if (!inMember && !nextMember()) {
        ended = true;
        break;
      }
      int count = inflate(bytes, offset, length);
      if (count > 0) {
        crc.update(bytes, offset, count);
        byteCount += count;
        return count;
      }
      if (inflater.finished()) {
        endMember();
      } else if (inflater.needsDictionary()) {
        throw damaged("compressed data", "a preset dictionary");
      } else {
        at = end;
        if (!fill()) {
          throw damaged("more compressed data", "the end of the file");
        }
        inflater.setInput(buffer, at, end - at);
      }
    }
    return -1;
  }

  private int inflate(byte[] bytes, int offset, int length) throws DamagedInputException {
    try {
      int count = inflater.inflate(bytes, offset, length);
      at = end - inflater.getRemaining();
      return count;
    } catch (DataFormatException e) {
      throw new DamagedInputException(
          file, byteCount, "compressed data", String.valueOf(e.getMessage()), e);
    }
  }

  /** Reads a member's header, if there is another one. */
  private boolean nextMember() throws IOException {
    int first = next();
    boolean isFirst = !hadMember;
    while (first == 0 && !isFirst) {
      first = next();
      if (first > 0) {
        throw damaged("the end of the file after zero bytes", hexadecimal(first));
      }
    }
    if (first < 0 && !isFirst) {
      return false;
    }
    if (first != 0x1f) {
      throw damaged("a gzip member", first < 0 ? "an empty file" : hexadecimal(first));
    }
    CRC32 header = crc;
    header.reset();
    header.update(first);
    require("the byte 0x8b of a gzip member", 0x8b);
    require("the method deflate, 8", 8);
    int flags = headerByte();
    if ((flags & RESERVED) != 0) {
      throw damaged("flags of RFC 1952", hexadecimal(flags));
    }
    skip(6); // time, extra flags, operating system
    if ((flags & EXTRA) != 0) {
      skip(headerByte() | headerByte() << 8);
    }
    for (int text : new int[] {NAME, COMMENT}) {
      if ((flags & text) != 0) {
        while (headerByte() != 0) {
          // goes on
        }
      }
    }
    if ((flags & HEADER_CRC) != 0) {
      int expected = (int) header.getValue() & 0xffff;
      requireEqual("a header with CRC", expected, headerByte() | headerByte() << 8);
    }
    crc.reset();
    inflater.reset();
    inflater.setInput(buffer, at, end - at);
    inMember = true;
    hadMember = true;
    return true;
  }

  private void skip(int count) throws IOException {
    for (int i = 0; i < count; i++) {
      headerByte();
    }
  }

  private void require(String expected, int value) throws IOException {
    int found = headerByte();
    if (found != value) {
      throw damaged(expected, hexadecimal(found));
    }
  }

  /** The next byte of a member's header, which its CRC covers. */
  private int headerByte() throws IOException {
    int b = next();
    if (b < 0) {
      throw damaged("more of a gzip header", "the end of the file");
    }
    crc.update(b);
    return b;
  }

  private void endMember() throws IOException {
    long length = inflater.getBytesWritten();
    requireEqual("data with CRC-32", (int) crc.getValue(), littleEndian());
    requireEqual("a length, modulo 2^32, of", (int) length, littleEndian());
    inMember = false;
  }

  private void requireEqual(String what, int expected, int found) throws DamagedInputException {
    if (expected != found) {
      throw damaged(String.format("%s %08x", what, expected), String.format("%08x", found));
    }
  }

  private int littleEndian() throws IOException {
    int value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      int b = next();
      if (b < 0) {
        throw damaged("the CRC and length of a gzip member", "the end of the file");
      }
      value |= b << shift;
    }
    return value;
  }

  private int next() throws IOException {
    return at < end || fill() ? buffer[at++] & 0xff : -1;
  }

  private boolean fill() throws IOException {
    at = 0;
    end = 0;
    int read = in.read(buffer, 0, buffer.length);
    end = Math.max(read, 0);
    return read > 0;
  }

  private DamagedInputException damaged(String expected, String found) {
    return new DamagedInputException(file, byteCount, expected, found, null);
  }

  private static String hexadecimal(int b) {
    return String.format("the byte 0x%02x", b);
  }

  @Override
  public void close() {
    inflater.end();
  }
}
