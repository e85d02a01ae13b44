package io.github.pretrain4j.dataset.spark;

import io.github.pretrain4j.dataset.preprocess.LineRange;
import io.github.pretrain4j.dataset.preprocess.LineRangeEncoder;
import io.github.pretrain4j.dataset.preprocess.MalformedLineException;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Makes the shards of one range, on an executor. Every attempt writes under a name of its own, so
 * that attempts that fail, or run beside another, disturb none; the driver takes those whose names
 * Spark hands it.
 */
final class RangeTask implements Function<LineRange, RangeTask.Shards> {
  private static final long serialVersionUID = 1L;

  private final LineRangeEncoder.Options options;
  private final SerializableEncoderFactory encoders;
  private final String directory;

  RangeTask(
      LineRangeEncoder.Options options, SerializableEncoderFactory encoders, String directory) {
    this.options = options;
    this.encoders = encoders;
    this.directory = directory;
  }

  /**
   * What an attempt made.
   *
   * @param range the lines
   * @param prefixes of its datasets, one for each key
   * @param counts what each has
   * @param badLine why there are none; no other attempt would fare better
   */
  record Shards(
      LineRange range,
      List<String> prefixes,
      List<LineRangeEncoder.Counts> counts,
      @Nullable BadLineReport badLine)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** A {@link MalformedLineException} that can travel. */
  record BadLineReport(String file, long lineNumber, long byteOffset, String expected, String found)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    MalformedLineException toException() {
      return new MalformedLineException(
          Path.of(file), lineNumber, byteOffset, expected, found, null);
    }
  }

  @Override
  public Shards call(LineRange range) throws IOException {
    TaskContext task = TaskContext.get();
    return encode(range, task.partitionId(), task.taskAttemptId());
  }

  Shards encode(LineRange range, int partition, long attempt) throws IOException {
    List<String> names = new ArrayList<>();
    List<Path> prefixes = new ArrayList<>();
    for (int key = 0; key < options.jsonKeys().size(); key++) {
      Path prefix =
          Path.of(directory, "range-" + partition + "-attempt-" + attempt + "-key-" + key);
      prefixes.add(prefix);
      names.add(prefix.toString());
    }
    try {
      return new Shards(
          range,
          names,
          LineRangeEncoder.encode(
              range,
              options,
              encoders.open(),
              encoders.openSentenceSplitter().orElse(null),
              prefixes),
          null);
    } catch (MalformedLineException e) {
      return new Shards(
          range,
          List.of(),
          List.of(),
          new BadLineReport(range.file(), e.lineNumber(), e.byteOffset(), e.expected(), e.found()));
    }
  }
}
