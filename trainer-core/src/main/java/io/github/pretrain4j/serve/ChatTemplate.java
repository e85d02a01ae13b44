package io.github.pretrain4j.serve;

import java.util.List;

/**
 * How chat messages become a prompt. There are two, and no engine for the Jinja programs that
 * {@code tokenizer_config.json} may carry: see {@link ChatFormat} for what happens to those.
 *
 * <p>{@link #PLAIN}, for base models: one line per message, then the assistant's turn to fill. The
 * answer ends where the model begins another turn.
 *
 * <pre>
 * System: Answer briefly.
 * User: What is a tokenizer?
 * Assistant:
 * </pre>
 *
 * <p>{@link #LLAMA2}, for models trained on it: {@code [INST] <<SYS>>…<</SYS>> question [/INST]
 * answer [INST] question [/INST]}. The begin and end tokens that Llama 2 puts around each finished
 * round are control tokens and cannot be written as text, so a conversation of several rounds is
 * one sequence here.
 */
public enum ChatTemplate {
  PLAIN {
    @Override
    String render(List<ChatMessage> messages) {
      StringBuilder prompt = new StringBuilder();
      for (ChatMessage message : messages) {
        prompt
            .append(label(message.role()))
            .append(": ")
            .append(message.content().strip())
            .append('\n');
      }
      return prompt.append("Assistant:").toString();
    }

    @Override
    List<String> stop() {
      return List.of("\nUser:", "\nSystem:", "\nAssistant:");
    }

    private String label(ChatMessage.Role role) {
      return switch (role) {
        case SYSTEM -> "System";
        case USER -> "User";
        case ASSISTANT -> "Assistant";
      };
    }
  },

  LLAMA2 {
    @Override
    String render(List<ChatMessage> messages) {
      StringBuilder prompt = new StringBuilder();
      String system = "";
      for (ChatMessage message : messages) {
        String content = message.content().strip();
        switch (message.role()) {
          case SYSTEM -> system = "<<SYS>>\n" + content + "\n<</SYS>>\n\n";
          case USER -> {
            prompt
                .append(prompt.isEmpty() ? "" : " ")
                .append("[INST] ")
                .append(system)
                .append(content)
                .append(" [/INST]");
            system = "";
          }
          case ASSISTANT -> prompt.append(' ').append(content);
        }
      }
      return prompt.toString();
    }

    @Override
    List<String> stop() {
      return List.of("[INST]");
    }
  };

  /** The prompt whose continuation is the assistant's next message. */
  abstract String render(List<ChatMessage> messages);

  /** Texts at which the assistant's message is over. */
  abstract List<String> stop();
}
