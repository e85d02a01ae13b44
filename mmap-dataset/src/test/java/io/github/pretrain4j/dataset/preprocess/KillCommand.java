package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.storage.FileCommit;
import java.io.IOException;
import java.io.PrintStream;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * Kills preprocessing again and again, as {@code kill -9} does, and says whether the results are
 * those of a run that nobody killed.
 *
 * <pre>{@code
 * mvn -pl mmap-dataset test-compile
 * java -cp CLASSPATH io.github.pretrain4j.dataset.preprocess.KillCommand 200
 * }</pre>
 *
 * <p>with the number of results as argument, optionally the first seed, and as class path the
 * module's {@code target/test-classes} and {@code target/classes}, Guava and jackson-core. Each
 * result is that of runs that were killed at random moments, one after the other, until one came to
 * its end; then every file is compared. Settings take turns: one dataset, two keys, partitions of
 * both kinds, lines quarantined.
 */
final class KillCommand {
  /** Records this often, so that short runs have several. */
  private static final long CHECKPOINT_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final int SETTINGS = 4;

  /** Exit code of a process that SIGKILL ended. */
  private static final int KILLED = 128 + 9;

  private final Path directory;
  private final int lines;
  private long startNanos;
  private long wholeNanos;

  /**
   * A command that works here.
   *
   * @param lines of each of two inputs
   */
  KillCommand(Path directory, int lines) {
    this.directory = directory;
    this.lines = lines;
  }

  /** The settings of one turn, the last of which has to do with everything. */
  private Preprocessor.Config config(int turn, Path prefix) {
    Preprocessor.Config config =
        Preprocessor.Config.of(
                List.of(input(0).toString(), input(1).toString()), prefix, turn == 0 ? 70000 : 1000)
            .withJsonKeys(turn == 0 ? List.of("text") : List.of("text", "title"))
            .withEod(999)
            .withBadLines(turn == 3 ? BadLinePolicy.QUARANTINE : BadLinePolicy.SKIP)
            .withWorkers(2);
    return switch (turn) {
      case 2 -> config.withPartitions(Partitions.sequential(2));
      case 3 -> config.withPartitions(Partitions.roundRobin(2));
      default -> config;
    };
  }

  private Path input(int index) {
    return directory.resolve("in" + index + ".jsonl");
  }

  /** Writes the inputs: texts of all lengths, lists, empty documents, a bad line now and then. */
  void writeInputs(long seed) throws IOException {
    Random random = new Random(seed);
    for (int i = 0; i < 2; i++) {
      try (Writer out = Files.newBufferedWriter(input(i))) {
        for (int line = 0; line < lines; line++) {
          if (random.nextInt(500) == 0) {
            out.write("{\"text\": \"bad " + line + "\"\n");
          } else {
            out.write("{\"title\": \"" + random.nextInt(999) + "\", \"text\": [\"");
            for (int t = random.nextInt(random.nextInt(100) == 0 ? 999 : 40); t > 0; t--) {
              out.write(random.nextInt(999) + (t % 17 == 0 ? "\", \"" : " "));
            }
            out.write(random.nextInt(999) + "\"]}\n");
          }
        }
      }
    }
  }

  /** The files of one turn when nobody kills. */
  Map<String, String> expected(int turn) throws IOException {
    Path prefix = Files.createDirectory(directory.resolve("expected" + turn)).resolve("x");
    Preprocessor.run(
        config(turn, prefix),
        NullEncoder::new,
        Preprocessor.ProgressListener.NONE,
        FileCommit.StepListener.NONE,
        Long.MAX_VALUE);
    return hashes(prefix.resolveSibling("."));
  }

  static Map<String, String> hashes(Path folder) throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        hashes.put(String.valueOf(file.getFileName()), InputDigest.of(file).sha256());
      }
    }
    return hashes;
  }

  private Process start(int turn, Path prefix, int halt) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx128m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            System.getProperty("java.class.path"),
            KillCommand.class.getName(),
            "child",
            directory.toString(),
            "" + turn,
            prefix.toString(),
            "" + halt)
        .redirectErrorStream(true)
        .redirectOutput(directory.resolve("child.log").toFile())
        .start();
  }

  /** What a child does: the run, and at a step its own end, as sudden as a kill. */
  private void child(int turn, Path prefix, int halt) throws IOException {
    int[] step = {0};
    Preprocessor.run(
        config(turn, prefix),
        NullEncoder::new,
        Preprocessor.ProgressListener.NONE,
        name -> {
          if (step[0]++ == halt) {
            Runtime.getRuntime().halt(9);
          }
        },
        CHECKPOINT_NANOS);
  }

  /** How one result was reached. */
  record Outcome(boolean same, int kills, String difference) {}

  /** Kills at random moments until a run is quicker than its kill, then compares. */
  Outcome killAtRandom(long seed, int turn, Map<String, String> expected)
      throws IOException, InterruptedException {
    Random random = new Random(seed);
    Path prefix = Files.createDirectory(directory.resolve("run" + seed)).resolve("x");
    int kills = 0;
    while (true) {
      // One in eight at any time, the JVM's start included; the first of each before it can end.
      double part = random.nextDouble();
      boolean early = random.nextInt(8) == 0;
      double delay =
          (early ? 0 : startNanos) + part * (kills == 0 && !early ? wholeNanos : 2.0 * wholeNanos);
      long begin = System.nanoTime();
      Process process = start(turn, prefix, -1);
      long until = begin + (long) delay;
      while (process.isAlive() && System.nanoTime() < until) {
        LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(200));
      }
      process.destroyForcibly();
      int code = process.waitFor();
      if (code != KILLED) {
        if (kills == 0) {
          quicker(System.nanoTime() - begin);
        }
        return compare(code, kills, prefix, expected);
      }
      kills++;
      for (Path data : OutputDatasets.prefixes(config(turn, prefix))) {
        completeOrAbsent(data);
      }
    }
  }

  /**
   * A whole run ended before its kill: what was measured while the machine was busy no longer
   * holds.
   */
  private void quicker(long nanos) {
    startNanos = Math.min(startNanos, nanos / 2);
    wholeNanos = Math.min(wholeNanos, nanos - startNanos);
  }

  /** Returns when the run has begun or ended. */
  private static void awaitJournal(Process process, Path prefix) {
    Path journal = IndexedDataset.withSuffix(prefix, ".journal");
    while (process.isAlive() && !Files.exists(journal)) {
      LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(200));
    }
  }

  /** Ends the run itself at this step, then runs again; nothing once there is no such step. */
  Outcome haltAt(int step, int turn, Map<String, String> expected)
      throws IOException, InterruptedException {
    Path prefix = Files.createDirectory(directory.resolve("halt" + turn + "-" + step)).resolve("x");
    int code = start(turn, prefix, step).waitFor();
    if (code != 9) {
      return compare(code, 0, prefix, expected);
    }
    for (Path data : OutputDatasets.prefixes(config(turn, prefix))) {
      completeOrAbsent(data);
    }
    return compare(start(turn, prefix, -1).waitFor(), 1, prefix, expected);
  }

  private static void completeOrAbsent(Path prefix) throws IOException {
    if (Files.exists(IndexedDataset.indexFile(prefix))) {
      try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
        dataset.verify();
      }
      if (DatasetMetadata.read(prefix).isEmpty()) {
        throw new IllegalStateException(prefix + " is visible without its sidecar");
      }
    }
  }

  private Outcome compare(int code, int kills, Path prefix, Map<String, String> expected)
      throws IOException {
    if (code != 0) {
      return new Outcome(
          false, kills, "exit " + code + ": " + Files.readString(directory.resolve("child.log")));
    }
    Map<String, String> found = hashes(prefix.resolveSibling("."));
    return new Outcome(
        found.equals(expected), kills, found.equals(expected) ? "" : expected + " but " + found);
  }

  /** Has this many results of killed runs, and counts; false if one was another. */
  boolean run(int results, long firstSeed, PrintStream out)
      throws IOException, InterruptedException {
    writeInputs(firstSeed);
    List<Map<String, String>> expected = new ArrayList<>();
    for (int turn = 0; turn < SETTINGS; turn++) {
      expected.add(expected(turn));
    }
    measure();
    int identical = 0;
    int kills = 0;
    for (int i = 0; identical < results; i++) {
      int turn = i % SETTINGS;
      Outcome outcome = killAtRandom(firstSeed + i, turn, expected.get(turn));
      if (!outcome.same()) {
        out.println("seed " + (firstSeed + i) + ": " + outcome.difference());
        return false;
      }
      kills += outcome.kills();
      identical += outcome.kills() > 0 ? 1 : 0;
      if (i % 20 == 19) {
        out.println(kills + " kills, " + identical + " results of killed runs, all identical");
      }
    }
    out.println(kills + " kills, " + identical + " results of killed runs, all identical");
    return true;
  }

  /** How long a run takes to begin, and from there to its end. */
  private void measure() throws IOException, InterruptedException {
    Path prefix = Files.createDirectory(directory.resolve("whole")).resolve("x");
    long started = System.nanoTime();
    Process process = start(SETTINGS - 1, prefix, -1);
    awaitJournal(process, prefix);
    startNanos = System.nanoTime() - started;
    if (process.waitFor() != 0) {
      throw new IllegalStateException(Files.readString(directory.resolve("child.log")));
    }
    wholeNanos = System.nanoTime() - started - startNanos;
  }

  /** See the class. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments.length > 0 && arguments[0].equals("child")) {
      new KillCommand(Path.of(arguments[1]), 0)
          .child(
              Integer.parseInt(arguments[2]),
              Path.of(arguments[3]),
              Integer.parseInt(arguments[4]));
      return;
    }
    int runs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 200;
    long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : 1;
    Path directory = Files.createTempDirectory("kills");
    if (!new KillCommand(directory, 60_000).run(runs, seed, System.out)) {
      throw new IllegalStateException("a result was another; see " + directory);
    }
  }
}
