package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.gpt.Blend;
import io.github.pretrain4j.dataset.gpt.BlendPlan;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.dataset.gpt.GptDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code plan}: what a run will repeat and drop if it changes its blend. */
@Command(
    name = "plan",
    mixinStandardHelpOptions = true,
    description =
        "Shows what a training run will repeat and drop if it goes on with another blend.")
final class PlanCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Option(names = "--ledger", required = true, description = "The run's data ledger.")
  Path ledger = Path.of("");

  @Option(
      names = "--new-blend",
      required = true,
      arity = "1..*",
      paramLabel = "WEIGHT PREFIX",
      description = "The new blend, as --data-path takes it; in one argument or several.")
  List<String> blend = List.of();

  @Option(
      names = "--at-iteration",
      description = "Iterations done with the old blend. Default: where the ledger was written.")
  @Nullable Long iteration;

  @Option(
      names = "--train-samples",
      description = "Samples of the whole run. Default: those that the run asks for now.")
  @Nullable Long trainSamples;

  PlanCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    DataLedger run = DataLedger.read(ledger);
    List<String> words =
        blend.stream()
            .flatMap(argument -> List.of(argument.strip().split("\\s+")).stream())
            .toList();
    BlendPlan plan =
        BlendPlan.of(run, run.config(), Blend.parse(words), iterations(run), samples(run));
    out.printf(
        "after iteration %d: %d samples consumed, %d to come%n",
        plan.iteration(), plan.firstSample(), plan.endSample() - plan.firstSample());
    out.println();
    out.println("each dataset goes on in its own order:");
    print(plan.exact());
    out.println();
    out.println("a new --data-path in Megatron, which begins the blend anew and skips:");
    print(plan.plain());
    return 0;
  }

  private long iterations(DataLedger run) {
    DataLedger.Position position = run.position();
    if (iteration != null) {
      return iteration;
    }
    if (position == null) {
      throw new IllegalArgumentException(
          ledger + " does not say where the run stands: give --at-iteration");
    }
    return position.iteration();
  }

  private long samples(DataLedger run) {
    DataLedger.Phase last = run.lastPhase();
    if (trainSamples != null) {
      return trainSamples;
    }
    if (last.requestedSamples() == GptDataset.ONE_EPOCH) {
      throw new IllegalArgumentException(
          ledger + " asks for one epoch, not for a number of samples: give --train-samples");
    }
    return last.firstSample() + last.requestedSamples();
  }

  private void print(List<BlendPlan.Row> rows) {
    out.printf(
        "%12s %12s %8s %16s %16s  %s%n",
        "consumed", "to come", "epochs", "repeated tokens", "never seen", "dataset");
    for (BlendPlan.Row row : rows) {
      out.printf(
          Locale.ROOT,
          "%12d %12d %8.3f %16d %16d  %s%n",
          row.consumedSamples(),
          row.plannedSamples(),
          row.epochs(),
          row.repeatedTokens(),
          row.neverSeenTokens(),
          row.dataset());
    }
  }
}
