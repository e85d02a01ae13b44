package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.pretrain4j.train.TrainListener.Evaluation;
import io.github.pretrain4j.train.TrainListener.Iteration;
import io.github.pretrain4j.train.TrainListener.Milestone;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Log lines, character by character. */
final class MegatronLogTest {
  private final StringWriter text = new StringWriter();

  private MegatronLog log(boolean throughput) {
    return log(throughput, 1.0);
  }

  private MegatronLog log(boolean throughput, double clipGrad) {
    Map<String, Object> options = TinyTraining.options(Path.of("d"), Path.of("s"));
    options.put("clip_grad", clipGrad);
    options.put("log_throughput", throughput);
    return new MegatronLog(
        new PrintWriter(text),
        Clock.fixed(Instant.parse("2024-04-18T15:07:52Z"), ZoneOffset.UTC),
        TrainConfig.of(options));
  }

  private static Iteration iteration(long number, double loss, long millis) {
    return new Iteration(
        number,
        100,
        number * 128,
        128,
        64,
        loss,
        1e-5,
        1.5e-5,
        0.81249,
        1e12,
        Duration.ofMillis(millis));
  }

  @Test
  void printsTheMeanOfTheInterval() {
    MegatronLog log = log(false);
    log.iteration(iteration(9, 2, 6000));
    assertEquals("", text.toString());
    log.iteration(iteration(10, 2.2469121, 6246));
    assertEquals(
        " [2024-04-18 15:07:52] iteration       10/     100 | consumed samples:         1280 | elapsed time per"
            + " iteration (ms): 6123.0 | learning rate: 1.500000E-05 | global batch size:   128 | lm loss:"
            + " 2.123456E+00 | loss scale: 1.0 | grad norm: 0.812 | number of skipped iterations:   0 | number of nan"
            + " iterations:   0 |\n",
        text.toString());
  }

  @Test
  void printsThroughputWhenAsked() {
    MegatronLog log = log(true);
    log.iteration(iteration(2, 2, 500));
    assertEquals("throughput per GPU (TFLOP/s/GPU): 2.0", column(3), text.toString());
  }

  private String column(int index) {
    return List.of(text.toString().split(" \\| ", -1)).get(index).strip();
  }

  @Test
  void framesEvaluations() {
    MegatronLog log = log(false);
    log.evaluation(
        new Evaluation(1000, Evaluation.VALIDATION, false, Math.log(8.359), Duration.ZERO));
    List<String> lines = text.toString().lines().toList();
    assertEquals(
        " validation loss at iteration 1000 | lm loss value: 2.123339E+00 | lm loss PPL: 8.359000E+00 | ",
        lines.get(1));
    assertEquals("-".repeat(lines.get(1).length() + 1), lines.get(0));
    assertEquals(lines.get(0), lines.get(2));
    log.evaluation(new Evaluation(1000, Evaluation.TEST, true, 2, Duration.ZERO));
    assertEquals(
        " validation loss at iteration 1000 on test set | lm loss value: 2.000000E+00 | lm loss PPL: 7.389056E+00 | ",
        text.toString().lines().toList().get(4));
  }

  @Test
  void announcesCheckpoints() {
    MegatronLog log = log(false);
    log.milestone(new Milestone.Saving(Path.of("out"), 20));
    log.milestone(new Milestone.Saved(Path.of("out"), 20, Duration.ZERO));
    log.milestone(new Milestone.Exiting(20));
    assertEquals(
        List.of(
            "saving checkpoint at iteration      20 to out in torch format",
            "  successfully saved checkpoint at iteration      20 to out",
            "exiting program at iteration 20"),
        text.toString().lines().toList());
  }

  @Test
  void roundsAsC() {
    assertEquals("0.2", MegatronLog.fixed(0.25, 1));
    assertEquals("0.000000E+00", MegatronLog.scientific(0));
    assertEquals("1.000000E+01", MegatronLog.scientific(9.99999999));
    assertEquals("-1.500000E-05", MegatronLog.scientific(-1.5e-5));
    assertEquals("1.000000E-100", MegatronLog.scientific(1e-100));
    assertEquals("NAN", MegatronLog.scientific(Double.NaN));
    assertEquals("-inf", MegatronLog.fixed(Double.NEGATIVE_INFINITY, 3));
  }

  @Test
  void leavesTheGradientNormOutWhereNothingIsClipped() {
    log(false, 0).iteration(iteration(10, 2, 500));
    assertEquals("loss scale: 1.0", last(2));
    assertEquals("number of skipped iterations:   0", last(1));
  }

  private String last(int fromEnd) {
    List<String> columns = List.of(text.toString().split(" \\|", -1));
    return columns.get(columns.size() - 2 - fromEnd).strip();
  }
}
