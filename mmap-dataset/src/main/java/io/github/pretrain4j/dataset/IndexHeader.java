package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.MappedFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The fixed part of an {@code .idx} file, {@value #BYTES} bytes, and where the arrays after it are.
 * Layout: see package-info.
 *
 * @param type what one token is
 * @param sequenceCount entries of the length and pointer arrays
 * @param documentIndexCount entries of the document array: documents + 1
 */
record IndexHeader(TokenType type, long sequenceCount, long documentIndexCount) {
  static final int BYTES = 34;

  private static final byte[] MAGIC = "MMIDIDX\0\0".getBytes(StandardCharsets.ISO_8859_1);
  private static final byte[] OLD_MAGIC = "TNTIDX\0\0".getBytes(StandardCharsets.ISO_8859_1);
  private static final int VERSION_AT = 9;
  private static final int TYPE_AT = 17;
  private static final int SEQUENCE_COUNT_AT = 18;
  private static final int DOCUMENT_INDEX_COUNT_AT = 26;
  private static final long VERSION = 1;

  /** More entries than any file can hold: counts above it are damage, and no product overflows. */
  private static final long COUNT_LIMIT = 1L << 56;

  /** Reads and checks the header, and that the file is as long as the header says. */
  static IndexHeader read(MappedFile file) throws CorruptDatasetException {
    IndexHeader header = readFields(file);
    long end = header.end();
    if (file.size() != end && file.size() != end + header.sequenceCount()) {
      throw header.wrongSize(file);
    }
    return header;
  }

  /** Reads and checks the header, and that the file is no shorter than the header says. */
  static IndexHeader readLenient(MappedFile file) throws CorruptDatasetException {
    IndexHeader header = readFields(file);
    if (file.size() < header.end()) {
      throw header.wrongSize(file);
    }
    return header;
  }

  /** What to say of an index that is not as long as its header says. */
  CorruptDatasetException wrongSize(MappedFile file) {
    return new CorruptDatasetException(
        file.path(),
        Math.min(end(), file.size()),
        "end of file",
        end() + " bytes (or " + (end() + sequenceCount) + " with sequence modes)",
        file.size());
  }

  /** Reads and checks the header alone. */
  static IndexHeader readFields(MappedFile file) throws CorruptDatasetException {
    Path path = file.path();
    if (file.size() < BYTES) {
      throw new CorruptDatasetException(
          path, 0, "header", BYTES + " bytes", "a file of " + file.size());
    }
    byte[] magic = new byte[MAGIC.length];
    file.copy(0, magic);
    if (!Arrays.equals(magic, MAGIC)) {
      boolean old = Arrays.equals(magic, 0, OLD_MAGIC.length, OLD_MAGIC, 0, OLD_MAGIC.length);
      throw new CorruptDatasetException(
          path, 0, "magic", text(MAGIC), old ? "the obsolete TNTIDX format" : text(magic));
    }
    long version = file.getLong(VERSION_AT);
    if (version != VERSION) {
      throw new CorruptDatasetException(path, VERSION_AT, "version", VERSION, version);
    }
    int code = file.getByte(TYPE_AT) & 0xff;
    TokenType type = TokenType.ofCode(code);
    if (type == null) {
      throw new CorruptDatasetException(path, TYPE_AT, "dtype code", "1 to 8", code);
    }
    long sequenceCount = file.getLong(SEQUENCE_COUNT_AT);
    if (sequenceCount < 0 || sequenceCount > COUNT_LIMIT) {
      throw new CorruptDatasetException(
          path, SEQUENCE_COUNT_AT, "sequence count", "what fits a file", sequenceCount);
    }
    long documentIndexCount = file.getLong(DOCUMENT_INDEX_COUNT_AT);
    if (documentIndexCount < 1 || documentIndexCount > COUNT_LIMIT) {
      throw new CorruptDatasetException(
          path,
          DOCUMENT_INDEX_COUNT_AT,
          "document index count",
          "at least 1, and what fits a file",
          documentIndexCount);
    }
    return new IndexHeader(type, sequenceCount, documentIndexCount);
  }

  /** The header's bytes. */
  byte[] toBytes() {
    ByteBuffer out = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.put(MAGIC).putLong(VERSION).put((byte) type.code());
    return out.putLong(sequenceCount).putLong(documentIndexCount).array();
  }

  /** Byte offset of the length of this sequence. */
  long lengthAt(long sequence) {
    return BYTES + 4 * sequence;
  }

  /** Byte offset of the pointer of this sequence. */
  long pointerAt(long sequence) {
    return BYTES + 4 * sequenceCount + 8 * sequence;
  }

  /** Byte offset of this entry of the document array. */
  long documentAt(long document) {
    return BYTES + 12 * sequenceCount + 8 * document;
  }

  /** Byte offset of the mode of this sequence, in a file that has modes. */
  long modeAt(long sequence) {
    return end() + sequence;
  }

  /** Byte offset behind the arrays: the file's size when it has no sequence modes. */
  long end() {
    return documentAt(documentIndexCount);
  }

  private static String text(byte[] bytes) {
    StringBuilder out = new StringBuilder("\"");
    for (byte b : bytes) {
      if (b >= ' ' && b < 127) {
        out.append((char) b);
      } else {
        out.append(String.format("\\x%02x", b & 0xff));
      }
    }
    return out.append('"').toString();
  }
}
