package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.convert.Conversion;
import io.github.pretrain4j.convert.ConversionConfig;
import io.github.pretrain4j.convert.ConversionListener;
import io.github.pretrain4j.convert.ConversionTarget;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What converting a model costs, beside {@code cp} of the same files: Hugging Face to Megatron and
 * back, with the proof that every conversion ends with.
 *
 * <pre>
 * java -cp benchmarks.jar io.github.pretrain4j.benchmarks.ConvertFigures DIRECTORY GIGABYTES WORKERS ROUNDS [TP PP]
 * </pre>
 *
 * <p>A Llama of random weights is made in {@code DIRECTORY}, and stays there for the next time; all
 * else is deleted. Each conversion runs in a JVM of its own with a heap of 256 MiB. In a round,
 * copy and conversion take turns; first with the input in the page cache, then with it dropped from
 * there ({@code dd}'s {@code nocache}, GNU only). A conversion's output is on disk when it ends;
 * {@code cp} is given alone and with {@code sync} of what it copied. In the end the model must have
 * come back byte for byte.
 */
public final class ConvertFigures {
  private static final String HEAP = "-Xmx256m";

  private final PrintStream out;
  private final Path directory;
  private final int workers;
  private final ConversionTarget.Megatron megatron;

  private ConvertFigures(
      PrintStream out, Path directory, int workers, ConversionTarget.Megatron megatron) {
    this.out = out;
    this.directory = directory;
    this.workers = workers;
    this.megatron = megatron;
  }

  /** Prints the figures. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length != 4 && args.length != 6) {
      throw new IllegalArgumentException("DIRECTORY GIGABYTES WORKERS ROUNDS [TP PP]");
    }
    int tensorParallel = args.length == 6 ? Integer.parseInt(args[4]) : 1;
    int pipelineParallel = args.length == 6 ? Integer.parseInt(args[5]) : 1;
    Path directory = Files.createDirectories(Path.of(args[0]));
    Path model = directory.resolve("model-" + args[1]);
    if (!Files.isDirectory(model)) {
      GeneratedLlama.write(model, (long) (Double.parseDouble(args[1]) * 1e9));
    }
    ConvertFigures figures =
        new ConvertFigures(
            System.out,
            directory,
            Integer.parseInt(args[2]),
            ConversionTarget.Megatron.of(tensorParallel, pipelineParallel));
    for (int round = 1; round <= Integer.parseInt(args[3]); round++) {
      for (boolean warm : new boolean[] {true, false}) {
        figures.round(round, warm, model);
      }
    }
  }

  private void round(int round, boolean warm, Path model) throws IOException, InterruptedException {
    Path there = directory.resolve("there");
    Path back = directory.resolve("back");
    try {
      out.printf(
          Locale.ROOT,
          "round %d, input %s, %d workers, load %.1f%n",
          round,
          warm ? "in the page cache" : "on disk",
          workers,
          ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
      pair("to Megatron", warm, model, there, "megatron");
      pair("to Hugging Face", warm, there, back, "huggingface");
      for (Path file : files(model)) {
        if (file.toString().endsWith(".safetensors")) {
          Path returned = back.resolve(model.relativize(file).toString());
          if (Files.mismatch(file, returned) >= 0) {
            throw new IOException(returned + " is not what it was");
          }
        }
      }
    } finally {
      delete(there);
      delete(back);
    }
  }

  private void pair(String name, boolean warm, Path input, Path output, String form)
      throws IOException, InterruptedException {
    Path copy = directory.resolve("copy");
    double gigabytes = bytes(input) / 1e9;
    prepare(input, warm);
    long start = System.nanoTime();
    run(List.of("cp", "-r", input.toString(), copy.toString()));
    double copied = seconds(start);
    List<String> sync = new ArrayList<>(List.of("sync"));
    files(copy).forEach(file -> sync.add(file.toString()));
    run(sync);
    double synced = seconds(start);
    delete(copy);
    prepare(input, warm);
    start = System.nanoTime();
    String said =
        run(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                HEAP,
                "-cp",
                System.getProperty("java.class.path"),
                Run.class.getName(),
                input.toString(),
                output.toString(),
                form,
                Integer.toString(megatron.layout().tensorModelParallelSize()),
                Integer.toString(megatron.layout().pipelineModelParallelSize()),
                Integer.toString(workers)));
    double converted = seconds(start);
    out.printf(
        Locale.ROOT,
        "  %-15s %.2f GB: cp %.2f s, cp and sync %.2f s, convert %.2f s = %.2f GB/s;"
            + " %.2f x cp, %.2f x cp and sync; %s%n",
        name,
        gigabytes,
        copied,
        synced,
        converted,
        gigabytes / converted,
        copied / converted,
        synced / converted,
        said.strip());
  }

  /** One conversion in a process of its own. */
  public static final class Run {
    private Run() {}

    /** Arguments: input, output, form, tensor and pipeline parallel size, workers. */
    public static void main(String[] args) throws IOException {
      ConversionTarget target =
          args[2].equals("megatron")
              ? ConversionTarget.Megatron.of(Integer.parseInt(args[3]), Integer.parseInt(args[4]))
              : ConversionTarget.HuggingFace.DEFAULT;
      long start = ManagementFactory.getRuntimeMXBean().getStartTime();
      Map<ConversionListener.Phase, Long> ends = new EnumMap<>(ConversionListener.Phase.class);
      long[] first = {0};
      Conversion.run(
          ConversionConfig.of(Path.of(args[0]), Path.of(args[1]), target)
              .withWorkers(Integer.parseInt(args[5])),
          (phase, done, total) -> {
            long now = System.currentTimeMillis();
            first[0] = first[0] == 0 ? now : first[0];
            ends.put(phase, now);
          });
      long end = System.currentTimeMillis();
      System.out.printf(
          Locale.ROOT,
          "first tensor %d ms, written %d ms, proven %d ms, all %d ms, peak RSS %s%n",
          first[0] - start,
          ends.getOrDefault(ConversionListener.Phase.WRITE, end) - start,
          ends.getOrDefault(ConversionListener.Phase.VERIFY, end) - start,
          end - start,
          peakMemory());
    }

    private static String peakMemory() throws IOException {
      Path status = Path.of("/proc/self/status");
      if (!Files.exists(status)) {
        return "unknown";
      }
      try (Stream<String> lines = Files.lines(status)) {
        return lines
            .filter(line -> line.startsWith("VmHWM:"))
            .map(line -> line.substring("VmHWM:".length()).strip())
            .findFirst()
            .orElse("unknown");
      }
    }
  }

  private void prepare(Path input, boolean warm) throws IOException, InterruptedException {
    for (Path file : files(input)) {
      run(
          warm
              ? List.of("cat", file.toString())
              : List.of("dd", "if=" + file, "iflag=nocache", "count=0", "status=none"));
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  private static long bytes(Path directory) throws IOException {
    long bytes = 0;
    for (Path file : files(directory)) {
      bytes += Files.size(file);
    }
    return bytes;
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> tree = Files.walk(directory)) {
      return tree.filter(Files::isRegularFile).sorted().toList();
    }
  }

  private static void delete(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(directory)) {
      paths = tree.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : paths) {
      Files.delete(path);
    }
  }

  /** Runs a command to its end; what it prints, unless that is a file's content. */
  private static String run(List<String> command) throws IOException, InterruptedException {
    boolean content = command.get(0).equals("cat");
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .redirectOutput(
                content ? ProcessBuilder.Redirect.DISCARD : ProcessBuilder.Redirect.PIPE)
            .start();
    String said =
        content ? "" : new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(1, TimeUnit.HOURS) || process.exitValue() != 0) {
      throw new IOException(String.join(" ", command) + " failed");
    }
    return said;
  }
}
