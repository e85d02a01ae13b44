package io.github.pretrain4j.quickstart;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;

/**
 * Announces steps and how long the rest will take: the planned seconds of what is left, scaled by
 * how this machine has done so far.
 */
final class Steps {

  /** A step and the seconds it took where the plan was made. */
  record Step(String title, double plannedSeconds) {}

  private final List<Step> plan;
  private final PrintStream out;
  private final long start = System.nanoTime();
  private int next;

  Steps(List<Step> plan, PrintStream out) {
    this.plan = List.copyOf(plan);
    this.out = out;
  }

  /** Announces the next step of the plan. */
  void begin() {
    double done = planned(0, next);
    double left = planned(next, plan.size());
    double pace = done == 0 ? 1 : elapsedSeconds() / done;
    out.printf(
        "%n[%d/%d] %s  (about %s left)%n",
        next + 1, plan.size(), plan.get(next).title(), clock(left * pace));
    next++;
  }

  /** Time since the first step was planned, as minutes and seconds. */
  String elapsedClock() {
    return clock(elapsedSeconds());
  }

  private double elapsedSeconds() {
    return (System.nanoTime() - start) / 1e9;
  }

  private double planned(int from, int to) {
    return plan.subList(from, to).stream().mapToDouble(Step::plannedSeconds).sum();
  }

  private static String clock(double seconds) {
    long whole = Math.round(seconds);
    return String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60);
  }
}
