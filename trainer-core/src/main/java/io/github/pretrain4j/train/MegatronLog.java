package io.github.pretrain4j.train;

import io.github.pretrain4j.train.TrainListener.Milestone.Exiting;
import io.github.pretrain4j.train.TrainListener.Milestone.Loading;
import io.github.pretrain4j.train.TrainListener.Milestone.NoCheckpoint;
import io.github.pretrain4j.train.TrainListener.Milestone.Saved;
import io.github.pretrain4j.train.TrainListener.Milestone.Saving;
import io.github.pretrain4j.train.TrainListener.Milestone.SetupDone;
import io.github.pretrain4j.train.TrainListener.Milestone.TrainingDone;
import io.github.pretrain4j.train.TrainListener.Milestone.TrainingStarts;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/**
 * Prints the lines Megatron-LM prints, character by character, for the programs that parse them.
 *
 * <p>An iteration line comes every {@code log_interval} iterations and shows the mean loss of the
 * interval, the learning rate of the next iteration, and the wall time per iteration without
 * evaluation and saving. The gradient norm is there unless {@code clip_grad} is 0, where Megatron
 * does not compute it. Numbers are rounded as C does: from the exact binary value, half to even.
 */
public final class MegatronLog implements TrainListener {
  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT);

  private final PrintWriter out;
  private final Clock clock;
  private final int logInterval;
  private final boolean logThroughput;
  private final boolean logGradientNorm;

  private double lossSum;
  private int iterations;
  private Duration elapsed = Duration.ZERO;

  public MegatronLog(PrintWriter out, Clock clock, TrainConfig config) {
    this.out = out;
    this.clock = clock;
    this.logInterval = config.run().logInterval();
    this.logThroughput = config.run().logThroughput();
    this.logGradientNorm = config.optimizer().clipGrad() > 0;
  }

  @Override
  public void iteration(Iteration report) {
    lossSum += report.loss();
    iterations++;
    elapsed = elapsed.plus(report.elapsed());
    if (report.iteration() % logInterval == 0) {
      print(line(report));
      lossSum = 0;
      iterations = 0;
      elapsed = Duration.ZERO;
    }
  }

  private String line(Iteration report) {
    double seconds = elapsed.toNanos() / 1e9 / iterations;
    double loss = lossSum / iterations;
    StringBuilder line = new StringBuilder();
    line.append(" [").append(now()).append("] iteration ");
    line.append("%8d/%8d |".formatted(report.iteration(), report.trainIterations()));
    line.append(" consumed samples: %12d |".formatted(report.consumedSamples()));
    line.append(" elapsed time per iteration (ms): ").append(fixed(seconds * 1000, 1)).append(" |");
    if (logThroughput) {
      double teraflops = report.floatingPointOperations() / seconds / 1e12;
      line.append(" throughput per GPU (TFLOP/s/GPU): ").append(fixed(teraflops, 1)).append(" |");
    }
    line.append(" learning rate: ").append(scientific(report.nextLearningRate())).append(" |");
    line.append(" global batch size: %5d |".formatted(report.globalBatchSize()));
    if (loss > 0) {
      line.append(" lm loss: ").append(scientific(loss)).append(" |");
    }
    line.append(" loss scale: 1.0 |");
    if (logGradientNorm) {
      line.append(" grad norm: ").append(fixed(report.gradientNorm(), 3)).append(" |");
    }
    line.append(" number of skipped iterations:   0 | number of nan iterations:   0 |");
    return line.toString();
  }

  @Override
  public void evaluation(Evaluation report) {
    String where = "iteration " + report.iteration();
    if (report.afterTraining() || !report.set().equals(Evaluation.VALIDATION)) {
      where += " on " + report.set() + " set";
    }
    String line =
        " validation loss at %s | lm loss value: %s | lm loss PPL: %s | "
            .formatted(where, scientific(report.loss()), scientific(report.perplexity()));
    String frame = "-".repeat(line.length() + 1);
    print(frame);
    print(line);
    print(frame);
  }

  @Override
  public void milestone(Milestone milestone) {
    switch (milestone) {
      case SetupDone done -> {
        print(done.description());
        print("done with setup ...");
      }
      case Loading loading ->
          print(
              " loading checkpoint from "
                  + loading.directory()
                  + " at iteration "
                  + loading.iteration());
      case NoCheckpoint missing -> {
        print("WARNING: could not find the metadata file " + missing.tracker());
        if (missing.random()) {
          print("    will not load any checkpoints and will start from random");
        }
      }
      case TrainingStarts starts -> {
        print("training ...");
        print("[before the start of training step] datetime: " + now() + " ");
      }
      case Saving saving ->
          print(
              "saving checkpoint at iteration %7d to %s in torch format"
                  .formatted(saving.iteration(), saving.directory()));
      case Saved saved ->
          print(
              "  successfully saved checkpoint at iteration %7d to %s"
                  .formatted(saved.iteration(), saved.directory()));
      case TrainingDone done -> print("[after training is done] datetime: " + now() + " ");
      case Exiting exiting -> print("exiting program at iteration " + exiting.iteration());
    }
  }

  private String now() {
    return LocalDateTime.now(clock).format(SECONDS);
  }

  private void print(String line) {
    out.println(line);
    out.flush();
  }

  /** C's {@code %.{decimals}f}. */
  static String fixed(double value, int decimals) {
    if (!Double.isFinite(value)) {
      return special(value);
    }
    return new BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString();
  }

  /** C's {@code %.6E}: seven significant digits, at least two in the exponent. */
  static String scientific(double value) {
    if (!Double.isFinite(value)) {
      return special(value).toUpperCase(Locale.ROOT);
    }
    if (value == 0) {
      return "0.000000E+00";
    }
    BigDecimal rounded = new BigDecimal(value).round(new MathContext(7, RoundingMode.HALF_EVEN));
    int exponent = rounded.precision() - rounded.scale() - 1;
    BigDecimal mantissa = rounded.movePointLeft(exponent).setScale(6, RoundingMode.UNNECESSARY);
    return mantissa.toPlainString()
        + "E"
        + (exponent < 0 ? "-" : "+")
        + "%02d".formatted(Math.abs(exponent));
  }

  /** What C prints for values that are no number. */
  private static String special(double value) {
    return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
}
