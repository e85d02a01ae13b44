package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetRepair;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code repair}: mends what can be mended without guessing. */
@Command(
    name = "repair",
    mixinStandardHelpOptions = true,
    description = {
      "Cuts a .bin to what its .idx says, makes wrong pointers anew from the lengths, and cuts off",
      "what is behind the arrays of an .idx. Anything else that is wrong is an error."
    })
final class RepairCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", description = "The dataset.")
  Path prefix = Path.of("");

  @Option(names = "--dry-run", description = "Only say what would be done.")
  boolean dryRun;

  @Mixin ModesOption modes = new ModesOption();

  RepairCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    List<DatasetRepair.Repair> repairs =
        dryRun
            ? DatasetRepair.plan(prefix, modes.modes())
            : DatasetRepair.repair(prefix, modes.modes());
    for (DatasetRepair.Repair repair : repairs) {
      out.println(
          repair.kind().name().toLowerCase(Locale.ROOT)
              + (dryRun ? " (not done): " : ": ")
              + repair);
    }
    if (repairs.isEmpty()) {
      out.println(prefix + ": nothing to repair");
    }
    return 0;
  }
}
