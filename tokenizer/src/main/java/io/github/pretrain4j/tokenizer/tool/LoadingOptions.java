package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.UnigramScores;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** The options of all commands that load a tokenizer. */
final class LoadingOptions {
  @Option(
      names = "--provider",
      description = "Who loads the tokenizer (default: the first that supports it).")
  @Nullable String provider;

  @Option(
      names = "--special-tokens",
      paramLabel = "HOW",
      defaultValue = "as-reference",
      converter = SpecialTokensName.class,
      description =
          "What a special token's text in a text is: as-reference, as-text or match (default:"
              + " ${DEFAULT-VALUE}).")
  SpecialTokens specialTokens = SpecialTokens.AS_REFERENCE;

  @Option(
      names = "--unigram-scores",
      paramLabel = "HOW",
      defaultValue = "single-precision",
      converter = UnigramScoresName.class,
      description =
          "How a unigram model's scores are added up: single-precision as SentencePiece 0.2.2 does,"
              + " mixed-precision as releases before (default: ${DEFAULT-VALUE}).")
  UnigramScores unigramScores = UnigramScores.SINGLE_PRECISION;

  TokenizerOptions toTokenizerOptions() {
    return with(provider);
  }

  /** The same with another provider. */
  TokenizerOptions with(@Nullable String name) {
    TokenizerOptions options =
        TokenizerOptions.defaults()
            .withSpecialTokens(specialTokens)
            .withUnigramScores(unigramScores);
    return name == null ? options : options.withProvider(name);
  }

  /** A constant's name in lower case, with hyphens. */
  static String constant(String name) {
    return name.replace('-', '_').toUpperCase(Locale.ROOT);
  }

  /** Reads {@code as-text} as {@link SpecialTokens#AS_TEXT}. */
  static final class SpecialTokensName implements ITypeConverter<SpecialTokens> {
    @Override
    public SpecialTokens convert(String name) {
      return SpecialTokens.valueOf(constant(name));
    }
  }

  /** Reads {@code mixed-precision} as {@link UnigramScores#MIXED_PRECISION}. */
  static final class UnigramScoresName implements ITypeConverter<UnigramScores> {
    @Override
    public UnigramScores convert(String name) {
      return UnigramScores.valueOf(constant(name));
    }
  }
}
