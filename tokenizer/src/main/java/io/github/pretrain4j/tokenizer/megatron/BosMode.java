package io.github.pretrain4j.tokenizer.megatron;

/** Whether the id that begins a sequence is put before texts. */
public enum BosMode {
  /** As Megatron does now. */
  NONE,
  /** Before each text; a document that is a list of sentences has one before each of them. */
  PER_TEXT
}
