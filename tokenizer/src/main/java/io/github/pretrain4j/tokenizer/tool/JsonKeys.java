package io.github.pretrain4j.tokenizer.tool;

import java.util.List;
import picocli.CommandLine.Option;

/** The option of all commands that read texts from {@code .jsonl} files. */
final class JsonKeys {
  @Option(
      names = "--json-key",
      split = ",",
      defaultValue = "text",
      description = "Keys of the text in .jsonl files (default: ${DEFAULT-VALUE}).")
  List<String> keys = List.of();
}
