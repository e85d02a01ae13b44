package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many tokens a second come out of random windows of a dataset, on one thread and from the page
 * cache.
 *
 * <p>A window is what one training sample reads: {@value #WINDOW} tokens somewhere in a sequence,
 * as {@code int} ids. The candidate looks each sequence up in the index and checks it; the baseline
 * knows the byte already and reads it through a {@link FileChannel}. An operation is one token.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class DatasetReadBenchmark {
  private static final int WINDOW = 2049;
  private static final int WINDOWS_PER_CALL = 64;
  private static final int TOKENS_PER_CALL = WINDOWS_PER_CALL * WINDOW;

  /** Sequences of the dataset, of 2049 to 8192 tokens of two bytes. */
  @Param("4096")
  public int sequences;

  private @Nullable Dataset opened;

  /** Where a window lies: for the candidate, and for the baseline. */
  private record Window(long sequence, int offset, long byteOffset) {}

  /** The dataset, opened twice, and a stretch of windows to be read over and over. */
  private static final class Dataset implements AutoCloseable {
    final Path directory;
    final Path prefix;
    final Window[] windows;
    final IndexedDataset dataset;
    final FileChannel channel;
    final ByteBuffer bytes =
        ByteBuffer.allocateDirect(WINDOW * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    final int[] tokens = new int[WINDOW];
    int next;

    Dataset(int sequences) throws IOException {
      directory = Files.createTempDirectory("pretrain4j-benchmark");
      prefix = directory.resolve("corpus");
      windows = write(sequences);
      dataset = IndexedDataset.open(prefix);
      channel = FileChannel.open(dataFile());
    }

    private Path dataFile() {
      return directory.resolve("corpus.bin");
    }

    private Window[] write(int sequences) throws IOException {
      SplittableRandom random = new SplittableRandom(1);
      Window[] drawn = new Window[sequences];
      long first = 0;
      try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
        for (int i = 0; i < sequences; i++) {
          int[] sequence = random.ints(random.nextInt(WINDOW, 8193), 0, 32000).toArray();
          int offset = random.nextInt(sequence.length - WINDOW + 1);
          drawn[i] = new Window(i, offset, (first + offset) * Short.BYTES);
          writer.addSequence(sequence, 0, sequence.length);
          writer.endDocument();
          first += sequence.length;
        }
        writer.finish();
      }
      for (int i = sequences - 1; i > 0; i--) {
        int j = random.nextInt(i + 1);
        Window swapped = drawn[i];
        drawn[i] = drawn[j];
        drawn[j] = swapped;
      }
      return drawn;
    }

    Window nextWindow() {
      next = next + 1 == windows.length ? 0 : next + 1;
      return windows[next];
    }

    void readIndexed(Window window) throws IOException {
      dataset.read(window.sequence(), window.offset(), WINDOW, tokens, 0);
    }

    void readChannel(Window window) throws IOException {
      bytes.clear();
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, window.byteOffset() + bytes.position()) < 0) {
          throw new EOFException(dataFile() + ": ends at byte " + channel.size());
        }
      }
      bytes.flip();
      for (int i = 0; i < WINDOW; i++) {
        tokens[i] = Short.toUnsignedInt(bytes.getShort(i * Short.BYTES));
      }
    }

    void requireAlike() throws IOException {
      for (Window window : windows) {
        readIndexed(window);
        int[] indexed = tokens.clone();
        readChannel(window);
        if (!Arrays.equals(indexed, tokens)) {
          throw new IllegalStateException("the two ways differ at " + window);
        }
      }
    }

    @Override
    public void close() throws IOException {
      dataset.close();
      channel.close();
      Files.delete(dataFile());
      Files.delete(directory.resolve("corpus.idx"));
      Files.delete(directory);
    }
  }

  /** Writes the dataset, and makes sure that both ways read the same tokens. */
  @Setup
  public void open() throws IOException {
    Dataset dataset = new Dataset(sequences);
    opened = dataset;
    try {
      dataset.requireAlike();
    } catch (IOException | RuntimeException e) {
      dataset.close(); // JMH does not, after a setup that failed
      throw e;
    }
  }

  @TearDown
  public void close() throws IOException {
    Objects.requireNonNull(opened).close();
  }

  /** Baseline: positional reads of the data file. */
  @Benchmark
  @OperationsPerInvocation(TOKENS_PER_CALL)
  public int fileChannel() throws IOException {
    Dataset dataset = Objects.requireNonNull(opened);
    int sum = 0;
    for (int i = 0; i < WINDOWS_PER_CALL; i++) {
      dataset.readChannel(dataset.nextWindow());
      sum += dataset.tokens[i];
    }
    return sum;
  }

  /** Candidate: reads through the index. */
  @Benchmark
  @OperationsPerInvocation(TOKENS_PER_CALL)
  public int indexedDataset() throws IOException {
    Dataset dataset = Objects.requireNonNull(opened);
    int sum = 0;
    for (int i = 0; i < WINDOWS_PER_CALL; i++) {
      dataset.readIndexed(dataset.nextWindow());
      sum += dataset.tokens[i];
    }
    return sum;
  }
}
