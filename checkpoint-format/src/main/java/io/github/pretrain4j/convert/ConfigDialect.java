package io.github.pretrain4j.convert;

/** The two spellings of {@code config.json}. Both are read by transformers 5. */
public enum ConfigDialect {
  /** {@code torch_dtype}, {@code rope_theta}, {@code rope_scaling}. */
  TRANSFORMERS_4,
  /** {@code dtype}, {@code rope_parameters}. */
  TRANSFORMERS_5
}
