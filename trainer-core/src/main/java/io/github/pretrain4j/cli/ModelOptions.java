package io.github.pretrain4j.cli;

import io.github.pretrain4j.generate.ModelLoader;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** The options of every step that loads a model. */
final class ModelOptions {

  private ModelOptions() {}

  static void declare(CommandSpec spec) {
    spec.addOption(
        option(
                "--model",
                Path.class,
                "DIR",
                "a Hugging Face folder, or a Megatron checkpoint (the folder or its iter_… child)")
            .required(true)
            .build());
    spec.addOption(
        option(
                "--tokenizer-model",
                Path.class,
                "FILE",
                "the tokenizer (default: the one in the Hugging Face folder)")
            .build());
    spec.addOption(
        option(
                "--model-family",
                String.class,
                "NAME",
                "llama, mistral, …: for a Megatron checkpoint that does not record it")
            .build());
    spec.addOption(
        option(
                "--context-length",
                int.class,
                "N",
                "tokens of prompt and answer together (default: the model's, at most "
                    + ModelLoader.DEFAULT_CONTEXT
                    + ")")
            .build());
    spec.addOption(
        option(
                "--prepend-bos",
                boolean.class,
                "BOOL",
                "begin prompts with the begin-of-sequence token (default: as tokenizer_config.json says, else true; false for a Megatron checkpoint)")
            .arity("1")
            .build());
    spec.addOption(
        option("--backend", String.class, "NAME", "compute backend (default: the best there is)")
            .build());
    spec.addOption(
        option("--threads", int.class, "N", "threads that compute (default: one per processor)")
            .build());
  }

  private static OptionSpec.Builder option(String name, Class<?> type, String label, String text) {
    return CommandLineTool.option(name, type, label, text);
  }

  static Path model(ParseResult options) {
    return options.matchedOptionValue("--model", Path.of(""));
  }

  static ModelLoader.Options of(ParseResult options) {
    ModelLoader.Options defaults = ModelLoader.Options.defaults();
    return new ModelLoader.Options(
        options.matchedOptionValue("--tokenizer-model", defaults.tokenizer()),
        options.matchedOptionValue("--model-family", defaults.family()),
        options.matchedOptionValue("--backend", defaults.backend()),
        options.matchedOptionValue("--threads", defaults.threads()),
        options.matchedOptionValue("--context-length", defaults.contextLength()),
        options.matchedOptionValue("--prepend-bos", defaults.prependBos()));
  }
}
