package io.github.pretrain4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/**
 * {@code p4j workspace init DIR}: the BML guide's working directory.
 *
 * <pre>
 * DIR/code/bml-megatron-llm/    this distribution: the guide's MEGATRON_PATH
 * DIR/data/                     corpora and their .bin/.idx
 * DIR/output/                   training runs
 * DIR/pretrained_models/        Hugging Face and Megatron checkpoints
 * </pre>
 *
 * Creates what is missing and changes nothing that is there. The distribution is copied beside and
 * renamed, so that a stop half-way leaves no half of it under its name.
 */
public final class WorkspaceTool extends CommandLineTool {

  /** The folder the guide unpacks its code to, under {@code code}. */
  static final String DISTRIBUTION = "bml-megatron-llm";

  private static final List<String> FOLDERS =
      List.of("code", "data", "output", "pretrained_models");

  private final @Nullable Path home;

  public WorkspaceTool() {
    this(distributionHome());
  }

  /**
   * @param home the distribution to copy; null if this JVM was not started from one
   */
  WorkspaceTool(@Nullable Path home) {
    super(
        "p4j-workspace",
        "Make the guide's working directory: code, data, output, pretrained_models");
    this.home = home;
  }

  private static @Nullable Path distributionHome() {
    String property = System.getProperty("p4j.home"); // set by bin/p4j
    return property == null ? null : Path.of(property);
  }

  @Override
  void declare(CommandSpec spec) {
    spec.addPositional(
        PositionalParamSpec.builder()
            .index("0")
            .paramLabel("init")
            .type(String.class)
            .required(true)
            .description("the one action there is")
            .build());
    spec.addPositional(
        PositionalParamSpec.builder()
            .index("1")
            .paramLabel("DIR")
            .type(Path.class)
            .required(true)
            .description("the workspace; created if missing")
            .build());
  }

  @Override
  int run(ParseResult options, PrintWriter out, PrintWriter err) throws IOException {
    String action = options.matchedPositionalValue(0, "");
    if (!action.equals("init")) {
      throw new IllegalArgumentException(
          "unknown action '" + action + "': the one action is 'init'");
    }
    if (home == null || !Files.isRegularFile(home.resolve("bin").resolve("p4j"))) {
      throw new IllegalArgumentException(
          "a workspace holds a copy of the distribution, and this JVM was not started from one: run bin/p4j of"
              + " a distribution (mvn package makes one in trainer-core/target/pretrain4j)");
    }
    Path directory =
        options.<Path>matchedPositionalValue(1, Path.of("")).toAbsolutePath().normalize();
    Path copy = directory.resolve("code").resolve(DISTRIBUTION);
    if (copy.startsWith(home.toRealPath()) || directory.startsWith(home.toRealPath())) {
      throw new IllegalArgumentException(
          "the workspace cannot lie inside the distribution " + home);
    }
    for (String folder : FOLDERS) {
      Files.createDirectories(directory.resolve(folder));
    }
    if (Files.exists(copy, LinkOption.NOFOLLOW_LINKS)) {
      out.println(copy + " is there already and stays as it is (remove it to replace it)");
    } else {
      copyTree(home.toRealPath(), copy);
    }
    out.println("Workspace " + directory);
    describe(directory, copy)
        .forEach((key, value) -> out.printf("  export %s=%s%n", key, quoted(value)));
    return ExitCode.OK;
  }

  /** As a shell reads it back; in single quotes unless it is plain. */
  private static String quoted(Path path) {
    String text = path.toString();
    return text.matches("[A-Za-z0-9_@%+=:,./-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
  }

  /** The guide's two variables, in its order. */
  private static Map<String, Path> describe(Path directory, Path copy) {
    Map<String, Path> variables = new LinkedHashMap<>();
    variables.put("WORK_DIR", directory);
    variables.put("MEGATRON_PATH", copy);
    return variables;
  }

  /** Copies into a temporary sibling of {@code target} and renames it. */
  private static void copyTree(Path source, Path target) throws IOException {
    Path parent = Objects.requireNonNull(target.getParent());
    Path beside = Files.createTempDirectory(parent, "." + DISTRIBUTION + ".");
    try {
      Files.walkFileTree(source, new TreeCopy(source, beside));
      Files.setPosixFilePermissions(beside, Files.getPosixFilePermissions(source));
      rename(beside, target);
    } finally {
      if (Files.exists(beside)) {
        Files.walkFileTree(beside, new TreeDelete());
      }
    }
  }

  static void rename(Path beside, Path target) throws IOException {
    try {
      Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) { // which of its kinds differs between systems
      if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
        throw new IOException(target + " appeared while it was being copied", e);
      }
      throw e;
    }
  }

  private static final class TreeCopy extends SimpleFileVisitor<Path> {
    private final Path source;
    private final Path target;

    TreeCopy(Path source, Path target) {
      this.source = source;
      this.target = target;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes)
        throws IOException {
      Files.createDirectories(target.resolve(source.relativize(folder)));
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.copy(file, target.resolve(source.relativize(file)), StandardCopyOption.COPY_ATTRIBUTES);
      return FileVisitResult.CONTINUE;
    }
  }

  private static final class TreeDelete extends SimpleFileVisitor<Path> {
    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.delete(file);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
        throws IOException {
      if (failure != null) {
        throw failure;
      }
      Files.delete(folder);
      return FileVisitResult.CONTINUE;
    }
  }
}
