package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.backend.UnavailableException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

class LauncherTest {

  /** A step that throws what it was made with, or prints its one option. */
  private static final class EchoTool extends CommandLineTool {
    private final @Nullable Throwable failure;

    EchoTool(String name, @Nullable Throwable failure) {
      super(name, "Say it again");
      this.failure = failure;
    }

    @Override
    void declare(CommandSpec spec) {
      spec.addOption(option("--text", String.class, "TEXT", "what to say").required(true).build());
    }

    @Override
    int run(ParseResult options, PrintWriter out, PrintWriter err) throws IOException {
      switch (failure) {
        case IOException e -> throw e;
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case null -> out.println(options.matchedOptionValue("--text", ""));
        default -> throw new IllegalArgumentException(failure);
      }
      return ExitCode.OK;
    }
  }

  private final @Nullable Throwable none = null;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(@Nullable Throwable failure, String... arguments) {
    Launcher launcher =
        new Launcher(List.of(new EchoTool("p4j-echo", failure), new EchoTool("p4j-train", none)));
    return launcher.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private int fail(Throwable failure) {
    return run(failure, "echo", "--text", "x");
  }

  @Test
  void runsAStepByShortAndFullName() {
    assertEquals(0, run(none, "echo", "--text", "hello"));
    assertEquals(0, run(none, "p4j-echo", "--text=hello"));
    assertEquals("hello\nhello\n", out.toString());
    assertEquals("", err.toString());
  }

  @Test
  void listsStepsWithTheirDescriptions() {
    assertEquals(0, run(none, "help"));
    assertTrue(
        out.toString().contains("  echo   Say it again\n  train  Say it again\n"), out.toString());
    assertEquals(2, run(none));
    assertTrue(err.toString().contains("Usage: p4j <step>"));
  }

  @Test
  void explainsOneStep() {
    assertEquals(0, run(none, "help", "echo"));
    assertEquals(0, run(none, "echo", "--help"));
    assertTrue(out.toString().contains("--text=TEXT"), out.toString());
  }

  @Test
  void tellsItsVersion() {
    assertEquals(0, run(none, "version"));
    assertTrue(out.toString().startsWith("p4j development, Java 25"), out.toString());
  }

  @Test
  void suggestsTheNearestStep() {
    assertEquals(2, run(none, "trian"));
    assertEquals(
        "p4j: error: no step 'trian'; did you mean train? See 'p4j help'.\n", err.toString());
    assertEquals(2, run(none, "help", "xyzzyxyzzy"));
    assertTrue(err.toString().endsWith("p4j: error: no step 'xyzzyxyzzy'. See 'p4j help'.\n"));
  }

  @Test
  void wrongOptionsAreUsageErrors() {
    assertEquals(2, run(none, "echo"));
    assertTrue(
        err.toString().startsWith("p4j-echo: error: Missing required option: '--text=TEXT'\n"));
    assertEquals(2, run(none, "echo", "--text", "x", "--txet", "y"));
    assertTrue(err.toString().contains("'--txet'"), err.toString());
  }

  @Test
  void everyKindOfFailureHasItsCode() {
    assertEquals(1, fail(new IOException("corpus.idx: version at byte 9: expected 1, found 7")));
    assertEquals(1, fail(new UncheckedIOException(new IOException("disk full"))));
    assertEquals(1, fail(new NoSuchFileException("a.jsonl")));
    assertEquals(2, fail(new IllegalArgumentException("top_p must be at most 1")));
    assertEquals(3, fail(new UnavailableException("no backend", "install one")));
    assertEquals(
        """
        p4j-echo: error: corpus.idx: version at byte 9: expected 1, found 7
        p4j-echo: error: disk full
        p4j-echo: error: a.jsonl: no such file or directory
        p4j-echo: error: top_p must be at most 1
        p4j-echo: error: no backend (install one)
        """,
        err.toString());
  }

  @Test
  void filesAreNamedWithWhatIsWrongWithThem() {
    assertEquals(1, fail(new AccessDeniedException("secret.bin")));
    assertEquals(1, fail(new NoSuchFileException("dir", null, "no tokenizer here")));
    assertEquals(1, fail(new NotDirectoryException("file")));
    assertEquals(1, fail(new DirectoryNotEmptyException("out")));
    assertEquals(1, fail(new FileSystemException("a", "b", "Device or resource busy")));
    assertEquals(
        """
        p4j-echo: error: secret.bin: permission denied
        p4j-echo: error: dir: no such file or directory (no tokenizer here)
        p4j-echo: error: file: is not a directory
        p4j-echo: error: out: the directory is not empty
        p4j-echo: error: a: Device or resource busy
        """,
        err.toString());
  }

  /** A step of another module that reports nothing itself. */
  private record BareTool(RuntimeException failure, @Nullable Error error) implements ToolProvider {
    @Override
    public String name() {
      return "p4j-bare";
    }

    @Override
    public int run(PrintWriter out, PrintWriter err, String... arguments) {
      if (error != null) {
        throw error;
      }
      throw failure;
    }
  }

  private int bare(RuntimeException failure, @Nullable Error error) {
    return new Launcher(List.of(new BareTool(failure, error)))
        .run(new PrintWriter(out, true), new PrintWriter(err, true), "bare");
  }

  @Test
  void whatAStepLetsThroughIsReported() {
    RuntimeException gone = new UncheckedIOException(new NoSuchFileException("a.bin"));
    assertEquals(1, bare(gone, null));
    assertEquals(1, bare(gone, new OutOfMemoryError("Java heap space")));
    assertEquals(
        """
        p4j-bare: error: a.bin: no such file or directory
        p4j-bare: error: out of memory (Java heap space); give the JVM more, for example P4J_JAVA_OPTIONS=-Xmx16g
        """,
        err.toString());
    assertEquals(70, bare(gone, new StackOverflowError()));
    assertTrue(err.toString().contains("\tat io.github.pretrain4j.cli.LauncherTest"));
  }

  @Test
  void aBugShowsItsTrace() {
    assertEquals(70, fail(new IllegalStateException("never")));
    assertTrue(err.toString().contains("This is a bug in pretrain4j"));
    assertTrue(err.toString().contains("\tat io.github.pretrain4j.cli.LauncherTest"));
  }

  @Test
  void aTraceIsShownOnRequest() {
    assertEquals(1, run(new IOException("gone"), "echo", "--text", "x", "--stacktrace"));
    assertTrue(err.toString().contains("\tat "));
  }

  @Test
  void theMissingVectorModuleIsExplained() {
    assertEquals(3, fail(new NoClassDefFoundError("jdk/incubator/vector/FloatVector")));
    assertTrue(err.toString().contains("--add-modules jdk.incubator.vector"));
    assertFalse(err.toString().contains("\tat "));
  }

  @Test
  void twoStepsOfOneNameAreAnError() {
    List<EchoTool> twice = List.of(new EchoTool("p4j-echo", none), new EchoTool("p4j-echo", none));
    assertThrows(IllegalArgumentException.class, () -> new Launcher(List.copyOf(twice)));
  }

  @Test
  void findsTheStepsOfThisModule() {
    Launcher launcher = Launcher.ofClassPath(new PrintWriter(err, true));
    assertEquals(0, launcher.run(new PrintWriter(out, true), new PrintWriter(err, true), "help"));
    for (String step : List.of("generate", "preprocess", "serve", "train", "workspace")) {
      assertTrue(out.toString().contains("\n  " + step + " "), step + " in " + out);
    }
    assertEquals("", err.toString());
  }
}
