package io.github.pretrain4j.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Appends one JSON object a line for every iteration and evaluation: the raw material of loss
 * curves.
 *
 * <pre>
 * {"kind":"iteration","iteration":1,"consumed_samples":4,"loss":6.4,"learning_rate":4.0E-4,"grad_norm":1.7,"tokens":132,
 *  "seconds":0.1,"tokens_per_second":1320.0}
 * {"kind":"evaluation","iteration":10,"set":"validation","loss":6.3,"perplexity":544.6}
 * {"kind":"saved","iteration":10,"directory":"…","seconds":0.2}
 * </pre>
 *
 * <p>Lines are written through as they come. A resumed run appends to the file, so iterations after
 * the last checkpoint of an interrupted run may occur twice; the later line counts.
 */
public final class MetricsFile implements TrainListener, AutoCloseable {
  private final ObjectMapper json = new ObjectMapper();
  private final BufferedWriter out;

  private MetricsFile(BufferedWriter out) {
    this.out = out;
  }

  /** Opens the file for appending and makes its directory if needed. */
  public static MetricsFile open(Path file) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    return new MetricsFile(
        Files.newBufferedWriter(
            file, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
  }

  @Override
  public void iteration(Iteration report) throws IOException {
    double seconds = report.elapsed().toNanos() / 1e9;
    write(
        json.createObjectNode()
            .put("kind", "iteration")
            .put("iteration", report.iteration())
            .put("consumed_samples", report.consumedSamples())
            .put("loss", report.loss())
            .put("learning_rate", report.learningRate())
            .put("grad_norm", report.gradientNorm())
            .put("tokens", report.tokens())
            .put("seconds", seconds)
            .put("tokens_per_second", seconds > 0 ? report.tokens() / seconds : 0));
  }

  @Override
  public void evaluation(Evaluation report) throws IOException {
    write(
        json.createObjectNode()
            .put("kind", "evaluation")
            .put("iteration", report.iteration())
            .put("set", report.set())
            .put("after_training", report.afterTraining())
            .put("loss", report.loss())
            .put("perplexity", report.perplexity())
            .put("seconds", report.elapsed().toNanos() / 1e9));
  }

  @Override
  public void milestone(Milestone milestone) throws IOException {
    if (milestone instanceof Milestone.Saved saved) {
      write(
          json.createObjectNode()
              .put("kind", "saved")
              .put("iteration", saved.iteration())
              .put("directory", saved.directory().toString())
              .put("seconds", saved.elapsed().toNanos() / 1e9));
    }
  }

  private void write(ObjectNode line) throws IOException {
    out.write(json.writeValueAsString(line));
    out.newLine();
    out.flush();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
