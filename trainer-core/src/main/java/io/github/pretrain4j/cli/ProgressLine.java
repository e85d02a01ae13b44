package io.github.pretrain4j.cli;

import java.io.PrintWriter;
import java.util.Locale;

/**
 * Prints how far a step is: amount, rate and the time left. At most one line a second. Not
 * thread-safe.
 */
final class ProgressLine {

  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  private final String step;
  private final String unit;
  private final long interval;
  private final PrintWriter out;
  private final long startNanos = System.nanoTime();
  private long lastNanos = startNanos;
  private long lastItems;

  /**
   * @param unit what is counted, in the plural
   * @param interval items between lines, at least
   */
  ProgressLine(String step, String unit, long interval, PrintWriter out) {
    this.step = step;
    this.unit = unit;
    this.interval = interval;
    this.out = out;
  }

  void update(long items, long bytes, long totalBytes) {
    long now = System.nanoTime();
    if (items - lastItems < interval || now - lastNanos < NANOS_PER_SECOND) {
      return;
    }
    lastItems = items;
    lastNanos = now;
    double seconds = (now - startNanos) / (double) NANOS_PER_SECOND;
    double left = bytes == 0 ? 0 : seconds * (totalBytes - bytes) / bytes;
    out.printf(
        Locale.ROOT,
        "%s: %,d %s, %.1f of %.1f MB (%.0f %%), %,.0f %s/s, %.1f MB/s, ETA %s%n",
        step,
        items,
        unit,
        bytes / 1e6,
        totalBytes / 1e6,
        totalBytes == 0 ? 100 : 100.0 * bytes / totalBytes,
        items / seconds,
        unit,
        bytes / 1e6 / seconds,
        clock(Math.round(left)));
    out.flush();
  }

  double elapsedSeconds() {
    return (System.nanoTime() - startNanos) / (double) NANOS_PER_SECOND;
  }

  /** {@code h:mm:ss}, without hours {@code m:ss}. */
  static String clock(long seconds) {
    return seconds >= 3600
        ? "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60)
        : "%d:%02d".formatted(seconds / 60, seconds % 60);
  }
}
