package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a torch file holds: the object tree, and where each storage lies.
 *
 * @param storageOffsets place of each storage's data in the file, by key
 * @param records members of the archive, for checksums; none in a legacy file
 */
record TorchContents(
    PickleObject root,
    Map<String, TensorStorage> storages,
    Map<String, Long> storageOffsets,
    boolean bigEndian,
    Collection<ZipRecord> records) {

  static final long MAX_PICKLE_BYTES = 512L << 20;
  private static final int MAX_TEXT_RECORD = 64;
  private static final int MIN_VERSION = 1;
  private static final int MAX_VERSION = 10;

  private static final byte[] LEGACY_START = {
    (byte) 0x80,
    2,
    (byte) 0x8A,
    10,
    0x6C,
    (byte) 0xFC,
    (byte) 0x9C,
    0x46,
    (byte) 0xF9,
    0x20,
    0x6A,
    (byte) 0xA8,
    0x50,
    0x19,
    '.'
  };
  private static final PickleObject LEGACY_PROTOCOL = PickleObject.of(1001);

  static TorchContents read(FileBytes bytes, boolean strict) throws IOException {
    if (startsWith(bytes, LEGACY_START)) {
      return readLegacy(bytes, strict);
    }
    if (!startsWith(bytes, new byte[] {'P', 'K', 3, 4})) {
      throw bytes.corrupt(
          0, "torch file", "a zip archive or a legacy torch file", FileStarts.describe(bytes));
    }
    return readArchive(bytes, ZipDirectory.read(bytes), strict);
  }

  private static boolean startsWith(FileBytes bytes, byte[] expected) throws IOException {
    return bytes.size() >= expected.length
        && bytes.read(0, expected.length).equals(ByteBuffer.wrap(expected));
  }

  private static TorchContents readArchive(FileBytes bytes, ZipDirectory zip, boolean strict)
      throws IOException {
    if (zip.records().containsKey("constants.pkl")) {
      throw bytes.corrupt(0, "torch archive", "a state dict", "a TorchScript program");
    }
    checkVersion(bytes, zip);
    boolean bigEndian = isBigEndian(bytes, zip);
    ZipRecord pickle = record(bytes, zip, "data.pkl");
    if (pickle.size() > MAX_PICKLE_BYTES) {
      throw bytes.corrupt(
          pickle.headerOffset(), "size of data.pkl", "at most " + MAX_PICKLE_BYTES, pickle.size());
    }
    TorchFileReader.verify(bytes, pickle);
    PickleInput in = new PickleInput(bytes, pickle.dataOffset(), pickle.size());
    PickleCalls calls = new PickleCalls(strict);
    PickleObject root = new PickleFreezer(in).freeze(new PickleMachine(in, calls).run());
    Map<String, Long> offsets = new LinkedHashMap<>();
    for (TensorStorage storage : calls.storages().values()) {
      ZipRecord record = record(bytes, zip, "data/" + storage.key());
      if (record.size() != storage.byteCount()) {
        throw bytes.corrupt(
            record.headerOffset(),
            "size of storage " + storage.key(),
            storage.byteCount() + " bytes",
            record.size());
      }
      offsets.put(storage.key(), record.dataOffset());
    }
    return new TorchContents(
        root,
        calls.storages(),
        Collections.unmodifiableMap(offsets),
        bigEndian,
        zip.records().values());
  }

  private static ZipRecord record(FileBytes bytes, ZipDirectory zip, String name)
      throws IOException {
    ZipRecord record = zip.records().get(name);
    if (record == null) {
      throw bytes.corrupt(
          bytes.size(), "torch archive", "record " + zip.archiveName() + "/" + name, "none");
    }
    return record;
  }

  private static String textRecord(FileBytes bytes, ZipRecord record) throws IOException {
    if (record.size() > MAX_TEXT_RECORD) {
      throw bytes.corrupt(
          record.headerOffset(), "record " + record.name(), "a short text", record.size());
    }
    byte[] text = new byte[(int) record.size()];
    bytes.read(record.dataOffset(), text.length).get(text);
    return new String(text, StandardCharsets.US_ASCII).strip();
  }

  private static void checkVersion(FileBytes bytes, ZipDirectory zip) throws IOException {
    @Nullable ZipRecord version = zip.records().get(".data/version");
    if (version == null) {
      version = record(bytes, zip, "version");
    }
    String text = textRecord(bytes, version);
    if (!text.matches("[0-9]{1,3}")
        || Integer.parseInt(text) < MIN_VERSION
        || Integer.parseInt(text) > MAX_VERSION) {
      throw bytes.corrupt(
          version.dataOffset(), "archive version", MIN_VERSION + " to " + MAX_VERSION, text);
    }
  }

  private static boolean isBigEndian(FileBytes bytes, ZipDirectory zip) throws IOException {
    ZipRecord order = zip.records().get("byteorder");
    if (order == null) {
      return false;
    }
    String text = textRecord(bytes, order);
    if (!text.equals("little") && !text.equals("big")) {
      throw bytes.corrupt(order.dataOffset(), "byteorder", "little or big", text);
    }
    return text.equals("big");
  }

  /**
   * Five pickles (magic, protocol, system, object, storage keys), then each storage: int64 count
   * and data.
   */
  private static TorchContents readLegacy(FileBytes bytes, boolean strict) throws IOException {
    PickleInput in = new PickleInput(bytes, 0, bytes.size());
    PickleObject unused = next(in, new PickleCalls(true)); // the magic number, seen above
    PickleObject protocol = next(in, new PickleCalls(true));
    if (!protocol.equals(LEGACY_PROTOCOL)) {
      throw in.corrupt("legacy protocol", LEGACY_PROTOCOL, protocol);
    }
    boolean bigEndian =
        next(in, new PickleCalls(true)) instanceof PickleObject.PyDict system
            && PickleObject.of(false).equals(system.get("little_endian"));
    PickleCalls calls = new PickleCalls(strict);
    PickleObject root = next(in, calls);
    if (!(next(in, new PickleCalls(true)) instanceof PickleObject.PyList keys)) {
      throw in.corrupt("legacy storage keys", "a list", "another object");
    }
    Map<String, Long> offsets = legacyOffsets(bytes, in.position(), calls, keys.items());
    return new TorchContents(root, calls.storages(), offsets, bigEndian, List.of());
  }

  private static PickleObject next(PickleInput in, PickleCalls calls) throws IOException {
    return new PickleFreezer(in).freeze(new PickleMachine(in, calls).run());
  }

  private static Map<String, Long> legacyOffsets(
      FileBytes bytes, long position, PickleCalls calls, List<PickleObject> keys)
      throws IOException {
    Map<String, Long> offsets = new LinkedHashMap<>();
    for (PickleObject key : keys) {
      TensorStorage storage =
          key instanceof PickleObject.PyString text ? calls.storages().get(text.value()) : null;
      if (storage == null) {
        throw bytes.corrupt(position, "legacy storage key", "one that a tensor names", key);
      }
      long count = bytes.read(position, Long.BYTES).getLong();
      BigInteger length =
          BigInteger.valueOf(count).multiply(BigInteger.valueOf(calls.elementBytes(storage)));
      if (!length.equals(BigInteger.valueOf(storage.byteCount()))) {
        throw bytes.corrupt(
            position, "size of storage " + storage.key(), storage.byteCount() + " bytes", length);
      }
      position += Long.BYTES;
      if (storage.byteCount() > bytes.size() - position) {
        throw bytes.corrupt(
            position,
            "storage " + storage.key(),
            storage.byteCount() + " bytes",
            bytes.size() - position);
      }
      if (offsets.put(storage.key(), position) != null) {
        throw bytes.corrupt(position, "storage " + storage.key(), "once", "twice");
      }
      position += storage.byteCount();
    }
    if (offsets.size() != calls.storages().size()) {
      throw bytes.corrupt(position, "legacy storages", calls.storages().keySet(), offsets.keySet());
    }
    return Collections.unmodifiableMap(offsets);
  }
}
