package io.github.pretrain4j.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/** Damages files as disks and networks do, and as somebody would who knows the format. */
final class Mutations {
  private static final long[] NUMBERS = {
    0,
    1,
    2,
    -1,
    0x7F,
    0xFF,
    0xFFFF,
    0x7FFF_FFFFL,
    0xFFFF_FFFFL,
    0x1_0000_0000L,
    Long.MAX_VALUE,
    Long.MIN_VALUE
  };

  private static final String[] JSON_VALUES = {
    "0",
    "-1",
    "1e400",
    "18446744073709551616",
    "1.5",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[",
    ""
  };

  private static final Pattern JSON_TOKEN =
      Pattern.compile("-?[0-9.eE+]+|\"(\\\\.|[^\"\\\\])*\"|[\\[\\]{}:,]|true|false|null");

  /** Opcodes that take no argument, which keep a stream in step. */
  private static final byte[] PICKLE_OPCODES = {
    '(',
    ')',
    ']',
    '}',
    'N',
    '0',
    '1',
    '2',
    'a',
    'e',
    's',
    'u',
    't',
    'b',
    'R',
    'Q',
    '.',
    (byte) 0x81,
    (byte) 0x85,
    (byte) 0x86,
    (byte) 0x87,
    (byte) 0x88,
    (byte) 0x89,
    (byte) 0x8F,
    (byte) 0x90,
    (byte) 0x91,
    (byte) 0x92,
    (byte) 0x93,
    (byte) 0x94
  };

  private Mutations() {}

  /** Any damage, blind to the format. */
  static byte[] any(byte[] original, Random random) {
    byte[] bytes = original.clone();
    int at = random.nextInt(bytes.length);
    switch (random.nextInt(9)) {
      case 0 -> bytes = Arrays.copyOf(bytes, at);
      case 1 ->
          Arrays.fill(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(64)), (byte) 0);
      case 2 -> bytes = Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(100));
      case 3 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 4 -> { // a piece elsewhere
        int from = random.nextInt(bytes.length);
        int length = Math.min(1 + random.nextInt(64), bytes.length - Math.max(from, at));
        System.arraycopy(original, from, bytes, at, length);
      }
      case 5 -> { // a piece less
        int length = Math.min(1 + random.nextInt(64), bytes.length - at);
        bytes = new byte[original.length - length];
        System.arraycopy(original, 0, bytes, 0, at);
        System.arraycopy(original, at + length, bytes, at, bytes.length - at);
      }
      case 6, 7 -> number(bytes, random);
      default -> {
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
          bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
      }
    }
    return bytes;
  }

  private static void number(byte[] bytes, Random random) {
    int width = 1 << random.nextInt(4);
    if (bytes.length >= width) {
      long number = NUMBERS[random.nextInt(NUMBERS.length)] + random.nextInt(3) - 1;
      byte[] little = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(number).array();
      System.arraycopy(little, 0, bytes, random.nextInt(bytes.length - width + 1), width);
    }
  }

  /** Damage to a pickle: mostly opcodes put in or exchanged. */
  static byte[] pickle(byte[] original, Random random) {
    byte[] bytes = original.clone();
    for (int i = 1 + random.nextInt(3); i > 0 && bytes.length > 2; i--) {
      int at = random.nextInt(bytes.length);
      byte opcode = PICKLE_OPCODES[random.nextInt(PICKLE_OPCODES.length)];
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] = opcode;
        case 1 -> {
          byte[] longer = new byte[bytes.length + 1];
          System.arraycopy(bytes, 0, longer, 0, at);
          longer[at] = opcode;
          System.arraycopy(bytes, at, longer, at + 1, bytes.length - at);
          bytes = longer;
        }
        case 2 -> number(bytes, random);
        default -> bytes = any(bytes, random);
      }
    }
    return bytes;
  }

  /** Damage to a JSON text: tokens exchanged, repeated, left out. */
  static byte[] json(byte[] original, Random random) {
    String text = new String(original, StandardCharsets.UTF_8);
    List<MatchResult> tokens = JSON_TOKEN.matcher(text).results().toList();
    if (tokens.isEmpty() || random.nextInt(4) == 0) {
      return any(original, random);
    }
    StringBuilder changed = new StringBuilder(text);
    MatchResult token = tokens.get(random.nextInt(tokens.size()));
    switch (random.nextInt(4)) {
      case 0 -> changed.delete(token.start(), token.end());
      case 1 -> changed.insert(token.end(), token.group());
      case 2 ->
          changed.replace(
              token.start(), token.end(), tokens.get(random.nextInt(tokens.size())).group());
      default ->
          changed.replace(
              token.start(), token.end(), JSON_VALUES[random.nextInt(JSON_VALUES.length)]);
    }
    return changed.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** Damage to the header of a safetensors file, whose length then fits it. */
  static byte[] safetensorsHeader(byte[] original, Random random) {
    int length = (int) ByteBuffer.wrap(original).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    byte[] header = json(Arrays.copyOfRange(original, 8, 8 + length), random);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(
        ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).array());
    out.writeBytes(header);
    out.write(original, 8 + length, original.length - 8 - length);
    return out.toByteArray();
  }

  /**
   * Damage to the pickle of an archive that keeps its length, its checksum mended, so that the
   * damage gets past that.
   */
  static byte[] pickleInArchive(byte[] original, ZipRecord pickle, Random random) {
    int start = (int) pickle.dataOffset();
    int size = (int) pickle.size();
    byte[] changed = pickle(Arrays.copyOfRange(original, start, start + size), random);
    byte[] bytes = original.clone();
    System.arraycopy(changed, 0, bytes, start, Math.min(size, changed.length));
    CRC32 crc = new CRC32();
    crc.update(bytes, start, size);
    byte[] before = little(pickle.crc());
    byte[] after = little((int) crc.getValue());
    for (int at = start + size; at + 4 <= bytes.length; at++) {
      if (Arrays.equals(bytes, at, at + 4, before, 0, 4)) {
        System.arraycopy(after, 0, bytes, at, 4);
      }
    }
    return bytes;
  }

  private static byte[] little(int value) {
    return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }
}
