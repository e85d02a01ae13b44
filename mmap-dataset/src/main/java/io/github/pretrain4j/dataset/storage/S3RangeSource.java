package io.github.pretrain4j.dataset.storage;

import io.github.pretrain4j.dataset.storage.ObjectStorageException.Kind;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One object, read by HTTP ranges.
 *
 * <p>Every answer is held against what was asked: status, {@code Content-Range}, number of bytes,
 * and the ETag that the object had when it was opened, which goes along as {@code If-Match}. A
 * request that the store fails to answer (5xx, 408, 429, a broken or late answer) is made again;
 * one that it refuses is not. Redirects are not followed: a signature is for one host.
 */
final class S3RangeSource implements ByteRangeSource {
  private static final String SCHEME = "s3://";
  private static final int ERROR_TEXT_BYTES = 4096;
  private static final Pattern ERROR_CODE = Pattern.compile("<Code>([A-Za-z0-9]{1,64})</Code>");
  private static final Pattern CONTENT_RANGE =
      Pattern.compile("bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})");

  private final String location;
  private final URI uri;
  private final S3Config config;
  private final ExecutorService threads;
  private final HttpClient client;
  private long size;
  private String version = "";
  private volatile boolean closed;

  private S3RangeSource(String location, URI uri, S3Config config) {
    this.location = location;
    this.uri = uri;
    this.config = config;
    this.threads =
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "p4j-s3 " + location);
              thread.setDaemon(true);
              return thread;
            });
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .executor(threads)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(config.timeout())
            .build();
  }

  /** Asks for the size and the ETag of the object at {@code s3://bucket/key}. */
  static S3RangeSource open(String location, S3Config config) throws IOException {
    int slash = location.indexOf('/', SCHEME.length());
    if (!location.startsWith(SCHEME)
        || slash <= SCHEME.length()
        || slash == location.length() - 1) {
      throw new IllegalArgumentException(location + ": expected s3://bucket/key");
    }
    URI uri =
        URI.create(
            config.endpoint().toString().replaceFirst("/+$", "")
                + "/"
                + escape(location.substring(SCHEME.length())));
    S3RangeSource source = new S3RangeSource(location, uri, config);
    try {
      source.head();
      return source;
    } catch (IOException | RuntimeException e) {
      source.close();
      throw e;
    }
  }

  /** Everything but letters, digits, {@code -._~} and slashes becomes %XX. */
  private static String escape(String path) {
    StringBuilder out = new StringBuilder();
    for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain = c < 128 && (Character.isLetterOrDigit(c) || "-._~/".indexOf(c) >= 0);
      if (plain) {
        out.append(c);
      } else {
        out.append(String.format(Locale.ROOT, "%%%02X", b & 0xff));
      }
    }
    return out.toString();
  }

  private void head() throws IOException {
    Answer answer = request("HEAD", Map.of(), 0, ByteBuffer.allocate(0));
    if (answer.status() != 200) {
      throw refusal(answer, 0);
    }
    size = answer.headers().firstValueAsLong("content-length").orElse(-1);
    version = answer.headers().firstValue("etag").orElse("");
    if (size < 0 || version.isEmpty()) {
      throw malformed(0, "a size and an ETag", size + " and '" + version + "'");
    }
  }

  @Override
  public String location() {
    return location;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public String version() {
    return version;
  }

  @Override
  public void read(long byteOffset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    Objects.checkFromIndexSize(byteOffset, length, size);
    if (length == 0) {
      return;
    }
    long last = byteOffset + length - 1;
    Map<String, String> headers = new TreeMap<>();
    headers.put("range", "bytes=" + byteOffset + "-" + last);
    if (!version.startsWith("W/")) { // a weak ETag never matches
      headers.put("if-match", version);
    }
    ByteBuffer body = ByteBuffer.allocate(length);
    Answer answer = request("GET", headers, byteOffset, body);
    boolean whole = answer.status() == 200 && length == size; // a store may ignore such a range
    if (answer.status() != 206 && !whole) {
      throw refusal(answer, byteOffset);
    }
    String etag = answer.headers().firstValue("etag").orElse("none");
    if (!etag.equals(version)) {
      throw new ObjectStorageException(
          Kind.CHANGED, location, byteOffset, "expected ETag " + version + ", found " + etag, null);
    }
    if (!whole) {
      String range = answer.headers().firstValue("content-range").orElse("none");
      Matcher matcher = CONTENT_RANGE.matcher(range);
      if (!matcher.matches()
          || Long.parseLong(matcher.group(1)) != byteOffset
          || Long.parseLong(matcher.group(2)) != last
          || Long.parseLong(matcher.group(3)) != size) {
        throw malformed(
            byteOffset, "Content-Range bytes " + byteOffset + "-" + last + "/" + size, range);
      }
    }
    target.put(body.flip());
  }

  /** What came back; the body of a refusal is its error code, if it has one. */
  private record Answer(int status, HttpHeaders headers, String errorCode) {}

  /** Takes what fits, and knows if there was more. */
  private static final class Body {
    private final ByteBuffer target;
    private boolean tooLong;

    Body(ByteBuffer target) {
      this.target = target;
    }

    void add(byte[] bytes) {
      int count = Math.min(bytes.length, target.remaining());
      target.put(bytes, 0, count);
      tooLong |= count < bytes.length;
    }
  }

  /** Makes the request until it is answered, and leaves a body of status 200 or 206 in target. */
  private Answer request(
      String method, Map<String, String> headers, long byteOffset, ByteBuffer target)
      throws IOException {
    if (closed) {
      throw new IllegalStateException(location + " is closed");
    }
    Duration pause = config.backoff();
    String failure = "";
    Throwable cause = null;
    for (int attempt = 1; ; attempt++) {
      target.clear();
      try {
        Answer answer = once(method, headers, byteOffset, target);
        int status = answer.status();
        if (status < 500 && status != 408 && status != 429) {
          return answer;
        }
        failure = "HTTP status " + status + " " + answer.errorCode();
        cause = null;
      } catch (TimeoutException e) {
        failure = "no whole answer in " + config.timeout();
        cause = e;
      } catch (ObjectStorageException | InterruptedIOException e) {
        throw e;
      } catch (IOException e) {
        failure = String.valueOf(e.getMessage());
        cause = e;
      }
      if (attempt == config.attempts()) {
        String detail = attempt + " attempts failed, the last one with: " + failure.strip();
        throw new ObjectStorageException(Kind.UNAVAILABLE, location, byteOffset, detail, cause);
      }
      sleep(pause);
      pause = pause.multipliedBy(2);
    }
  }

  private Answer once(
      String method, Map<String, String> headers, long byteOffset, ByteBuffer target)
      throws IOException, TimeoutException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri)
            .timeout(config.timeout())
            .method(method, HttpRequest.BodyPublishers.noBody());
    S3Credentials credentials = config.credentials();
    Map<String, String> all =
        credentials == null
            ? headers
            : S3Signature.sign(method, uri, headers, credentials, config.region(), Instant.now());
    all.forEach(request::header);
    Body body = new Body(target);
    Body error = new Body(ByteBuffer.allocate(ERROR_TEXT_BYTES));
    Future<HttpResponse<Void>> exchange =
        threads.submit(
            () ->
                client.send(
                    request.build(),
                    info -> {
                      boolean good = info.statusCode() == 200 || info.statusCode() == 206;
                      Body into = good ? body : error;
                      return BodySubscribers.ofByteArrayConsumer(
                          bytes -> bytes.ifPresent(into::add));
                    }));
    HttpResponse<Void> response = await(exchange);
    int status = response.statusCode();
    boolean good = status == 200 || status == 206;
    if (good && body.tooLong) {
      throw malformed(byteOffset, target.capacity() + " bytes", "more");
    }
    if (good && target.hasRemaining()) {
      throw new IOException("expected " + target.capacity() + " bytes, found " + target.position());
    }
    return new Answer(status, response.headers(), errorCode(error.target));
  }

  private <T> T await(Future<T> exchange) throws IOException, TimeoutException {
    try {
      return exchange.get(config.timeout().toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      throw interrupted(e);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      if (cause instanceof IOException world) {
        throw world;
      }
      throw new IOException(cause);
    } finally {
      exchange.cancel(true);
    }
  }

  private static String errorCode(ByteBuffer text) {
    byte[] bytes = new byte[text.position()];
    text.flip().get(bytes);
    Matcher matcher = ERROR_CODE.matcher(new String(bytes, StandardCharsets.UTF_8));
    return matcher.find() ? matcher.group(1) : "";
  }

  private void sleep(Duration pause) throws InterruptedIOException {
    try {
      TimeUnit.NANOSECONDS.sleep(pause.toNanos());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private InterruptedIOException interrupted(InterruptedException cause) {
    Thread.currentThread().interrupt();
    InterruptedIOException interrupted =
        new InterruptedIOException(location + ": interrupted while reading");
    interrupted.initCause(cause);
    return interrupted;
  }

  private ObjectStorageException refusal(Answer answer, long byteOffset) {
    Kind kind =
        switch (answer.status()) {
          case 401, 403 -> Kind.ACCESS_DENIED;
          case 404 -> Kind.NOT_FOUND;
          case 412 -> Kind.CHANGED;
          case 416 -> Kind.RANGE_NOT_SATISFIABLE;
          default -> Kind.MALFORMED_RESPONSE;
        };
    String detail = "HTTP status " + answer.status() + " " + answer.errorCode();
    String region = answer.headers().firstValue("x-amz-bucket-region").orElse("");
    if (answer.status() >= 300 && answer.status() < 400 && !region.isEmpty()) {
      detail += " the bucket is in region " + region;
    }
    return new ObjectStorageException(kind, location, byteOffset, detail.strip(), null);
  }

  private ObjectStorageException malformed(long byteOffset, String expected, String found) {
    return new ObjectStorageException(
        Kind.MALFORMED_RESPONSE,
        location,
        byteOffset,
        "expected " + expected + ", found " + found,
        null);
  }

  @Override
  public void close() {
    closed = true;
    threads.shutdownNow();
  }
}
