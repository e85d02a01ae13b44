package io.github.pretrain4j.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import io.github.pretrain4j.dataset.preprocess.TokenSink;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What preprocessing costs from JSONL to {@code .bin} and {@code .idx}: MB of input a second by the
 * clock and a CPU-second of the whole process, and the CPU time of each of its threads.
 *
 * <pre>
 * java -cp benchmarks.jar io.github.pretrain4j.benchmarks.PreprocessFigures MODEL WORKERS KEYS INPUT...
 * </pre>
 *
 * <p>{@code KEYS} are joined by commas. The first pass is in a new JVM, the last has an encoder
 * that gives no ids: what its workers take is the scanning of JSON. Outputs go to a temporary
 * directory and are deleted.
 */
public final class PreprocessFigures {
  private static final int WARM_PASSES = 4;
  private static final String THREADS = "p4j-preprocess-";
  private static final int SAMPLE_DOCUMENTS = 1000;

  private final OperatingSystemMXBean process =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final PrintStream out;
  private final Preprocessor.Config config;
  private long sampledDocuments;

  private PreprocessFigures(PrintStream out, Preprocessor.Config config) {
    this.out = out;
    this.config = config;
  }

  /** Prints the figures. */
  public static void main(String[] args) throws IOException {
    if (args.length < 4) {
      throw new IllegalArgumentException("MODEL WORKERS KEYS INPUT...");
    }
    Path folder = Files.createTempDirectory("p4j-figures");
    try {
      Tokenizer tokenizer = Tokenizers.load(Path.of(args[0]));
      Preprocessor.Config config =
          Preprocessor.Config.of(
                  List.of(args).subList(3, args.length),
                  folder.resolve("out"),
                  tokenizer.vocabularySize())
              .withJsonKeys(List.of(args[2].split(",")))
              .withEod(tokenizer.eodId())
              .withWorkers(Integer.parseInt(args[1]));
      PreprocessFigures figures = new PreprocessFigures(System.out, config);
      figures.pass("first", () -> new Ids(tokenizer.newEncoder()));
      for (int i = 0; i < WARM_PASSES; i++) {
        figures.pass("warm", () -> new Ids(tokenizer.newEncoder()));
      }
      figures.pass("no ids", () -> (utf8, offset, length, ids) -> {});
      figures.pass("no ids", () -> (utf8, offset, length, ids) -> {});
    } finally {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  /** The tokenizer's encoder behind the seam of preprocessing. */
  private record Ids(Encoder encoder, TokenBuffer buffer) implements TokenEncoder {
    Ids(Encoder encoder) {
      this(encoder, new TokenBuffer(1 << 12));
    }

    @Override
    public void encode(byte[] utf8, int offset, int length, TokenSink ids) {
      buffer.clear();
      encoder.encodeUtf8(utf8, offset, offset + length, buffer);
      ids.add(buffer.reserve(0), 0, buffer.length());
    }
  }

  private void pass(String name, TokenEncoder.Factory encoders) throws IOException {
    Map<String, Long> cpuOfThread = new TreeMap<>();
    long thread = Thread.currentThread().threadId();
    sampledDocuments = 0;
    long clock = System.nanoTime();
    long cpu = process.getProcessCpuTime();
    long callerCpu = threads.getThreadCpuTime(thread);
    Preprocessor.Report report =
        Preprocessor.run(
            config, encoders, (documents, bytes, total) -> sample(documents, cpuOfThread));
    callerCpu = threads.getThreadCpuTime(thread) - callerCpu;
    cpu = process.getProcessCpuTime() - cpu;
    clock = System.nanoTime() - clock;
    StringBuilder shares = new StringBuilder();
    cpuOfThread.forEach(
        (who, nanos) -> shares.append(String.format(Locale.ROOT, ", %s %.2f", who, nanos / 1e9)));
    long tokens = report.outputs().stream().mapToLong(Preprocessor.Output::tokens).sum();
    out.printf(
        Locale.ROOT,
        "%-7s %.1f MB/s, %.0f documents/s; %.1f MB per CPU-second; %d tokens;"
            + " CPU seconds: all %.2f, caller %.2f%s%n",
        name,
        report.inputBytes() * 1e3 / clock,
        report.documents() * 1e9 / clock,
        report.inputBytes() * 1e3 / cpu,
        tokens,
        cpu / 1e9,
        callerCpu / 1e9,
        shares);
  }

  /** Threads are gone when the run is over; so they are asked while it goes on. */
  private void sample(long documents, Map<String, Long> cpuOfThread) {
    if (documents - sampledDocuments < SAMPLE_DOCUMENTS) {
      return;
    }
    sampledDocuments = documents;
    for (ThreadInfo info : threads.getThreadInfo(threads.getAllThreadIds())) {
      if (info != null && info.getThreadName().startsWith(THREADS)) {
        long nanos = threads.getThreadCpuTime(info.getThreadId());
        cpuOfThread.put(info.getThreadName().substring(THREADS.length()), Math.max(nanos, 0));
      }
    }
  }
}
