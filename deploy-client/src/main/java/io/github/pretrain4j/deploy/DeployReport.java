package io.github.pretrain4j.deploy;

import java.util.List;

/** A finished deployment: what was deployed, where it answers, and what it answered. */
public record DeployReport(
    String target,
    String name,
    DeployState state,
    ModelVersion version,
    Endpoint endpoint,
    FirstAnswer firstAnswer,
    List<StepTime> steps,
    PreflightReport preflight) {

  /** How long a step took. */
  public record StepTime(String step, double seconds) {}

  public DeployReport {
    steps = List.copyOf(steps);
  }

  /** As JSON, for scripts. */
  public String toJson() {
    return Json.pretty(this);
  }
}
