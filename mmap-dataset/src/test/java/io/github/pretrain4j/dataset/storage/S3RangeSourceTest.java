package io.github.pretrain4j.dataset.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import io.github.pretrain4j.dataset.storage.ObjectStorageException.Kind;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class S3RangeSourceTest {
  private static final String LOCATION = "s3://bucket/some key/\u00fcx.bin";
  private static final S3Credentials CREDENTIALS =
      new S3Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", null);

  @TempDir Path temporary;
  private final byte[] bytes = new byte[1000];
  private ObjectServer server;

  @BeforeEach
  void start() throws IOException {
    new Random(1).nextBytes(bytes);
    server = new ObjectServer();
    server.put("/bucket/some key/\u00fcx.bin", bytes, "one");
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private ByteRangeSource open() throws IOException {
    server.script((exchange, number) -> false);
    return new S3Provider(server.config(null)).open(LOCATION);
  }

  private static byte[] read(ByteRangeSource source, long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(length);
    source.read(offset, target);
    assertFalse(target.hasRemaining());
    return target.array();
  }

  private ObjectStorageException failure(ObjectServer.Script script) throws IOException {
    try (ByteRangeSource source = open()) {
      server.script(script);
      return assertThrows(ObjectStorageException.class, () -> read(source, 10, 20));
    }
  }

  private static void answer(
      HttpExchange exchange, int status, String etag, String range, byte[] body)
      throws IOException {
    exchange.getResponseHeaders().set("ETag", etag);
    exchange.getResponseHeaders().set("Content-Range", range);
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  /** The example of the signature's description. */
  @Test
  void signsAsTheDescriptionDoes() {
    Map<String, String> headers =
        S3Signature.sign(
            "GET",
            URI.create("https://examplebucket.s3.amazonaws.com/test.txt"),
            Map.of("range", "bytes=0-9"),
            CREDENTIALS,
            "us-east-1",
            Instant.parse("2013-05-24T00:00:00Z"));
    assertEquals(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        headers.get("authorization"));
    assertFalse(CREDENTIALS.toString().contains("wJalr"));
  }

  @Test
  void readsRanges() throws IOException {
    try (ByteRangeSource source = open()) {
      assertEquals(1000, source.size());
      assertEquals("\"one\"", source.version());
      assertArrayEquals(bytes, read(source, 0, 1000));
      assertArrayEquals(Arrays.copyOfRange(bytes, 990, 1000), read(source, 990, 10));
      assertArrayEquals(new byte[0], read(source, 1000, 0));
      assertThrows(IndexOutOfBoundsException.class, () -> read(source, 991, 10));
      assertEquals("HEAD /bucket/some%20key/%C3%BCx.bin null null", server.requests().get(0));
      assertEquals(3, server.requests().size());
    }
    ByteRangeSource closed = open();
    closed.close();
    closed.close();
    assertThrows(IllegalStateException.class, () -> read(closed, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new S3Provider().open("s3://bucket/"));
  }

  @Test
  void signsWithCredentials() throws IOException {
    S3Credentials session = new S3Credentials("ID", "SECRET", "TOKEN");
    try (ByteRangeSource source = new S3Provider(server.config(session)).open(LOCATION)) {
      read(source, 0, 10);
    }
    for (String request : server.requests()) {
      assertTrue(request.contains("Credential=ID/"), request);
      assertTrue(request.contains(";x-amz-security-token,"), request);
    }
    assertTrue(
        server.requests().get(1).contains("host;if-match;range;"), server.requests()::toString);
  }

  @Test
  void refusalsAreTypedAndNotRepeated() throws IOException {
    Map<Integer, Kind> kinds =
        Map.of(
            401, Kind.ACCESS_DENIED,
            403, Kind.ACCESS_DENIED,
            404, Kind.NOT_FOUND,
            412, Kind.CHANGED,
            416, Kind.RANGE_NOT_SATISFIABLE,
            400, Kind.MALFORMED_RESPONSE,
            301, Kind.MALFORMED_RESPONSE);
    for (Map.Entry<Integer, Kind> entry : kinds.entrySet()) {
      ObjectStorageException e =
          failure(
              (exchange, number) -> {
                ObjectServer.error(exchange, entry.getKey(), "TheCode");
                return true;
              });
      assertEquals(entry.getValue(), e.kind());
      assertEquals(
          LOCATION + ": at byte 10: HTTP status " + entry.getKey() + " TheCode", e.getMessage());
      assertEquals(1, server.requests().size());
    }
    server.script((exchange, number) -> false);
    ObjectStorageException e =
        assertThrows(
            ObjectStorageException.class,
            () -> new S3Provider(server.config(null)).open("s3://bucket/none"));
    assertEquals(Kind.NOT_FOUND, e.kind());
  }

  @Test
  void aStoreThatFailsAtFirstIsAskedAgain() throws IOException {
    List<ObjectServer.Script> failures = new ArrayList<>();
    for (int status : new int[] {500, 503, 429, 408}) {
      failures.add(
          (exchange, number) -> {
            ObjectServer.error(exchange, status, "SlowDown");
            return true;
          });
    }
    failures.add(
        (exchange, number) -> { // a body that ends early
          exchange.getResponseHeaders().set("ETag", "\"one\"");
          exchange.getResponseHeaders().set("Content-Range", "bytes 10-29/1000");
          exchange.sendResponseHeaders(206, 20);
          exchange.getResponseBody().write(bytes, 10, 7);
          exchange.getResponseBody().flush();
          exchange.close();
          return true;
        });
    failures.add(
        (exchange, number) -> { // a body that says it is shorter
          answer(exchange, 206, "\"one\"", "bytes 10-29/1000", Arrays.copyOf(bytes, 19));
          return true;
        });
    for (ObjectServer.Script script : failures) {
      try (ByteRangeSource source = open()) {
        server.script((exchange, number) -> number < 3 && script.handle(exchange, number));
        assertArrayEquals(Arrays.copyOfRange(bytes, 10, 30), read(source, 10, 20));
        assertEquals(3, server.requests().size());
      }
      ObjectStorageException e = failure(script);
      assertEquals(Kind.UNAVAILABLE, e.kind());
      assertTrue(e.getMessage().contains("3 attempts failed"), e.getMessage());
    }
  }

  @Test
  void answersToAnotherQuestionAreErrors() throws IOException {
    byte[] body = Arrays.copyOfRange(bytes, 10, 30);
    for (String range :
        List.of("bytes 11-30/1000", "bytes 10-29/999", "bytes 10-29/*", "bytes 10-28/1000", "x")) {
      ObjectStorageException e =
          failure(
              (exchange, number) -> {
                answer(exchange, 206, "\"one\"", range, body);
                return true;
              });
      assertEquals(Kind.MALFORMED_RESPONSE, e.kind());
      assertEquals(
          LOCATION + ": at byte 10: expected Content-Range bytes 10-29/1000, found " + range,
          e.getMessage());
    }
    ObjectStorageException tooLong =
        failure(
            (exchange, number) -> {
              answer(exchange, 206, "\"one\"", "bytes 10-29/1000", new byte[1 << 20]);
              return true;
            });
    assertEquals(Kind.MALFORMED_RESPONSE, tooLong.kind());
    ObjectStorageException whole =
        failure(
            (exchange, number) -> { // the range was not heeded
              answer(exchange, 200, "\"one\"", "none", body);
              return true;
            });
    assertEquals(Kind.MALFORMED_RESPONSE, whole.kind());
  }

  @Test
  void anObjectThatChangesIsAnError() throws IOException {
    try (ByteRangeSource source = open()) {
      read(source, 0, 10);
      server.put("/bucket/some key/\u00fcx.bin", new byte[1000], "two");
      ObjectStorageException e =
          assertThrows(ObjectStorageException.class, () -> read(source, 0, 10));
      assertEquals(Kind.CHANGED, e.kind());
    }
    byte[] body = Arrays.copyOfRange(bytes, 10, 30);
    server.put("/bucket/some key/\u00fcx.bin", bytes, "one");
    ObjectStorageException unheeded = // If-Match was not heeded
        failure(
            (exchange, number) -> {
              answer(exchange, 206, "\"two\"", "bytes 10-29/1000", body);
              return true;
            });
    assertEquals(Kind.CHANGED, unheeded.kind());
    assertTrue(
        unheeded.getMessage().endsWith("expected ETag \"one\", found \"two\""),
        unheeded.getMessage());
  }

  /** Headers that never come, and a body that stops in the middle. */
  @Test
  void aStoreThatHangsIsUnavailable() throws IOException {
    CountDownLatch end = new CountDownLatch(1);
    for (boolean headers : new boolean[] {false, true}) {
      S3Config impatient =
          server.config(null).withPatience(Duration.ofMillis(300), 2, Duration.ofMillis(1));
      server.script((exchange, number) -> false);
      try (ByteRangeSource source = new S3Provider(impatient).open(LOCATION)) {
        server.script(
            (exchange, number) -> {
              if (headers) {
                exchange.getResponseHeaders().set("ETag", "\"one\"");
                exchange.sendResponseHeaders(206, 20);
                exchange.getResponseBody().write(bytes, 10, 7);
                exchange.getResponseBody().flush();
              }
              try {
                end.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              return true;
            });
        ObjectStorageException e =
            assertThrows(ObjectStorageException.class, () -> read(source, 10, 20));
        assertEquals(Kind.UNAVAILABLE, e.kind());
        assertTrue(e.getMessage().contains("2 attempts failed"), e.getMessage());
      }
    }
    end.countDown();
  }

  @Test
  void theEnvironmentSaysWhereTheStoreIs() {
    Map<String, String> environment =
        Map.of(
            "AWS_DEFAULT_REGION", "cn-north-1",
            "AWS_ENDPOINT_URL", "http://store:9000",
            "AWS_ACCESS_KEY_ID", "ID",
            "AWS_SECRET_ACCESS_KEY", "SECRET");
    S3Config config = S3Provider.of(environment::get).config();
    assertEquals("cn-north-1", config.region());
    assertEquals(URI.create("http://store:9000"), config.endpoint());
    assertEquals(new S3Credentials("ID", "SECRET", null), config.credentials());
    S3Config open = S3Provider.of(name -> null).config();
    assertNull(open.credentials());
    assertEquals(URI.create("https://s3.us-east-1.amazonaws.com"), open.endpoint());
  }

  @Test
  void providersAreFoundByScheme() {
    assertTrue(ByteRangeSourceProvider.forLocation("s3://b/k") instanceof S3Provider);
    assertTrue(ByteRangeSourceProvider.forLocation("file:///k") instanceof FileRangeProvider);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> ByteRangeSourceProvider.forLocation("x://k"));
    assertEquals("x://k: no provider for x://; known: [file, s3]", e.getMessage());
    assertThrows(
        IllegalArgumentException.class, () -> ByteRangeSourceProvider.forLocation("/a/path"));
  }

  @Test
  void localFilesAreSourcesToo() throws IOException {
    Path file = Files.write(temporary.resolve("f"), bytes);
    FileRangeProvider provider = new FileRangeProvider();
    try (ByteRangeSource source = provider.open("file://" + file)) {
      assertArrayEquals(Arrays.copyOfRange(bytes, 5, 25), read(source, 5, 20));
      Files.write(file, new byte[3]);
      ObjectStorageException e =
          assertThrows(ObjectStorageException.class, () -> read(source, 5, 20));
      assertEquals(Kind.CHANGED, e.kind());
    }
    ByteRangeSource closed = provider.open("file://" + file);
    closed.close();
    assertThrows(IllegalStateException.class, () -> read(closed, 0, 1));
    ObjectStorageException e =
        assertThrows(
            ObjectStorageException.class, () -> provider.open("file://" + temporary + "/none"));
    assertEquals(Kind.NOT_FOUND, e.kind());
  }

  /** Counts its reads, and fails the first of them if told so. */
  private static final class CountingSource implements ByteRangeSource {
    private final byte[] bytes;
    private final AtomicInteger reads = new AtomicInteger();
    private volatile boolean failing;

    CountingSource(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public String location() {
      return "test://x";
    }

    @Override
    public long size() {
      return bytes.length;
    }

    @Override
    public String version() {
      return "1";
    }

    @Override
    public void read(long byteOffset, ByteBuffer target) throws IOException {
      reads.incrementAndGet();
      if (failing) {
        throw new IOException("no");
      }
      target.put(bytes, (int) byteOffset, target.remaining());
    }

    @Override
    public void close() {}
  }

  @Test
  void blocksAreFetchedOnceAndForgottenInOrderOfUse() throws IOException {
    CountingSource source = new CountingSource(bytes);
    BlockCache cache = new BlockCache(source, 64, 2);
    for (int offset : new int[] {0, 63, 1, 64, 127, 0}) {
      assertEquals(bytes[offset], cache.chunk(offset).get(cache.inChunk(offset)));
    }
    assertEquals(2, source.reads.get());
    cache.chunk(128); // 64 is forgotten, 0 was used since
    cache.chunk(0);
    assertEquals(3, source.reads.get());
    cache.chunk(64);
    assertEquals(4, source.reads.get());
    assertEquals(1000, cache.chunkEnd(999));
    assertEquals(1000 - 960, cache.chunk(999).limit());
    source.failing = true;
    assertThrows(IOException.class, () -> cache.chunk(200));
    source.failing = false;
    assertEquals(bytes[200], cache.chunk(200).get(cache.inChunk(200)));
    assertThrows(IndexOutOfBoundsException.class, () -> cache.chunk(1000));
    assertThrows(IllegalArgumentException.class, () -> new BlockCache(source, 100, 2));
    assertThrows(IllegalArgumentException.class, () -> new BlockCache(source, 64, 0));
  }

  @Test
  void threadsShareBlocks() throws Exception {
    CountingSource source = new CountingSource(bytes);
    BlockCache cache = new BlockCache(source, 64, 16);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> done = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        Random random = new Random(t);
        done.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 5000; i++) {
                    int offset = random.nextInt(1000);
                    assertEquals(bytes[offset], cache.chunk(offset).get(cache.inChunk(offset)));
                  }
                  return null;
                }));
      }
      for (Future<?> each : done) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(16, source.reads.get());
  }
}
