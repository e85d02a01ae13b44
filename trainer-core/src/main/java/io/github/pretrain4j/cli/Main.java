package io.github.pretrain4j.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/**
 * The {@code p4j} command: the launcher on the standard streams. The only place that ends the
 * process.
 */
public final class Main {

  private Main() {}

  public static void main(String[] arguments) {
    // UTF-8 whatever the locale says: models answer in every script.
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    int code = Launcher.ofClassPath(err).run(out, err, arguments);
    out.flush();
    err.flush();
    System.exit(code);
  }
}
