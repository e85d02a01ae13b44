package io.github.pretrain4j.deploy.local;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs a class of the tests in a process of its own, which may halt as a crash would end it. */
final class Crash {
  static final int HALTED = 99;

  private Crash() {}

  static Process start(Class<?> main, String... args) throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
    words.addAll(List.of(args));
    return new ProcessBuilder(words).inheritIO().start();
  }

  static int run(Class<?> main, String... args) throws IOException, InterruptedException {
    return start(main, args).waitFor();
  }
}
