package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged files end in a typed error or a reading, never in another exception, endless work or
 * memory. Mutants come from one seed; a failure names its number.
 */
class MutationTest {
  private static final int MUTANTS_PER_FILE = 60;
  private static final List<String> TORCH_FILES =
      List.of(
          "views.pt",
          "views_legacy.pt",
          "dtypes.pt",
          "nested.pt",
          "numpy.pt",
          "protocol4.pt",
          "tied.pt",
          "parameters.pt",
          "new_dtypes.pt",
          "unknown_class.pt",
          "extra_state.pt");

  private final Path temporary;

  MutationTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  private static byte[] mutant(byte[] original, Random random) {
    byte[] bytes = original.clone();
    switch (random.nextInt(6)) {
      case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      case 1 -> {
        int at = random.nextInt(bytes.length);
        Arrays.fill(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(64)), (byte) 0);
      }
      case 2 -> {
        bytes = Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(100));
      }
      default -> {
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
          bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
      }
    }
    return bytes;
  }

  /** Damages the pickle and mends its checksum, so that the damage gets past that. */
  private static byte[] pickleMutant(byte[] original, ZipRecord pickle, Random random) {
    byte[] bytes = original.clone();
    int start = (int) pickle.dataOffset();
    int size = (int) pickle.size();
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      bytes[start + random.nextInt(size)] = (byte) random.nextInt(256);
    }
    CRC32 crc = new CRC32();
    crc.update(bytes, start, size);
    byte[] before = ByteBuffer.allocate(4).putInt(Integer.reverseBytes(pickle.crc())).array();
    byte[] after =
        ByteBuffer.allocate(4).putInt(Integer.reverseBytes((int) crc.getValue())).array();
    for (int at = start + size; at + 4 <= bytes.length; at++) {
      if (Arrays.equals(bytes, at, at + 4, before, 0, 4)) {
        System.arraycopy(after, 0, bytes, at, 4);
      }
    }
    return bytes;
  }

  private static void readAll(Path file) throws IOException {
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      for (TensorReference tensor : TorchTrees.tensors(reader.root())) {
        ExpectedTree.inPieces(reader, tensor, 1 << 20);
      }
      reader.verify();
    }
  }

  @Test
  void tornTorchFilesEndInTypedErrors() throws IOException {
    Random random = new Random(20_261_124);
    Path file = temporary.resolve("mutant.pt");
    int refused = 0;
    for (String name : TORCH_FILES) {
      Path original = SharedFiles.torchResources().resolve(name);
      byte[] bytes = Files.readAllBytes(original);
      List<byte[]> mutants = new ArrayList<>();
      for (int i = 0; i < MUTANTS_PER_FILE; i++) {
        mutants.add(mutant(bytes, random));
      }
      if (!name.contains("legacy")) {
        try (FileBytes source = FileBytes.open(original)) {
          ZipRecord pickle = ZipDirectory.read(source).records().get("data.pkl");
          for (int i = 0; pickle != null && i < MUTANTS_PER_FILE; i++) {
            mutants.add(pickleMutant(bytes, pickle, random));
          }
        }
      }
      for (int i = 0; i < mutants.size(); i++) {
        Files.write(file, mutants.get(i));
        try {
          readAll(file);
        } catch (CorruptCheckpointException e) {
          refused++;
        } catch (IOException | RuntimeException | Error e) {
          throw new AssertionError(name + ", mutant " + i, e);
        }
      }
    }
    assertTrue(refused > TORCH_FILES.size() * MUTANTS_PER_FILE, refused + " refused");
  }

  @Test
  void tornSafetensorsFilesEndInTypedErrors() throws IOException {
    Random random = new Random(20_261_124);
    Path file = temporary.resolve("mutant.safetensors");
    byte[] bytes =
        Files.readAllBytes(SharedFiles.torchResources().resolve("dtypes.expected.safetensors"));
    int refused = 0;
    for (int i = 0; i < 600; i++) {
      Files.write(file, mutant(bytes, random));
      try (SafetensorsReader reader = SafetensorsReader.open(file)) {
        for (TensorInfo tensor : reader.tensors()) {
          reader.read(tensor.name(), 0, ByteBuffer.allocate((int) tensor.byteCount()));
        }
      } catch (CorruptCheckpointException e) {
        refused++;
      } catch (IOException | RuntimeException | Error e) {
        throw new AssertionError("mutant " + i, e);
      }
    }
    assertTrue(refused > 300, refused + " refused");
  }
}
