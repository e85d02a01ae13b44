package io.github.pretrain4j.dataset.gpt;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How long the indices of a GPT dataset and of a blend take to build, beside a peer that builds the
 * same: CPU-seconds, ratios, and whether a checksum of the arrays agrees. In this package because
 * what is measured is not public.
 *
 * <pre>
 * java -Xmx8g -cp benchmarks.jar io.github.pretrain4j.dataset.gpt.IndexFigures SEQUENCES ROUNDS [PEER...]
 * </pre>
 *
 * <p>{@code PEER} is a command that takes {@code SEQUENCES} as its last argument and prints a name,
 * seconds and a checksum a line; {@code benchmarks/peers/megatron_index.py} is one. Sequences have
 * 1 to 1024 tokens, samples 2048, blends four datasets and a sample for each sequence. Ours and the
 * peer take turns; the best of the rounds counts.
 */
public final class IndexFigures {
  private static final int SEQ_LENGTH = 2048;
  private static final double[] WEIGHTS = {0.1, 0.2, 0.3, 0.4};

  private final PrintStream out;
  private final int count;
  private final Map<String, double[]> best = new LinkedHashMap<>();

  private IndexFigures(PrintStream out, int count) {
    this.out = out;
    this.count = count;
  }

  /** Prints the figures. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length < 2) {
      throw new IllegalArgumentException("SEQUENCES ROUNDS [PEER...]");
    }
    IndexFigures figures = new IndexFigures(System.out, Integer.parseInt(args[0]));
    List<String> peer = new ArrayList<>(List.of(args).subList(2, args.length));
    figures.measure(Integer.parseInt(args[1]), peer);
  }

  private void measure(int rounds, List<String> peer) throws IOException, InterruptedException {
    for (int round = 0; round < rounds; round++) {
      ours();
      if (!peer.isEmpty()) {
        peer(peer);
      }
    }
    for (Map.Entry<String, double[]> figure : best.entrySet()) {
      double[] seconds = figure.getValue();
      out.printf(Locale.ROOT, "%-16s %8.3f s", figure.getKey(), seconds[0]);
      if (!peer.isEmpty()) {
        out.printf(Locale.ROOT, ", peer %8.3f s, ratio %.2f", seconds[1], seconds[1] / seconds[0]);
      }
      out.println();
    }
  }

  private void record(String name, int who, double seconds, long checksum) {
    double[] times =
        best.computeIfAbsent(
            name, key -> new double[] {Double.MAX_VALUE, Double.MAX_VALUE, Double.NaN});
    times[who] = Math.min(times[who], seconds);
    if (!Double.isNaN(times[2]) && times[2] != checksum) {
      throw new IllegalStateException(name + ": the arrays differ");
    }
    times[2] = checksum;
  }

  private void ours() {
    int[] lengths = new int[count];
    long tokens = 0;
    for (int i = 0; i < count; i++) {
      lengths[i] = 1 + ((i * 0x9e3779b1) >>> 22);
      tokens += lengths[i];
    }
    GptIndex.Plan plan =
        GptIndex.Plan.of(0, count, tokens, SEQ_LENGTH, 1, GptDataset.ONE_EPOCH, true);
    NumpyRandom random = new NumpyRandom(1234);
    long start = cpuNanos();
    int[] documents = GptIndex.documentIndex(plan, random);
    long afterDocuments = cpuNanos();
    long[] rows = GptIndex.sampleIndex(plan, documents, lengths);
    long afterRows = cpuNanos();
    int[] shuffle = GptIndex.shuffleIndex(plan, random);
    long end = cpuNanos();
    record("document index", 0, seconds(start, afterDocuments), sum(documents));
    long rowSum = 0;
    for (int i = 0; i < rows.length; i++) {
      rowSum += (i & 1023) * ((int) rows[i] + (rows[i] >>> 32));
    }
    record("sample index", 0, seconds(afterDocuments, afterRows), rowSum & 0xffff_ffffL);
    record("shuffle index", 0, seconds(afterRows, end), sum(shuffle));
    record("all three", 0, seconds(start, end), 0);
    long blendStart = cpuNanos();
    BlendIndex.Built blend = BlendIndex.build(WEIGHTS, count);
    record("blend", 0, seconds(blendStart, cpuNanos()), sum(blend.datasetSampleIndex()));
  }

  /** Of this thread: what others do on the machine counts less than by the clock. */
  private static long cpuNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  /** Depends on the order. */
  private static long sum(int[] array) {
    long sum = 0;
    for (int i = 0; i < array.length; i++) {
      sum += (long) (i & 1023) * array[i];
    }
    return sum & 0xffff_ffffL;
  }

  private static double seconds(long from, long to) {
    return (to - from) / 1e9;
  }

  private void peer(List<String> command) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(command);
    words.add(Integer.toString(count));
    Process process =
        new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] fields = line.split("\t", -1);
        record(fields[0], 1, Double.parseDouble(fields[1]), Long.parseLong(fields[2]));
      }
    }
    if (process.waitFor() != 0) {
      throw new IOException(command + " failed");
    }
  }
}
