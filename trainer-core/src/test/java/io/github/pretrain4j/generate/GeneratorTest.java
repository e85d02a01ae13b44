package io.github.pretrain4j.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class GeneratorTest {

  private final ByteTokenizer tokenizer = new ByteTokenizer();

  private Generator generator(NextTokenModel model) {
    return new Generator(model, tokenizer, false);
  }

  @Test
  void endsAtTheEndOfSequenceToken() throws IOException {
    Generation said = generate(ScriptedModel.saying("Hello"), SamplingConfig.greedy(100));
    assertEquals("Hello", said.text());
    assertEquals(FinishReason.STOP, said.finishReason());
    assertEquals(6, said.tokens().size());
    assertEquals(1, said.promptTokens());
  }

  @Test
  void endsAfterTheMostTokens() throws IOException {
    Generation said = generate(ScriptedModel.saying("Hello"), SamplingConfig.greedy(3));
    assertEquals("Hel", said.text());
    assertEquals(FinishReason.LENGTH, said.finishReason());
    assertEquals("", generate(ScriptedModel.saying("Hello"), SamplingConfig.greedy(0)).text());
  }

  @Test
  void endsBeforeAStopTextThatSpansTokens() throws IOException {
    SamplingConfig config = SamplingConfig.greedy(100).withStop(List.of("lo w"));
    Generation said = generate(ScriptedModel.saying("Hello world"), config);
    assertEquals("Hel", said.text());
    assertEquals(FinishReason.STOP, said.finishReason());
  }

  @Test
  void endsWhenTheContextIsFull() throws IOException {
    ScriptedModel model = new ScriptedModel(5, (context, generated) -> 'a', () -> {});
    try (Generator generator = generator(model)) {
      Generation said =
          generator.generate(new int[] {'x', 'y'}, SamplingConfig.greedy(100), text -> true);
      assertEquals("aaa", said.text());
      assertEquals(FinishReason.LENGTH, said.finishReason());
    }
    assertTrue(model.isClosed());
  }

  @Test
  void streamsWholeCharactersThatAddUpToTheText() throws IOException {
    String text = "héllo 漢字 🙂!";
    List<String> pieces = new ArrayList<>();
    try (Generator generator = generator(ScriptedModel.saying(text))) {
      Generation said =
          generator.generate(
              new int[] {'>'}, SamplingConfig.greedy(100), piece -> pieces.add(piece));
      assertEquals(text, said.text());
    }
    assertEquals(text, String.join("", pieces));
    assertTrue(pieces.contains("漢"));
    assertTrue(pieces.contains("🙂"));
  }

  @Test
  void aCharacterCutOffByTheLimitIsReplaced() throws IOException {
    Generation said = generate(ScriptedModel.saying("漢"), SamplingConfig.greedy(2));
    assertEquals("\uFFFD", said.text());
  }

  @Test
  void theListenerEndsIt() throws IOException {
    try (Generator generator = generator(ScriptedModel.saying("Hello"))) {
      Generation said =
          generator.generate(
              new int[] {'>'}, SamplingConfig.greedy(100), piece -> !piece.equals("l"));
      assertEquals("Hel", said.text());
      assertEquals(FinishReason.CANCELLED, said.finishReason());
    }
  }

  @Test
  void theSeedDecidesTheText() throws IOException {
    SamplingConfig seven = new SamplingConfig(1, 50, 0.95, 7, 40, List.of());
    SamplingConfig eight = new SamplingConfig(1, 50, 0.95, 8, 40, List.of());
    Generation first = generate(ScriptedModel.bigram(last -> 'a' + last % 26), seven);
    assertEquals(first, generate(ScriptedModel.bigram(last -> 'a' + last % 26), seven));
    assertNotEquals(first, generate(ScriptedModel.bigram(last -> 'a' + last % 26), eight));
  }

  @Test
  void prependsTheBeginningWhereTheModelWantsIt() {
    try (Generator with = new Generator(ScriptedModel.saying(""), tokenizer, true)) {
      assertArrayEquals(new int[] {ByteTokenizer.BOS, 'a'}, with.encodePrompt("a"));
      assertArrayEquals(new int[] {ByteTokenizer.BOS}, with.encodePrompt(""));
    }
  }

  @Test
  void refusesPromptsTheModelCannotTake() {
    try (Generator generator =
        generator(new ScriptedModel(4, (context, generated) -> 'a', () -> {}))) {
      for (int[] prompt :
          List.of(new int[0], new int[] {1, 2, 3, 4}, new int[] {258}, new int[] {-1})) {
        assertThrows(
            IllegalArgumentException.class,
            () -> generator.generate(prompt, SamplingConfig.greedy(1), text -> true));
      }
    }
  }

  private Generation generate(NextTokenModel model, SamplingConfig config) throws IOException {
    try (Generator generator = generator(model)) {
      return generator.generate(new int[] {'>'}, config, text -> true);
    }
  }
}
