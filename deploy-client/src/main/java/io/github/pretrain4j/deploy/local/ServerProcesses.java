package io.github.pretrain4j.deploy.local;

import io.github.pretrain4j.deploy.DeployException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Finds, ends and reads the logs of server processes, and only of those that are ours. */
final class ServerProcesses {
  /**
   * The system derives start times from its boot time, which a clock correction can shift a little.
   */
  private static final long START_TOLERANCE_MILLIS = 2_000;

  private static final Duration TERMINATION = Duration.ofSeconds(10);
  private static final int LOG_TAIL_BYTES = 8 << 10;
  private static final int LOG_TAIL_LINES = 20;

  private ServerProcesses() {}

  /** When {@code process} started; 0 if the system does not say. */
  static long startMillis(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  /** The live process of that id, if it is still the one that started then. */
  static Optional<ProcessHandle> find(long pid, long startMillis) {
    return ProcessHandle.of(pid)
        .filter(ProcessHandle::isAlive)
        .filter(p -> Math.abs(startMillis(p) - startMillis) <= START_TOLERANCE_MILLIS);
  }

  /**
   * The live process of {@code server}. If we died between starting it and noting its id, its
   * command line still has the token; a wrapper and its child both do, and the wrapper is meant.
   */
  static Optional<ProcessHandle> find(ServerRecord server) {
    if (server.pid() != 0) {
      return find(server.pid(), server.startMillis());
    }
    List<ProcessHandle> ours =
        ProcessHandle.allProcesses().filter(p -> hasArgument(p, server.portFile())).toList();
    return ours.stream()
        .filter(p -> p.parent().isEmpty() || !ours.contains(p.parent().get()))
        .findFirst();
  }

  /** The JDK gives no arguments where they fill more than a page; Linux still tells them all. */
  private static boolean hasArgument(ProcessHandle process, String argument) {
    Optional<String[]> arguments = process.info().arguments();
    if (arguments.isPresent()) {
      return Arrays.asList(arguments.get()).contains(argument);
    }
    try {
      byte[] words = Files.readAllBytes(Path.of("/proc", String.valueOf(process.pid()), "cmdline"));
      return new String(words, StandardCharsets.UTF_8).contains(argument);
    } catch (IOException e) {
      return false; // not Linux, not our user's, or gone: in no case a server of ours we could end
    }
  }

  /** Ends {@code process} and what it has started: asks first, then insists. */
  static void end(ProcessHandle process) throws IOException, InterruptedException {
    List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
    all.add(0, process);
    all.forEach(ProcessHandle::destroy);
    if (!ended(all)) {
      all.forEach(ProcessHandle::destroyForcibly);
      if (!ended(all)) {
        throw new DeployException("process " + process.pid() + " does not end");
      }
    }
  }

  private static boolean ended(List<ProcessHandle> processes) throws InterruptedException {
    long deadline = System.nanoTime() + TERMINATION.toNanos();
    for (ProcessHandle process : processes) {
      try {
        process.onExit().get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
      } catch (TimeoutException e) {
        return false;
      } catch (ExecutionException e) {
        throw new IllegalStateException(e);
      }
    }
    return true;
  }

  /** The last lines of a log. */
  static List<String> lastLines(Path log) throws IOException {
    if (!Files.exists(log)) {
      return List.of();
    }
    try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
      long length = file.length();
      byte[] tail = new byte[(int) Math.min(length, LOG_TAIL_BYTES)];
      file.seek(length - tail.length);
      file.readFully(tail);
      List<String> lines = new String(tail, StandardCharsets.UTF_8).lines().toList();
      return lines.subList(Math.max(0, lines.size() - LOG_TAIL_LINES), lines.size());
    }
  }
}
