package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code encode}: a line of ids for every text. */
@Command(
    name = "encode",
    mixinStandardHelpOptions = true,
    description = "Prints the ids of texts, one text a line.")
final class EncodeCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Option(names = "--model", required = true, description = "Tokenizer file or directory.")
  Path model = Path.of("");

  @ArgGroup(multiplicity = "1")
  Input input = new Input();

  @Mixin JsonKeys json = new JsonKeys();

  @Option(names = "--pieces", description = "Print the vocabulary's strings instead of ids.")
  boolean pieces;

  @Option(
      names = "--offsets",
      paramLabel = "UNIT",
      converter = UnitName.class,
      description =
          "Print a line for each id, with id, begin, end and piece, and an empty line after each"
              + " text. Positions count utf8-bytes, utf16-units or code-points.")
  @Nullable OffsetUnit offsets;

  @Mixin LoadingOptions loading = new LoadingOptions();

  /** Where the texts come from. */
  static final class Input {
    @Option(names = "--text", arity = "1..*", description = "The texts themselves.")
    List<String> texts = List.of();

    @Option(names = "--input", arity = "1..*", description = "Text or .jsonl files.")
    List<Path> files = List.of();
  }

  EncodeCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    Tokenizer tokenizer = Tokenizers.load(model, loading.toTokenizerOptions());
    for (String text : input.texts) {
      print(tokenizer, text);
    }
    try (TextSource texts = new TextSource(input.files, json.keys)) {
      while (texts.hasNext()) {
        print(tokenizer, texts.next());
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return 0;
  }

  private void print(Tokenizer tokenizer, String text) {
    if (offsets != null) {
      printPlaces(tokenizer.encode(text, offsets));
      return;
    }
    out.println(
        Arrays.stream(tokenizer.encode(text))
            .mapToObj(id -> pieces ? tokenizer.piece(id) : Integer.toString(id))
            .collect(Collectors.joining(" ")));
  }

  private void printPlaces(Encoding encoding) {
    for (int i = 0; i < encoding.ids().length; i++) {
      out.println(
          encoding.ids()[i]
              + "\t"
              + encoding.begins()[i]
              + "\t"
              + encoding.ends()[i]
              + "\t"
              + encoding.pieces().get(i));
    }
    out.println();
  }

  /** Reads {@code code-points} as {@link OffsetUnit#CODE_POINTS}. */
  static final class UnitName implements ITypeConverter<OffsetUnit> {
    @Override
    public OffsetUnit convert(String name) {
      return OffsetUnit.valueOf(LoadingOptions.constant(name));
    }
  }
}
