package io.github.pretrain4j.cli;

import io.github.pretrain4j.generate.Generation;
import io.github.pretrain4j.generate.Generator;
import io.github.pretrain4j.generate.ModelLoader;
import io.github.pretrain4j.generate.SamplingConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/**
 * {@code p4j generate}: continues one prompt. The text goes to the output, token by token; counts
 * go to the error stream.
 */
public final class GenerateTool extends CommandLineTool {

  public GenerateTool() {
    super("p4j-generate", "Continue a prompt with a trained model");
  }

  @Override
  void declare(CommandSpec spec) {
    ModelOptions.declare(spec);
    spec.addOption(option("--prompt", String.class, "TEXT", "the text to continue").build());
    spec.addOption(
        option("--prompt-file", Path.class, "FILE", "the text to continue, in a file").build());
    spec.addOption(
        option("--max-tokens", int.class, "N", "the most tokens to generate (default: 128)")
            .build());
    spec.addOption(
        option(
                "--temperature",
                double.class,
                "T",
                "0 takes the most likely token each time (default: 0)")
            .build());
    spec.addOption(
        option("--top-k", int.class, "K", "draw from the K most likely; 0: from all (default: 0)")
            .build());
    spec.addOption(
        option(
                "--top-p",
                double.class,
                "P",
                "draw from the most likely that reach this probability (default: 1)")
            .build());
    spec.addOption(
        option("--seed", long.class, "N", "the same seed gives the same text (default: 1234)")
            .build());
    spec.addOption(
        option("--stop", List.class, "TEXT", "end before this text; may be repeated")
            .auxiliaryTypes(String.class)
            .arity("1")
            .build());
  }

  @Override
  int run(ParseResult options, PrintWriter out, PrintWriter err) throws IOException {
    SamplingConfig sampling =
        new SamplingConfig(
            options.matchedOptionValue("--temperature", 0.0),
            options.matchedOptionValue("--top-k", 0),
            options.matchedOptionValue("--top-p", 1.0),
            options.matchedOptionValue("--seed", 1234L),
            options.matchedOptionValue("--max-tokens", 128),
            options.matchedOptionValue("--stop", List.<String>of()));
    String prompt = prompt(options);
    long startNanos = System.nanoTime();
    try (Generator generator =
        ModelLoader.load(ModelOptions.model(options), ModelOptions.of(options))) {
      long loadedNanos = System.nanoTime();
      Generation generation =
          generator.generate(
              generator.encodePrompt(prompt),
              sampling,
              piece -> {
                out.print(piece);
                out.flush();
                return !out.checkError();
              });
      out.println();
      double seconds = (System.nanoTime() - loadedNanos) / 1e9;
      err.printf(
          Locale.ROOT,
          "generate: loaded in %.1f s; %d tokens after %d in %.2f s (%.1f tokens/s); ended by %s%n",
          (loadedNanos - startNanos) / 1e9,
          generation.tokens().size(),
          generation.promptTokens(),
          seconds,
          generation.tokens().size() / seconds,
          generation.finishReason().name().toLowerCase(Locale.ROOT));
    }
    return ExitCode.OK;
  }

  private static String prompt(ParseResult options) throws IOException {
    boolean given = options.hasMatchedOption("--prompt");
    if (given == options.hasMatchedOption("--prompt-file")) {
      throw new IllegalArgumentException("give one of --prompt and --prompt-file");
    }
    return given
        ? options.matchedOptionValue("--prompt", "")
        : Files.readString(options.matchedOptionValue("--prompt-file", Path.of("")));
  }
}
