package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetVerifier;
import io.github.pretrain4j.dataset.VerifyReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code verify}: everything that is wrong with datasets. */
@Command(
    name = "verify",
    mixinStandardHelpOptions = true,
    description = "Lists everything that is wrong with datasets; exit status 1 if anything is.")
final class VerifyCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", arity = "1..*", description = "The datasets.")
  List<Path> prefixes = List.of();

  @Option(
      names = "--depth",
      description = {
        "ends: header, sizes and ends of the arrays; index: every entry of the index too;",
        "tokens: every token too (default: ${DEFAULT-VALUE})."
      })
  DatasetVerifier.Depth depth = DatasetVerifier.Depth.TOKENS;

  @Option(names = "--vocab-size", description = "Tokens must be less than this.")
  @Nullable Integer vocabularySize;

  @Option(
      names = "--max-findings",
      description = "List this many of a dataset (default: ${DEFAULT-VALUE}).")
  int maxFindings = DatasetVerifier.DEFAULT_LIMIT;

  @Mixin ModesOption modes = new ModesOption();

  VerifyCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    DatasetVerifier verifier = new DatasetVerifier(maxFindings).withModes(modes.modes());
    if (vocabularySize != null) {
      if (depth != DatasetVerifier.Depth.TOKENS) {
        throw new IllegalArgumentException("--vocab-size needs --depth tokens");
      }
      verifier = verifier.withVocabularySize(vocabularySize);
    }
    boolean clean = true;
    for (Path prefix : prefixes) {
      VerifyReport report = verifier.verify(prefix, depth);
      for (DatasetVerifier.Finding finding : report.findings()) {
        out.println(finding.kind().name().toLowerCase(Locale.ROOT) + ": " + finding);
      }
      long more = report.findingCount() - report.findings().size();
      if (more > 0) {
        out.println("and " + more + " more");
      }
      if (report.isClean()) {
        out.printf(
            "%s: %d documents, %d sequences, %d tokens, nothing wrong%n",
            prefix, report.documentCount(), report.sequenceCount(), report.tokenCount());
      } else {
        out.printf("%s: %d findings%n", prefix, report.findingCount());
        clean = false;
      }
    }
    return clean ? 0 : DataTool.WORLD_FAILED;
  }
}
