package io.github.pretrain4j.cli;

import io.github.pretrain4j.train.MegatronLog;
import io.github.pretrain4j.train.TrainConfig;
import io.github.pretrain4j.train.TrainListener;
import io.github.pretrain4j.train.Trainer;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.spi.ToolProvider;

/**
 * {@code p4j train}: options are those of {@link TrainConfig}, which has Megatron's names.
 * Megatron's log lines go to the output, progress with the time left to the error stream. Ctrl-C
 * and SIGTERM save and end.
 */
public final class TrainTool implements ToolProvider {

  private static final String NAME = "p4j-train";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<String> description() {
    return Optional.of("Train a model with Megatron's options and Megatron's checkpoints");
  }

  @Override
  public int run(PrintWriter out, PrintWriter err, String... arguments) {
    List<String> flags = new ArrayList<>(Arrays.asList(arguments));
    if (flags.contains("--help") || flags.contains("-h")) {
      out.println("Usage: p4j train [options]");
      out.println("Train a model with Megatron's options and Megatron's checkpoints");
      TrainConfig.usage().forEach(line -> out.println("  " + line));
      return ExitCode.OK;
    }
    boolean stackTrace = flags.removeIf("--stacktrace"::equals);
    try {
      return train(TrainConfig.parse(flags.toArray(String[]::new)), out, err);
    } catch (IOException
        | RuntimeException
        | Error e) { // the outermost frame: nothing above could report it better
      return ToolErrors.report(NAME, e, stackTrace, err);
    } finally {
      out.flush();
      err.flush();
    }
  }

  private static int train(TrainConfig config, PrintWriter out, PrintWriter err)
      throws IOException {
    try (Trainer trainer =
        Trainer.create(
            config,
            new MegatronLog(out, Clock.system(ZoneId.systemDefault()), config),
            new TimeLeft(err))) {
      ShutdownRequest request =
          ShutdownRequest.onSignal(
              () -> {
                err.println("train: stopping after this iteration, then saving");
                err.flush();
                trainer.stop();
              });
      try {
        Trainer.Summary summary = trainer.run();
        err.printf(
            Locale.ROOT,
            "train: %s after iteration %,d (%,d samples)%s%n",
            summary.finished() ? "done" : "stopped",
            summary.iteration(),
            summary.consumedSamples(),
            summary.checkpoint() == null ? "" : "; checkpoint " + summary.checkpoint());
      } finally {
        request.end();
      }
    }
    return ExitCode.OK;
  }

  /**
   * A line every ten seconds: iteration, loss, tokens a second and the time left at the pace since
   * the last line.
   */
  private static final class TimeLeft implements TrainListener {
    private static final long EVERY_NANOS = 10_000_000_000L;

    private final PrintWriter err;
    private long lastNanos = System.nanoTime();
    private long tokens;
    private long iterations;

    TimeLeft(PrintWriter err) {
      this.err = err;
    }

    @Override
    public void iteration(Iteration report) {
      iterations++;
      tokens += report.tokens();
      long now = System.nanoTime();
      if (now - lastNanos < EVERY_NANOS) {
        return;
      }
      double seconds = (now - lastNanos) / 1e9;
      double left = (report.trainIterations() - report.iteration()) * seconds / iterations;
      err.printf(
          Locale.ROOT,
          "train: iteration %,d of %,d, loss %.4f, %,.0f tokens/s, ETA %s%n",
          report.iteration(),
          report.trainIterations(),
          report.loss(),
          tokens / seconds,
          ProgressLine.clock(Math.round(left)));
      err.flush();
      lastNanos = now;
      iterations = 0;
      tokens = 0;
    }
  }
}
