package io.github.pretrain4j.tokenizer.sentencepiece;

/** What a new model does to characters before it looks for pieces. */
public enum NormalizationRule {
  /** Nothing. */
  IDENTITY("identity"),
  /** Unicode's compatibility composition, as of Unicode 13. */
  NFKC("nfkc"),
  /** The same, and white space becomes a space and control characters nothing. */
  NMT_NFKC("nmt_nfkc");

  private final String ruleName;

  NormalizationRule(String ruleName) {
    this.ruleName = ruleName;
  }

  /** The name in the model and on the command line. */
  public String ruleName() {
    return ruleName;
  }

  /** The rule of that name. */
  public static NormalizationRule ofName(String name) {
    for (NormalizationRule rule : values()) {
      if (rule.ruleName.equals(name)) {
        return rule;
      }
    }
    throw new IllegalArgumentException(
        "no normalization rule " + name + "; known: identity, nfkc, nmt_nfkc");
  }

  /** The rules as a model holds them; takes seconds to make. */
  byte[] precompiledCharsmap() {
    return switch (this) {
      case IDENTITY -> new byte[0];
      case NFKC -> CharsMapWriter.encode(CompatibilityRules.nfkc());
      case NMT_NFKC -> CharsMapWriter.encode(CompatibilityRules.nmtNfkc());
    };
  }
}
