package io.github.pretrain4j.inspect;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.model.HuggingFaceConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether a checkpoint is whole: structure, checksums, completeness, replicas, values.
 *
 * @param checked what was looked at, in words
 * @param problems what is wrong; empty if all is well
 * @param warnings what is odd but does no harm, and what could not be checked
 */
public record CheckpointVerification(
    String path, List<String> checked, List<String> problems, List<String> warnings) {

  /** Copies the collections. */
  public CheckpointVerification {
    checked = List.copyOf(checked);
    problems = List.copyOf(problems);
    warnings = List.copyOf(warnings);
  }

  /**
   * Reads all of a checkpoint.
   *
   * @param reference a Hugging Face directory whose config.json says what the model should be; null
   *     to rely on what the checkpoint says of itself
   * @param workers how many threads read, at least 1
   * @throws IOException if something cannot be read; damage is a problem, not an exception
   */
  public static CheckpointVerification of(Path path, @Nullable Path reference, int workers)
      throws IOException {
    HuggingFaceConfig config = reference == null ? null : HuggingFaceConfig.read(reference);
    Findings findings = new Findings();
    try (Subject subject = Subject.open(path)) {
      findings.checked.add("structure of " + subject.format());
      findings.warnings.addAll(subject.warnings());
      findings.look("checksums", subject::verifyChecksums);
      findings.look(
          "agreement of replicas and copies",
          () -> findings.problems.addAll(subject.problems(config)));
      if (subject.knowsWhatShouldBeThere(config)) {
        findings.checked.add("completeness");
      } else {
        findings.warnings.add(
            "no configuration of a known family: which tensors there should be was not checked");
      }
      findings.look("values", () -> findings.problems.addAll(notFinite(subject, workers)));
    } catch (CorruptCheckpointException e) {
      findings.problems.add(String.valueOf(e.getMessage()));
    }
    return new CheckpointVerification(
        path.toString(), findings.checked, findings.problems, findings.warnings);
  }

  private interface Look {
    void run() throws IOException;
  }

  private static final class Findings {
    private final List<String> checked = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    /** Damage that one look finds does not keep the next from looking. */
    void look(String what, Look look) throws IOException {
      try {
        look.run();
      } catch (CorruptCheckpointException e) {
        problems.add(String.valueOf(e.getMessage()));
      }
      checked.add(what);
    }
  }

  private static List<String> notFinite(Subject subject, int workers) throws IOException {
    List<String> problems = new ArrayList<>();
    List<CheckpointContents.Entry> entries = CheckpointContents.entries(subject, true, workers);
    for (CheckpointContents.Entry entry : entries) {
      TensorScan scan = entry.scan();
      if (scan != null && !scan.isFinite()) {
        problems.add(
            entry.info().name()
                + " has "
                + scan.nanCount()
                + " NaN and "
                + scan.infinityCount()
                + " infinite values");
      }
    }
    return problems;
  }

  /** Whether nothing is wrong. */
  public boolean isSound() {
    return problems.isEmpty();
  }

  /** As JSON. */
  public String toJson() {
    ObjectNode root = Json.object();
    root.put("path", path).put("sound", isSound());
    checked.forEach(root.putArray("checked")::add);
    problems.forEach(root.putArray("problems")::add);
    warnings.forEach(root.putArray("warnings")::add);
    return Json.text(root);
  }

  /** For people. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    problems.forEach(problem -> text.append("problem: ").append(problem).append('\n'));
    warnings.forEach(warning -> text.append("warning: ").append(warning).append('\n'));
    text.append(path).append(isSound() ? ": sound" : ": not sound").append("; checked: ");
    return text.append(String.join(", ", checked)).append('\n').toString();
  }
}
