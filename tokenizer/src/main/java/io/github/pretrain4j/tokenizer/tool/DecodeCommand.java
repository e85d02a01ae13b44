package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code decode}: the text of every line of ids. */
@Command(
    name = "decode",
    mixinStandardHelpOptions = true,
    description = "Prints the text of ids, one list a line.")
final class DecodeCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Option(names = "--model", required = true, description = "Tokenizer file or directory.")
  Path model = Path.of("");

  @ArgGroup(multiplicity = "1")
  Input input = new Input();

  /** Where the ids come from. */
  static final class Input {
    @Option(names = "--ids", arity = "1..*", description = "The ids themselves.")
    List<String> ids = List.of();

    @Option(names = "--input", arity = "1..*", description = "Text files, a list of ids a line.")
    List<Path> files = List.of();
  }

  @Mixin LoadingOptions loading = new LoadingOptions();

  DecodeCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    Tokenizer tokenizer = Tokenizers.load(model, loading.toTokenizerOptions());
    if (!input.ids.isEmpty()) {
      print(tokenizer, String.join(" ", input.ids));
    }
    try (TextSource lines = new TextSource(input.files, List.of())) {
      while (lines.hasNext()) {
        print(tokenizer, lines.next());
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return 0;
  }

  private void print(Tokenizer tokenizer, String line) {
    int[] ids =
        Stream.of(line.split("[\\s,\\[\\]]+", -1))
            .filter(word -> !word.isEmpty())
            .mapToInt(DecodeCommand::id)
            .toArray();
    out.println(tokenizer.decode(ids));
  }

  private static int id(String word) {
    try {
      return Integer.parseInt(word);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("\"" + word + "\" is not an id", e);
    }
  }
}
