package io.github.pretrain4j.deploy;

/** How a model is asked: a base model continues a text, a chat model answers messages. */
public enum GenerationMode {
  COMPLETION,
  CHAT
}
