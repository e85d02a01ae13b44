package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DurableFilesTest {
  @Test
  void namesTheFileForWhichTheDiskIsFull() throws IOException {
    Path file = Path.of("model.safetensors");
    try (FileChannel full = FileChannel.open(Path.of("/dev/full"), StandardOpenOption.WRITE)) {
      StoreWriteException e =
          assertThrows(
              StoreWriteException.class,
              () -> DurableFiles.write(full, ByteBuffer.allocate(9), file, 4096));
      assertEquals(file, e.file());
      assertEquals(4096, e.byteOffset());
      assertTrue(
          String.valueOf(e.getMessage())
              .startsWith("model.safetensors: cannot write at byte 4096: "));
    }
  }

  @Test
  void replacesAFile(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("manifest.json");
    DurableFiles.replace(file, new byte[] {1, 2});
    DurableFiles.replace(file, new byte[] {3});
    assertArrayEquals(new byte[] {3}, Files.readAllBytes(file));
  }
}
