package io.github.pretrain4j.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {

  private static final List<ChatMessage> TALK =
      List.of(
          new ChatMessage(ChatMessage.Role.SYSTEM, "Be brief."),
          new ChatMessage(ChatMessage.Role.USER, " Hello "),
          new ChatMessage(ChatMessage.Role.ASSISTANT, "Hi."),
          new ChatMessage(ChatMessage.Role.USER, "Bye"));

  @Test
  void plainIsOneLinePerMessage() {
    assertEquals(
        "System: Be brief.\nUser: Hello\nAssistant: Hi.\nUser: Bye\nAssistant:",
        ChatTemplate.PLAIN.render(TALK));
  }

  @Test
  void llama2PutsTheSystemMessageIntoTheFirstInstruction() {
    assertEquals(
        "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi. [INST] Bye [/INST]",
        ChatTemplate.LLAMA2.render(TALK));
  }
}
