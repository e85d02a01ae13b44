package io.github.pretrain4j.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Every benchmark runs, once and in this JVM; what it takes is not looked at. */
class BenchmarkSmokeTest {

  /** All of them, so that none is lost by a build that does not generate its JMH code. */
  static List<Class<?>> benchmarks() {
    return List.of(
        ByteLevelEncodeBenchmark.class,
        DatasetReadBenchmark.class,
        GemmBenchmark.class,
        SentencePieceEncodeBenchmark.class,
        TrainingStepBenchmark.class);
  }

  @Test
  void listsWhatJmhFinds() {
    Set<String> found =
        BenchmarkList.defaultList()
            .getAll(
                OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT), List.of())
            .stream()
            .map(entry -> entry.getUserClassQName())
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> listed =
        benchmarks().stream().map(Class::getName).collect(Collectors.toCollection(TreeSet::new));
    assertEquals(listed, found);
  }

  @ParameterizedTest
  @MethodSource("benchmarks")
  void runsBesideItsBaseline(Class<?> benchmark) throws RunnerException {
    int results =
        new Runner(
                new OptionsBuilder()
                    .include("^" + Pattern.quote(benchmark.getName() + "."))
                    .mode(Mode.SingleShotTime)
                    .forks(0)
                    .warmupIterations(0)
                    .measurementIterations(1)
                    .param("sequences", "64")
                    .param("size", "64")
                    .param("hiddenSize", "32")
                    .shouldFailOnError(true)
                    .verbosity(VerboseMode.SILENT)
                    .build())
            .run()
            .size();
    assertTrue(results >= 2, "a candidate and a baseline: expected 2 results, found " + results);
  }
}
