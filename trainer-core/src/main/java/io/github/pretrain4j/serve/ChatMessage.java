package io.github.pretrain4j.serve;

/** One message of a conversation. */
record ChatMessage(Role role, String content) {
  enum Role {
    SYSTEM,
    USER,
    ASSISTANT
  }
}
