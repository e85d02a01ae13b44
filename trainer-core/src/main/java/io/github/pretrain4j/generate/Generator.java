package io.github.pretrain4j.generate;

import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * Continues a prompt: one pass over the prompt, then one token at a time with the KV cache. Owns
 * its model and closes it. One generation at a time; not thread-safe.
 */
public final class Generator implements AutoCloseable {

  private final NextTokenModel model;
  private final Tokenizer tokenizer;
  private final boolean prependBos;

  /**
   * @param prependBos whether a text prompt starts with the tokenizer's beginning-of-sequence
   *     token, as the model was trained to expect
   */
  public Generator(NextTokenModel model, Tokenizer tokenizer, boolean prependBos) {
    if (prependBos && tokenizer.bosId().isEmpty()) {
      throw new IllegalArgumentException(
          "the tokenizer has no beginning-of-sequence token to prepend");
    }
    this.model = Objects.requireNonNull(model);
    this.tokenizer = Objects.requireNonNull(tokenizer);
    this.prependBos = prependBos;
  }

  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** The model; for this package's tests. */
  NextTokenModel model() {
    return model;
  }

  public int contextLength() {
    return model.contextLength();
  }

  public int vocabularySize() {
    return model.vocabularySize();
  }

  /**
   * The ids of a text prompt, with the beginning-of-sequence token where the model wants it.
   * Thread-safe.
   */
  public int[] encodePrompt(String text) {
    int[] ids = tokenizer.encode(text);
    if (!prependBos) {
      return ids;
    }
    int[] withBos = new int[ids.length + 1];
    withBos[0] = tokenizer.bosId().orElseThrow();
    System.arraycopy(ids, 0, withBos, 1, ids.length);
    return withBos;
  }

  /**
   * Generates after {@code prompt}.
   *
   * @throws IllegalArgumentException if the prompt is empty, has an id outside the vocabulary, or
   *     fills the context
   * @throws DamagedWeightsException if the model computes something else than numbers
   */
  public Generation generate(int[] prompt, SamplingConfig config, TextListener listener)
      throws DamagedWeightsException {
    checkPrompt(prompt);
    int maxTokens = Math.min(config.maxTokens(), model.contextLength() - prompt.length);
    Sampler sampler = new Sampler(config);
    Answer answer = new Answer(prompt, config, listener);
    try (NextTokenModel.Session session = model.open()) {
      float[] logits = maxTokens == 0 ? new float[0] : session.append(prompt);
      for (int index = 0; index < maxTokens; index++) {
        int token = sampler.next(logits, index);
        if (!answer.accept(token)) {
          break;
        }
        if (index + 1 < maxTokens) {
          logits = session.append(new int[] {token});
        }
      }
    }
    return answer.finish();
  }

  /**
   * Throws {@link IllegalArgumentException} if {@link #generate} would not take this prompt.
   * Thread-safe.
   */
  public void checkPrompt(int[] prompt) {
    if (prompt.length == 0) {
      throw new IllegalArgumentException(
          "the prompt has no tokens, and the tokenizer has no token to begin with");
    }
    if (prompt.length >= model.contextLength()) {
      throw new IllegalArgumentException(
          "the prompt has %d tokens and the model's context holds %d"
              .formatted(prompt.length, model.contextLength()));
    }
    for (int id : prompt) {
      if (id < 0 || id >= model.vocabularySize()) {
        throw new IllegalArgumentException(
            "token id %d is outside the vocabulary of %d".formatted(id, model.vocabularySize()));
      }
    }
  }

  @Override
  public void close() {
    model.close();
  }

  /** The answer as it grows: ids, the text given out so far, and the reason it ended. */
  private final class Answer {
    private final int promptTokens;
    private final TextListener listener;
    private final StreamingDecoder decoder;
    private final StopFilter filter;
    private final OptionalInt endOfSequence;
    private final List<Integer> tokens = new ArrayList<>();
    private final StringBuilder text = new StringBuilder();
    private FinishReason reason = FinishReason.LENGTH;

    Answer(int[] prompt, SamplingConfig config, TextListener listener) {
      this.promptTokens = prompt.length;
      this.listener = listener;
      this.decoder = tokenizer.streamingDecoder();
      this.filter = new StopFilter(config.stop());
      this.endOfSequence = tokenizer.eosId();
      // The decoder must know what precedes the answer: a leading space is dropped only at the
      // start of a text.
      for (int id : prompt) {
        decoder.accept(id);
      }
    }

    /** Returns whether to go on. */
    boolean accept(int token) {
      tokens.add(token);
      if (endOfSequence.isPresent() && endOfSequence.getAsInt() == token) {
        reason = FinishReason.STOP;
        return false;
      }
      boolean wanted = give(filter.accept(decoder.accept(token)));
      if (filter.stopped()) {
        reason = FinishReason.STOP;
        return false;
      }
      if (!wanted) {
        reason = FinishReason.CANCELLED;
      }
      return wanted;
    }

    private boolean give(String piece) {
      text.append(piece);
      return listener.onText(piece);
    }

    Generation finish() {
      if (!filter.stopped() && reason != FinishReason.CANCELLED) {
        String rest = filter.accept(decoder.finish());
        rest += filter.finish();
        if (filter.stopped()) {
          reason = FinishReason.STOP;
        }
        if (!rest.isEmpty()) {
          give(rest);
        }
      }
      return new Generation(text.toString(), tokens, promptTokens, reason);
    }
  }
}
