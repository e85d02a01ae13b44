package io.github.pretrain4j.tokenizer.sentencepiece;

/** What a new model does to characters before it looks for pieces. */
public enum NormalizationRule {
  /** Nothing. */
  IDENTITY("identity");

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

  byte[] precompiledCharsmap() {
    return new byte[0];
  }
}
