package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * Compares a conversion's tensors with what comes back from its output, byte for byte, and hashes
 * them. Several tensors at a time, each in pieces.
 *
 * @param stored the source's tensors as they lie in its files
 * @param expected what has to come back, under the same names
 * @param back what was read from the output and mapped back to those names
 * @param unchanged whether what has to come back of a tensor is what is stored; the others are
 *     hashed twice
 * @param written the output, for the message
 */
record RoundTrip(
    TensorSource stored,
    TensorSource expected,
    TensorSource back,
    Predicate<String> unchanged,
    Path written) {
  private static final int BUFFER_BYTES = 1 << 20;

  /** Told how many bytes have been compared, by one thread at a time. */
  interface Progress {
    void compared(long bytes);
  }

  /**
   * What was found of one tensor.
   *
   * @param convertedSha256 of what had to come back, and did
   */
  record Found(TensorInfo stored, String sha256, String convertedSha256) {}

  /**
   * Compares all tensors of {@link #expected}.
   *
   * @return one entry for each, in order
   * @throws CorruptCheckpointException if a tensor is not the same
   */
  List<Found> compare(int workers, Progress progress) throws IOException {
    AtomicInteger number = new AtomicInteger();
    AtomicBoolean failed = new AtomicBoolean();
    ExecutorService executor =
        Executors.newFixedThreadPool(
            workers,
            task -> {
              Thread thread = new Thread(task, "p4j-compare-" + number.getAndIncrement());
              thread.setDaemon(true);
              return thread;
            });
    try {
      List<Future<Found>> futures = new ArrayList<>();
      for (TensorInfo tensor : expected.tensors()) {
        futures.add(
            executor.submit(
                () -> {
                  try {
                    return compare(tensor, failed, progress);
                  } catch (IOException | RuntimeException e) {
                    failed.set(true);
                    throw e;
                  }
                }));
      }
      return results(futures);
    } finally {
      executor.shutdownNow();
    }
  }

  /** The first failure in the order of tensors that is not only a consequence of another. */
  private static List<Found> results(List<Future<Found>> futures) throws IOException {
    List<Found> results = new ArrayList<>();
    Exception failure = null;
    for (Future<Found> future : futures) {
      try {
        results.add(future.get());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while comparing", e);
      } catch (ExecutionException e) {
        if (e.getCause() instanceof Error error) {
          throw error;
        }
        if (e.getCause() instanceof Exception cause
            && (failure == null || failure instanceof StoppedException)) {
          failure = cause;
        }
      }
    }
    if (failure instanceof IOException e) {
      throw e;
    }
    if (failure instanceof RuntimeException e) {
      throw e;
    }
    return results;
  }

  /** Another tensor has failed. */
  private static final class StoppedException extends IOException {
    private static final long serialVersionUID = 1L;
  }

  private Found compare(TensorInfo tensor, AtomicBoolean failed, Progress progress)
      throws IOException {
    String name = tensor.name();
    TensorInfo found = back.find(name);
    if (found == null || found.type() != tensor.type() || !found.shape().equals(tensor.shape())) {
      throw new CorruptCheckpointException(
          written, 0, "tensor " + name + " read back", tensor, found == null ? "nothing" : found);
    }
    MessageDigest digest = sha256();
    ByteBuffer expectedBytes = ByteBuffer.allocate(BUFFER_BYTES);
    ByteBuffer foundBytes = ByteBuffer.allocate(BUFFER_BYTES);
    for (long offset = 0; offset < tensor.byteCount(); offset += expectedBytes.limit()) {
      if (failed.get()) {
        throw new StoppedException();
      }
      int length = (int) Math.min(BUFFER_BYTES, tensor.byteCount() - offset);
      expected.read(name, offset, expectedBytes.clear().limit(length));
      back.read(name, offset, foundBytes.clear().limit(length));
      int mismatch = expectedBytes.flip().mismatch(foundBytes.flip());
      if (mismatch >= 0) {
        throw new CorruptCheckpointException(
            written,
            offset + mismatch,
            "tensor " + name + " read back",
            expectedBytes.get(mismatch) & 0xFF,
            foundBytes.get(mismatch) & 0xFF);
      }
      digest.update(expectedBytes.duplicate());
      synchronized (progress) {
        progress.compared(length);
      }
    }
    String sha256 = hex(digest);
    return unchanged.test(name)
        ? new Found(tensor, sha256, sha256)
        : new Found(stored.get(name), hash(stored, name, expectedBytes, failed), sha256);
  }

  private static String hash(
      TensorSource source, String name, ByteBuffer buffer, AtomicBoolean failed)
      throws IOException {
    MessageDigest digest = sha256();
    long byteCount = source.get(name).byteCount();
    for (long offset = 0; offset < byteCount; offset += buffer.limit()) {
      if (failed.get()) {
        throw new StoppedException();
      }
      source.read(
          name, offset, buffer.clear().limit((int) Math.min(BUFFER_BYTES, byteCount - offset)));
      digest.update(buffer.flip());
    }
    return hex(digest);
  }

  private static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
