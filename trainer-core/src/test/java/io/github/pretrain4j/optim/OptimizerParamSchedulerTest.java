package io.github.pretrain4j.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Against what Megatron-LM's own scheduler gave after every step (lr_schedules.json). */
final class OptimizerParamSchedulerTest {

  @TestFactory
  List<DynamicTest> equalsMegatronSchedules() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    try (InputStream in = getClass().getResourceAsStream("/golden/lr_schedules.json")) {
      for (JsonNode run : new ObjectMapper().readTree(in)) {
        JsonNode a = run.get("arguments");
        String name =
            "%s %s warmup %s x%d"
                .formatted(
                    a.get("lr_decay_style").asText(),
                    a.get("wd_incr_style").asText(),
                    a.get("lr_warmup_steps"),
                    run.get("increment").asInt());
        tests.add(DynamicTest.dynamicTest(name, () -> check(run)));
      }
    }
    assertEquals(40, tests.size());
    return tests;
  }

  private static void check(JsonNode run) {
    JsonNode a = run.get("arguments");
    boolean wsd = a.get("lr_decay_style").asText().equals("WSD");
    OptimizerParamScheduler scheduler =
        new OptimizerParamScheduler(
            new ScheduleConfig(
                a.get("init_lr").asDouble(),
                a.get("max_lr").asDouble(),
                a.get("min_lr").asDouble(),
                a.get("lr_warmup_steps").asDouble(),
                a.get("lr_decay_steps").asLong(),
                LearningRateDecay.of(a.get("lr_decay_style").asText()),
                a.get("start_wd").asDouble(),
                a.get("end_wd").asDouble(),
                a.get("wd_incr_steps").asLong(),
                WeightDecayIncrease.of(a.get("wd_incr_style").asText()),
                wsd ? a.get("wsd_decay_steps").asLong() : 0,
                wsd
                    ? AnnealingStyle.of(a.get("lr_wsd_decay_style").asText())
                    : AnnealingStyle.EXPONENTIAL));
    long previous = 0;
    for (JsonNode row : run.get("rows")) {
      scheduler.step(row.get(0).asLong() - previous);
      previous = row.get(0).asLong();
      assertClose(row.get(1).asDouble(), scheduler.learningRate(), "lr at " + previous);
      assertClose(row.get(2).asDouble(), scheduler.weightDecay(), "weight decay at " + previous);
    }
  }

  private static void assertClose(double expected, double found, String what) {
    assertTrue(
        Math.abs(expected - found) <= 1e-15 * Math.abs(expected),
        () -> what + ": expected " + expected + ", found " + found);
  }

  @Test
  void refusesSchedulesThatContradictThemselves() {
    assertThrows(IllegalArgumentException.class, () -> cosine(1e-3, 2e-3, 0, 10));
    assertThrows(IllegalArgumentException.class, () -> cosine(1e-3, 1e-4, 10, 10));
    assertThrows(IllegalArgumentException.class, () -> cosine(1e-3, 1e-4, -1, 10));
    assertThrows(IllegalArgumentException.class, () -> wsd(-1e-4, 5));
    assertThrows(IllegalArgumentException.class, () -> wsd(0, 11));
    assertEquals(10, wsd(0, 10).wsdDecaySteps());
    assertThrows(IllegalArgumentException.class, () -> LearningRateDecay.of("cosinus"));
  }

  private static ScheduleConfig wsd(double initLr, long wsdDecaySteps) {
    return new ScheduleConfig(
        initLr,
        1e-3,
        1e-4,
        0,
        10,
        LearningRateDecay.WARMUP_STABLE_DECAY,
        0.1,
        0.1,
        10,
        WeightDecayIncrease.CONSTANT,
        wsdDecaySteps,
        AnnealingStyle.EXPONENTIAL);
  }

  private static ScheduleConfig cosine(double maxLr, double minLr, double warmup, long decay) {
    return new ScheduleConfig(
        0,
        maxLr,
        minLr,
        warmup,
        decay,
        LearningRateDecay.COSINE,
        0.1,
        0.1,
        decay,
        WeightDecayIncrease.CONSTANT,
        0,
        AnnealingStyle.EXPONENTIAL);
  }
}
