package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
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
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  /** Length of all that comes before the elements, for every array that we write. */
  private static final int PREAMBLE_BYTES = 128;

  private static final int DICT_AT = 10;
  private static final int MAX_DICT_BYTES = 1 << 16;
  private static final Pattern DICT =
      Pattern.compile(
          "\\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \\(([0-9, ]*)\\), \\}\\s*");

  private NpyFile() {}

  /** Appends an array of rows; {@code columns} 0 stands for a one-dimensional array. */
  static void write(PendingFile out, String descr, int[] elements, int columns) throws IOException {
    String shape =
        columns == 0 ? elements.length + "," : elements.length / columns + ", " + columns;
    String dict = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    int length = PREAMBLE_BYTES - DICT_AT;
    out.put(MAGIC);
    out.put(new byte[] {1, 0, (byte) length, 0});
    out.put(
        (dict + " ".repeat(length - 1 - dict.length()) + "\n").getBytes(StandardCharsets.US_ASCII));
    TokenType.INT32.append(elements, 0, elements.length, out);
  }

  /**
   * Reads an array of exactly this many elements.
   *
   * @param rows the first dimension that the file must have
   * @param columns the second, or 0 if it must have one dimension
   * @param descrs types that may be there, of {@code <i4 <u4 <i8}
   */
  static int[] read(Path path, int rows, int columns, String... descrs) throws IOException {
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
    String dict = new String(bytes, StandardCharsets.ISO_8859_1);
    Matcher matcher = DICT.matcher(dict);
    if (!matcher.matches() || matcher.group(2).equals("True")) {
      throw new CorruptDatasetException(path, dictAt, "header", "a row-major array", dict.strip());
    }
    String descr = matcher.group(1);
    if (!Arrays.asList(descrs).contains(descr)) {
      throw new CorruptDatasetException(path, dictAt, "type", String.join(" or ", descrs), descr);
    }
    String shape = columns == 0 ? rows + "," : rows + ", " + columns;
    if (!matcher.group(3).equals(shape)) {
      throw new CorruptDatasetException(
          path, dictAt, "shape", "(" + shape + ")", "(" + matcher.group(3) + ")");
    }
    TokenType type = descr.equals("<i8") ? TokenType.INT64 : TokenType.INT32;
    int count = columns == 0 ? rows : Math.multiplyExact(rows, columns);
    long dataAt = dictAt + dictBytes;
    long end = dataAt + (long) count * type.bytes();
    if (file.size() != end) {
      throw new CorruptDatasetException(
          path, Math.min(end, file.size()), "end of file", end + " bytes", file.size());
    }
    int[] elements = new int[count];
    long bad = type.decode(file, dataAt, elements, 0, count);
    if (bad >= 0) {
      throw new CorruptDatasetException(path, bad, "element", "a 32-bit integer", "a larger one");
    }
    return elements;
  }
}
