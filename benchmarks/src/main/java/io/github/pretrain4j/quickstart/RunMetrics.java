package io.github.pretrain4j.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * The metrics file of a training run, a JSON object a line; of two lines for one iteration the
 * later counts.
 */
final class RunMetrics {
  private final NavigableMap<Long, Double> trainLoss = new TreeMap<>();
  private final TreeMap<String, NavigableMap<Long, Double>> evaluations = new TreeMap<>();
  private double tokens;
  private double seconds;

  private RunMetrics() {}

  static RunMetrics read(Path file) throws IOException {
    ObjectMapper json = new ObjectMapper();
    RunMetrics metrics = new RunMetrics();
    for (String line : Files.readAllLines(file)) {
      JsonNode node = json.readTree(line);
      long iteration = node.path("iteration").asLong();
      double loss = node.path("loss").asDouble();
      switch (node.path("kind").asText()) {
        case "iteration" -> {
          metrics.trainLoss.put(iteration, loss);
          metrics.tokens += node.path("tokens").asDouble();
          metrics.seconds += node.path("seconds").asDouble();
        }
        case "evaluation" ->
            metrics
                .evaluations
                .computeIfAbsent(node.path("set").asText(), set -> new TreeMap<>())
                .put(iteration, loss);
        default -> {
          // Other kinds are of no use here; the file may have more of them in a later version.
        }
      }
    }
    return metrics;
  }

  long lastIteration() {
    return trainLoss.isEmpty() ? 0 : trainLoss.lastKey();
  }

  double tokensPerSecond() {
    return seconds == 0 ? 0 : tokens / seconds;
  }

  /** The loss of the last evaluation of {@code set}, in nats per token. */
  double finalLoss(String set) throws IOException {
    NavigableMap<Long, Double> losses = evaluations.get(set);
    if (losses == null) {
      throw new IOException("expected evaluations of '" + set + "', found " + evaluations.keySet());
    }
    return losses.lastEntry().getValue();
  }

  /**
   * Training loss as the mean of windows of {@code window} iterations: a curve that can be read.
   */
  List<LossChart.Point> trainCurve(int window) {
    List<LossChart.Point> points = new ArrayList<>();
    double sum = 0;
    int count = 0;
    for (var entry : trainLoss.entrySet()) {
      sum += entry.getValue();
      if (++count == window) {
        points.add(new LossChart.Point(entry.getKey(), sum / count));
        sum = 0;
        count = 0;
      }
    }
    return points;
  }

  /** Every evaluation of {@code set}. */
  List<LossChart.Point> evaluationCurve(String set) {
    return evaluations.getOrDefault(set, new TreeMap<>()).entrySet().stream()
        .map(entry -> new LossChart.Point(entry.getKey(), entry.getValue()))
        .toList();
  }
}
