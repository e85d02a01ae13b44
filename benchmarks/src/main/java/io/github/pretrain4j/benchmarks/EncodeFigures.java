package io.github.pretrain4j.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnigramScores;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The figures of an encoder that JMH does not give: MB of UTF-8 per CPU-second of the whole process
 * (JIT and garbage collection included, other processes not), the first pass in a new JVM, what is
 * allocated for a token, and the time to load, beside a peer in the same process.
 *
 * <pre>
 * java -cp benchmarks.jar io.github.pretrain4j.benchmarks.EncodeFigures MODEL CORPUS [PROVIDER [PEER]]
 * </pre>
 *
 * <p>{@code MODEL} is a tokenizer file or directory, {@code CORPUS} a text or {@code .jsonl} file;
 * "bpe" or "unigram" and "generated" stand for small ones. The provider's name defaults to whatever
 * loads the file, the peer's to "djl-sentencepiece"; the peer reads at most 12 MB.
 */
public final class EncodeFigures {
  private static final long MAX_BYTES = 256L << 20;
  private static final long MAX_PEER_BYTES = 12L << 20;
  private static final int WARM_PASSES = 5;

  private final OperatingSystemMXBean process =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final PrintStream out;

  private EncodeFigures(PrintStream out) {
    this.out = out;
  }

  /** Prints the figures. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length < 2 || args.length > 4) {
      throw new IllegalArgumentException("MODEL CORPUS [PROVIDER [PEER]]");
    }
    Path folder = Files.createTempDirectory("p4j-figures");
    try {
      Path model = EncodeMaterial.model(args[0], folder);
      // The peer adds up unigram scores in this way.
      TokenizerOptions options =
          TokenizerOptions.defaults().withUnigramScores(UnigramScores.MIXED_PRECISION);
      new EncodeFigures(System.out)
          .measure(
              model,
              EncodeMaterial.documents(args[1], MAX_BYTES),
              args.length > 2 ? options.withProvider(args[2]) : options,
              options.withProvider(args.length > 3 ? args[3] : "djl-sentencepiece"));
    } finally {
      try (var files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  private void measure(
      Path model, byte[][] documents, TokenizerOptions options, TokenizerOptions peerOptions)
      throws IOException, InterruptedException {
    long bytes = EncodeMaterial.byteCount(documents);
    print(
        "text",
        "%.1f MB in %d documents, Java %s",
        bytes / 1e6,
        documents.length,
        Runtime.version());
    long start = System.nanoTime();
    Tokenizer tokenizer = Tokenizers.load(model, options);
    print("load, first in this JVM", "%.0f ms", (System.nanoTime() - start) / 1e6);
    Pass cold = pass(tokenizer.newEncoder(), documents);
    print("cold first pass", "%.1f MB per CPU-second", cold.rate());
    Encoder encoder = tokenizer.newEncoder();
    List<Pass> warm = new ArrayList<>();
    for (int i = 0; i <= WARM_PASSES; i++) {
      warm.add(pass(encoder, documents));
    }
    Pass best = best(warm);
    print("warm, best of " + WARM_PASSES, "%.1f MB per CPU-second", best.rate());
    print(
        "tokens",
        "%d, %.3f bytes allocated for each",
        best.tokens,
        best.allocated / (double) best.tokens);
    print("two threads", "%.2f times one, by the clock", speedupOfTwo(tokenizer, documents, best));
    byte[][] some = upTo(documents, MAX_PEER_BYTES);
    Tokenizer peer = Tokenizers.load(model, peerOptions);
    Encoder peerEncoder = peer.newEncoder();
    Pass theirs =
        best(List.of(pass(peerEncoder, some), pass(peerEncoder, some), pass(peerEncoder, some)));
    Pass ours = best(List.of(pass(encoder, some), pass(encoder, some), pass(encoder, some)));
    print("peer", "%.2f MB per CPU-second on %.1f MB", theirs.rate(), theirs.bytes / 1e6);
    print("ratio, the same text", "%.1f", ours.rate() / theirs.rate());
    print("ratio, whole text warm", "%.1f", best.rate() / theirs.rate());
    print("ratio, whole text cold", "%.1f", cold.rate() / theirs.rate());
    if (ours.tokens != theirs.tokens) {
      throw new IllegalStateException(ours.tokens + " tokens, the peer's " + theirs.tokens);
    }
    start = System.nanoTime();
    Tokenizer again = Tokenizers.load(model, options);
    print(
        "load, again",
        "%.0f ms, %d ids",
        (System.nanoTime() - start) / 1e6,
        again.vocabularySize());
  }

  private void print(String what, String format, Object... values) {
    out.printf(Locale.ROOT, "%-26s" + format + "%n", prepend(what, values));
  }

  private static Object[] prepend(String first, Object[] rest) {
    Object[] all = new Object[rest.length + 1];
    all[0] = first;
    System.arraycopy(rest, 0, all, 1, rest.length);
    return all;
  }

  private Pass pass(Encoder encoder, byte[][] documents) {
    TokenBuffer ids = new TokenBuffer(1 << 20);
    long thread = Thread.currentThread().threadId();
    long tokens = 0;
    long bytes = 0;
    long clock = System.nanoTime();
    long cpu = process.getProcessCpuTime();
    long allocated = threads.getThreadAllocatedBytes(thread);
    for (byte[] document : documents) {
      ids.clear();
      tokens += encoder.encodeUtf8(document, 0, document.length, ids);
      bytes += document.length;
    }
    allocated = threads.getThreadAllocatedBytes(thread) - allocated;
    return new Pass(
        bytes, tokens, allocated, process.getProcessCpuTime() - cpu, System.nanoTime() - clock);
  }

  private static Pass best(List<Pass> passes) {
    return passes.stream().reduce((a, b) -> a.rate() >= b.rate() ? a : b).orElseThrow();
  }

  /**
   * How many times more text two threads encode, by the clock; 2 only if two processors are free.
   */
  private double speedupOfTwo(Tokenizer tokenizer, byte[][] documents, Pass one)
      throws InterruptedException {
    double best = 0;
    for (int round = 0; round < WARM_PASSES; round++) {
      Encoder[] encoders = {tokenizer.newEncoder(), tokenizer.newEncoder()};
      run(encoders, documents);
      best = Math.max(best, 2.0 * one.clockNanos / run(encoders, documents));
    }
    return best;
  }

  /** Both encode all documents at once; returns the time. */
  private long run(Encoder[] encoders, byte[][] documents) throws InterruptedException {
    long start = System.nanoTime();
    Thread[] running = new Thread[encoders.length];
    for (int i = 0; i < running.length; i++) {
      Encoder encoder = encoders[i];
      running[i] = new Thread(() -> pass(encoder, documents), "encode-" + i);
      running[i].start();
    }
    for (Thread thread : running) {
      thread.join();
    }
    return System.nanoTime() - start;
  }

  private static byte[][] upTo(byte[][] documents, long maxBytes) {
    long bytes = 0;
    int count = 0;
    while (count < documents.length && bytes + documents[count].length <= maxBytes) {
      bytes += documents[count++].length;
    }
    return Arrays.copyOf(documents, count);
  }

  private record Pass(long bytes, long tokens, long allocated, long cpuNanos, long clockNanos) {
    /** MB per CPU-second. */
    double rate() {
      return bytes * 1e3 / cpuNanos;
    }
  }
}
