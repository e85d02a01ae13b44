package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Integer arrays in numpy's {@code .npy} format: written to the byte as {@code numpy.save} does,
 * read whatever the padding.
 *
 * <pre>
 * 93 'NUMPY' | 01 00 | header length, 2 bytes (version 2: 4) | dict, spaces, '\n' | elements
 * </pre>
 */
final class NpyFile {
  /** The types of the arrays of an index. */
  enum Type {
    INT16("<i2", 2),
    INT32("<i4", 4),
    UINT32("<u4", 4),
    INT64("<i8", 8);

    private final String descr;
    private final int bytes;

    Type(String descr, int bytes) {
      this.descr = descr;
      this.bytes = bytes;
    }
  }

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  /** Length of all that comes before the elements, for every array that we write. */
  private static final int PREAMBLE_BYTES = 128;

  private static final int DICT_AT = 10;
  private static final int MAX_DICT_BYTES = 1 << 16;
  private static final int RUN_BYTES = 1 << 15;
  private static final Pattern DICT =
      Pattern.compile(
          "\\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \\(([0-9, ]*)\\), \\}\\s*");

  private NpyFile() {}

  /** Appends an {@code <i2} array of one dimension. */
  static void write(PendingFile out, short[] elements) throws IOException {
    preamble(out, Type.INT16, elements.length, 0);
    for (int i = 0; i < elements.length; ) {
      ByteBuffer run = out.reserve(RUN_BYTES);
      for (int end = Math.min(elements.length, i + RUN_BYTES / 2); i < end; i++) {
        run.putShort(elements[i]);
      }
    }
  }

  /** Appends an array of one dimension of a type of 4 or 8 bytes. */
  static void write(PendingFile out, Type type, int[] elements) throws IOException {
    preamble(out, type, elements.length, 0);
    for (int i = 0; i < elements.length; ) {
      ByteBuffer run = out.reserve(RUN_BYTES);
      for (int end = Math.min(elements.length, i + RUN_BYTES / 8); i < end; i++) {
        if (type.bytes == Long.BYTES) {
          run.putLong(elements[i]);
        } else {
          run.putInt(elements[i]);
        }
      }
    }
  }

  /** Appends an {@code <i4} array of rows of two; see {@link IndexArray#ofPairs}. */
  static void writePairs(PendingFile out, long[] pairs) throws IOException {
    preamble(out, Type.INT32, pairs.length, 2);
    for (int i = 0; i < pairs.length; ) {
      ByteBuffer run = out.reserve(RUN_BYTES);
      for (int end = Math.min(pairs.length, i + RUN_BYTES / 8); i < end; i++) {
        run.putLong(pairs[i]);
      }
    }
  }

  private static void preamble(PendingFile out, Type type, long rows, int columns)
      throws IOException {
    String dict =
        "{'descr': '"
            + type.descr
            + "', 'fortran_order': False, 'shape': ("
            + shape(rows, columns)
            + "), }";
    int length = PREAMBLE_BYTES - DICT_AT;
    out.put(MAGIC);
    out.put(new byte[] {1, 0, (byte) length, 0});
    out.put(
        (dict + " ".repeat(length - 1 - dict.length()) + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  private static String shape(long rows, int columns) {
    return columns == 0 ? rows + "," : rows + ", " + columns;
  }

  /**
   * Maps an array of exactly this many elements.
   *
   * @param rows the first dimension that the file must have
   * @param columns the second, or 0 if it must have one dimension
   * @param types types that may be there
   */
  static IndexArray open(Path path, long rows, int columns, Type... types) throws IOException {
    MappedFile file = MappedFile.open(path);
    int dictAt = DICT_AT;
    byte[] start = new byte[DICT_AT + 2];
    if (file.size() < start.length) {
      throw new CorruptDatasetException(path, 0, "header", "a .npy header", file.size() + " bytes");
    }
    file.copy(0, start);
    if (!Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new CorruptDatasetException(path, 0, "magic", "93 'NUMPY'", "other bytes");
    }
    long dictBytes = (start[8] & 0xff) | (start[9] & 0xff) << 8;
    int version = start[MAGIC.length];
    if (version == 2) {
      dictAt += 2;
      dictBytes |= (start[10] & 0xffL) << 16 | (start[11] & 0xffL) << 24;
    } else if (version != 1) {
      throw new CorruptDatasetException(path, MAGIC.length, "version", "1 or 2", version);
    }
    if (dictBytes > MAX_DICT_BYTES || dictAt + dictBytes > file.size()) {
      throw new CorruptDatasetException(
          path, 8, "header length", "less than the file's " + file.size(), dictBytes);
    }
    byte[] bytes = new byte[(int) dictBytes];
    file.copy(dictAt, bytes);
    Type type = type(path, dictAt, new String(bytes, StandardCharsets.ISO_8859_1), types);
    String dict = new String(bytes, StandardCharsets.ISO_8859_1);
    Matcher matcher = DICT.matcher(dict);
    if (!matcher.matches() || !matcher.group(3).equals(shape(rows, columns))) {
      throw new CorruptDatasetException(
          path, dictAt, "shape", "(" + shape(rows, columns) + ")", dict.strip());
    }
    long count = columns == 0 ? rows : Math.multiplyExact(rows, columns);
    long dataAt = dictAt + dictBytes;
    long end = Math.addExact(dataAt, Math.multiplyExact(count, type.bytes));
    if (file.size() != end) {
      throw new CorruptDatasetException(
          path, Math.min(end, file.size()), "end of file", end + " bytes", file.size());
    }
    return IndexArray.mapped(file, dataAt, count, type);
  }

  private static Type type(Path path, int dictAt, String dict, Type... types)
      throws CorruptDatasetException {
    Matcher matcher = DICT.matcher(dict);
    if (!matcher.matches() || matcher.group(2).equals("True")) {
      throw new CorruptDatasetException(path, dictAt, "header", "a row-major array", dict.strip());
    }
    for (Type type : types) {
      if (type.descr.equals(matcher.group(1))) {
        return type;
      }
    }
    throw new CorruptDatasetException(
        path, dictAt, "type", Arrays.toString(types).toLowerCase(Locale.ROOT), matcher.group(1));
  }
}
