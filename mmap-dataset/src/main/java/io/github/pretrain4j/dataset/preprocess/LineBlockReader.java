package io.github.pretrain4j.dataset.preprocess;

import java.io.Closeable;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * Reads inputs in blocks of whole lines. Lines end as in Python's text files: {@code \n}, {@code
 * \r\n} or {@code \r}; the last line of an input needs no end. A block grows only if one line is
 * longer than a block. Not thread-safe.
 */
final class LineBlockReader implements Closeable {
  private final InputList inputs;
  private final int blockBytes;
  private final int maxLineBytes;
  private final MessageDigest digest = sha256();
  private int nextInput;
  private @Nullable OpenInput input;
  private InputPosition start;
  private @Nullable String prefixSha256;
  private long byteOffset; // of carried[0] in the input
  private long linesBefore;
  private long rawBytes; // of the inputs before
  private byte[] carried = {}; // the beginning of a line
  private int carriedLength;

  /**
   * A reader of several inputs, one after the other.
   *
   * @param blockBytes bytes of a block
   * @param maxLineBytes bytes of a line at most
   * @param from where to start
   * @param prefixSha256 what comes before the start in the same input must have this SHA-256, in
   *     hex; or null to take what is there
   */
  LineBlockReader(
      InputList inputs,
      int blockBytes,
      int maxLineBytes,
      InputPosition from,
      @Nullable String prefixSha256) {
    this.prefixSha256 = prefixSha256;
    this.inputs = inputs;
    this.blockBytes = blockBytes;
    this.maxLineBytes = Math.max(blockBytes, maxLineBytes);
    this.nextInput = from.file();
    this.start = from;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /**
   * Reads the next block.
   *
   * @return whether there was one
   * @throws EncodedBlock.BlockFailure for a line over the limit
   */
  boolean next(LineBlock block) throws IOException, EncodedBlock.BlockFailure {
    OpenInput current = input;
    if (current == null) {
      if (nextInput == inputs.size()) {
        return false;
      }
      current = OpenInput.open(inputs.file(nextInput++));
      input = current;
      digest.reset();
      skipPrefix(current);
    }
    block.input = nextInput - 1;
    block.file = inputs.file(block.input);
    block.byteOffset = byteOffset;
    block.finished = null;
    fill(current, block);
    return true;
  }

  /** Reads, for the digest, what comes before the start; later inputs start at their start. */
  private void skipPrefix(OpenInput current) throws IOException {
    byte[] bytes = new byte[blockBytes];
    long left = start.byteOffset();
    while (left > 0) {
      int read = current.read(bytes, 0, (int) Math.min(left, bytes.length));
      if (read < 0) {
        throw new UnresumableException(
            inputs.file(nextInput - 1),
            "size",
            "at least " + start.byteOffset() + " bytes",
            start.byteOffset() - left);
      }
      digest.update(bytes, 0, read);
      left -= read;
    }
    requireSamePrefix();
    byteOffset = start.byteOffset();
    linesBefore = start.lineNumber();
    start = InputPosition.START;
  }

  private void requireSamePrefix() throws UnresumableException {
    String expected = prefixSha256;
    prefixSha256 = null;
    if (expected != null) {
      String found = HexFormat.of().formatHex(digestSoFar());
      if (!found.equals(expected)) {
        throw new UnresumableException(
            inputs.file(nextInput - 1),
            "SHA-256 of its first " + start.byteOffset() + " bytes",
            expected,
            found);
      }
    }
  }

  private void fill(OpenInput current, LineBlock block)
      throws IOException, EncodedBlock.BlockFailure {
    byte[] bytes = block.bytes;
    if (bytes.length < Math.max(blockBytes, carriedLength)) {
      bytes = new byte[Math.max(blockBytes, carriedLength)];
    }
    System.arraycopy(carried, 0, bytes, 0, carriedLength);
    int length = carriedLength;
    while (true) {
      int read = current.read(bytes, length, bytes.length - length);
      if (read < 0) {
        carriedLength = 0;
        finish(current, block, bytes, length);
        block.finished =
            new InputDigest(block.file, current.rawBytes(), current.rawSha256(block.prefixSha256));
        rawBytes += current.rawBytes();
        close();
        return;
      }
      length += read;
      if (length == bytes.length) {
        int end = endOfLastLine(bytes, length);
        if (end > 0) {
          carry(bytes, end, length);
          finish(current, block, bytes, end);
          return;
        }
        if (length >= maxLineBytes) {
          String limit = maxLineBytes + " bytes (a larger heap, -Xmx, allows more)";
          finish(current, block, bytes, 0);
          throw new EncodedBlock.BlockFailure(
              block, 0, new BadLine(0, "a line of up to " + limit, "a longer one", null));
        }
        bytes = Arrays.copyOf(bytes, (int) Math.min(2L * length, maxLineBytes));
      }
    }
  }

  private void carry(byte[] bytes, int from, int to) {
    carriedLength = to - from;
    if (carried.length < carriedLength) {
      carried = new byte[Math.max(carriedLength, 1 << 16)];
    }
    System.arraycopy(bytes, from, carried, 0, carriedLength);
  }

  /** Index behind the last line end; a final {@code \r} is left out, for it may be half an end. */
  private static int endOfLastLine(byte[] bytes, int length) {
    for (int i = length - 1; i >= 0; i--) {
      if (bytes[i] == '\n' || (bytes[i] == '\r' && i < length - 1)) {
        return i + 1;
      }
    }
    return 0;
  }

  private void finish(OpenInput current, LineBlock block, byte[] bytes, int length) {
    digest.update(bytes, 0, length);
    block.bytes = bytes;
    block.length = length;
    block.linesBefore = linesBefore;
    block.rawBytes = rawBytes + current.rawBytes();
    block.prefixSha256 = digestSoFar();
    linesBefore = -1;
    byteOffset += length;
  }

  private byte[] digestSoFar() {
    try {
      return ((MessageDigest) digest.clone()).digest();
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException("the platform's SHA-256 can be cloned", e);
    }
  }

  /** Closes the input at hand. Idempotent. */
  @Override
  public void close() throws IOException {
    OpenInput current = input;
    input = null;
    if (current != null) {
      current.close();
    }
  }
}
