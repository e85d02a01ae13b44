package io.github.pretrain4j.generate;

import java.util.Arrays;
import java.util.function.IntUnaryOperator;

/**
 * A double: the most likely next token is a function of the context; the other logits are a fixed
 * jumble below it, so that sampling has something to choose from.
 */
public final class ScriptedModel implements NextTokenModel {

  /** The most likely token after a context, of which some tokens were generated. */
  @FunctionalInterface
  public interface Script {
    int next(int[] context, int generated);
  }

  private final int contextLength;
  private final Script next;
  private final Runnable beforeEach;
  private boolean open;
  private volatile boolean closed;

  /**
   * @param next the most likely token after a context
   * @param beforeEach runs before each pass, on the model's thread: a test may wait here
   */
  public ScriptedModel(int contextLength, Script next, Runnable beforeEach) {
    this.contextLength = contextLength;
    this.next = next;
    this.beforeEach = beforeEach;
  }

  /** After any prompt: the bytes of {@code text}, then end of sequence. */
  public static ScriptedModel saying(String text) {
    return saying(text, () -> {});
  }

  public static ScriptedModel saying(String text, Runnable beforeEach) {
    int[] script = new ByteTokenizer().encode(text);
    return new ScriptedModel(
        4096,
        (context, generated) -> generated < script.length ? script[generated] : ByteTokenizer.EOS,
        beforeEach);
  }

  /** After every token the one that {@code successor} gives. */
  public static ScriptedModel bigram(IntUnaryOperator successor) {
    return new ScriptedModel(
        4096, (context, generated) -> successor.applyAsInt(context[context.length - 1]), () -> {});
  }

  public boolean isClosed() {
    return closed;
  }

  @Override
  public int vocabularySize() {
    return 258;
  }

  @Override
  public int contextLength() {
    return contextLength;
  }

  @Override
  public Session open() {
    if (open || closed) {
      throw new IllegalStateException("one session at a time, and none after close");
    }
    open = true;
    return new Session() {
      private int[] context = new int[0];
      private int generated;

      @Override
      public int length() {
        return context.length;
      }

      @Override
      public float[] append(int[] tokens) {
        beforeEach.run();
        int before = context.length;
        context = Arrays.copyOf(context, before + tokens.length);
        System.arraycopy(tokens, 0, context, before, tokens.length);
        float[] logits = new float[vocabularySize()];
        for (int id = 0; id < logits.length; id++) {
          logits[id] = (id * 37 % 101) / 50f;
        }
        logits[next.next(context, generated++)] = 4;
        return logits;
      }

      @Override
      public void close() {
        open = false;
      }
    };
  }

  @Override
  public void close() {
    closed = true;
  }
}
