package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.pretrain4j.dataset.storage.ObjectServer;
import io.github.pretrain4j.dataset.storage.ObjectStorageException;
import io.github.pretrain4j.dataset.storage.S3Provider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Datasets in object stores read as local ones do. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class RemoteDatasetTest {
  @TempDir Path temporary;
  private ObjectServer server;
  private Path prefix;

  @BeforeEach
  void start() throws IOException {
    server = new ObjectServer();
    prefix = temporary.resolve("x");
    Random random = new Random(2);
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.INT32)) {
      for (int i = 0; i < 300; i++) {
        int[] tokens = random.ints(random.nextInt(60), 0, 99).toArray();
        writer.addDocument(tokens, new int[] {tokens.length});
      }
      writer.finish();
    }
    upload("1");
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void upload(String version) throws IOException {
    for (String suffix : List.of(".idx", ".bin")) {
      server.put("/bucket/x" + suffix, Files.readAllBytes(Path.of(prefix + suffix)), version);
    }
  }

  private IndexedDataset open(int blockBytes) throws IOException {
    return IndexedDataset.open(
        "s3://bucket/x",
        new S3Provider(server.config(null)),
        RemoteReading.defaults(temporary.resolve("cache")).withBlocks(blockBytes, 3),
        OpenOptions.defaults());
  }

  private List<String> cached() throws IOException {
    try (Stream<Path> files = Files.list(temporary.resolve("cache"))) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  @Test
  void readsWhatALocalOneReads() throws IOException {
    try (IndexedDataset local = IndexedDataset.open(prefix);
        IndexedDataset remote = open(1024)) {
      remote.verify();
      assertEquals(local.tokenCount(), remote.tokenCount());
      assertEquals("s3://bucket/x", remote.location());
      assertThrows(IllegalStateException.class, remote::prefix);
      for (long s = 0; s < local.sequenceCount(); s++) {
        assertArrayEquals(local.sequence(s), remote.sequence(s));
      }
      assertArrayEquals(local.span(0, 300).toArray(), remote.span(0, 300).toArray());
      try (IndexedDatasetWriter writer =
          IndexedDatasetWriter.create(temporary.resolve("copy"), TokenType.INT32)) {
        writer.append(remote, 0, remote.documentCount());
        writer.finish();
      }
      for (String suffix : List.of(".idx", ".bin")) {
        assertEquals(
            -1, Files.mismatch(Path.of(prefix + suffix), temporary.resolve("copy" + suffix)));
      }
    }
  }

  @Test
  void theIndexIsFetchedOnceForEachVersion() throws IOException {
    open(1024).close();
    server.script((exchange, number) -> false);
    open(1024).close();
    // The ends of the data are not looked at, those of the index are at hand.
    assertEquals(2, server.requests().size());
    assertEquals(1, cached().size());
    Path copy = temporary.resolve("cache").resolve(cached().get(0));
    byte[] good = Files.readAllBytes(copy);
    Files.write(copy, Arrays.copyOf(good, 100)); // a copy that was cut is fetched again
    open(1024).close();
    assertArrayEquals(good, Files.readAllBytes(copy));
    upload("2");
    open(1024).close();
    assertEquals(2, cached().size());
  }

  @Test
  void dataThatChangesWhileItIsReadIsAnError() throws IOException {
    try (IndexedDataset remote = open(64)) {
      remote.sequence(0);
      upload("2");
      ObjectStorageException e =
          assertThrows(ObjectStorageException.class, () -> remote.sequence(299));
      assertEquals(ObjectStorageException.Kind.CHANGED, e.kind());
    }
  }

  @Test
  void damageIsFoundAsInALocalOne() throws IOException {
    byte[] data = Files.readAllBytes(Path.of(prefix + ".bin"));
    byte[] index = Files.readAllBytes(Path.of(prefix + ".idx"));
    Random random = new Random(3);
    for (Damage damage : Damage.values()) {
      server.put("/bucket/x.idx", damage.apply(index, random), "d" + damage);
      assertThrows(CorruptDatasetException.class, () -> open(64));
    }
    server.put("/bucket/x.idx", index, "good");
    server.put("/bucket/x.bin", Arrays.copyOf(data, data.length + 1), "longer");
    CorruptDatasetException e = assertThrows(CorruptDatasetException.class, () -> open(64));
    assertEquals("s3://bucket/x.bin", e.location());
    assertEquals(Path.of("bucket/x.bin"), e.file());
    for (Damage damage : List.of(Damage.EMPTY, Damage.CUT, Damage.GROWN)) {
      server.put("/bucket/x.bin", damage.apply(data, random), "d" + damage);
      assertThrows(CorruptDatasetException.class, () -> open(64));
    }
  }

  @Test
  void anEmptyDatasetIsRead() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.INT32)) {
      writer.finish();
    }
    upload("3");
    try (IndexedDataset remote = open(64)) {
      remote.verify();
      assertEquals(0, remote.sequenceCount());
    }
  }
}
