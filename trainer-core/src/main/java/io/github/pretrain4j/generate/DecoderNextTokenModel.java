package io.github.pretrain4j.generate;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.tensor.KvCache;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.Tensor;
import io.github.pretrain4j.tensor.TokenBatch;
import java.util.Arrays;

/**
 * A trained model on a compute device. The KV cache is allocated once, for the longest context, and
 * serves one session after another. Owns model, cache, tape and device.
 */
final class DecoderNextTokenModel implements NextTokenModel {

  private final ComputeDevice device;
  private final LanguageModel model;
  private final Tape tape;
  private final KvCache cache;
  private final int vocabularySize;
  private boolean sessionOpen;
  private boolean closed;

  /**
   * Takes over {@code device} and {@code model} once it returns; if it throws, they are still the
   * caller's.
   */
  DecoderNextTokenModel(
      ComputeDevice device, LanguageModel model, int vocabularySize, int contextLength) {
    this.device = device;
    this.model = model;
    this.vocabularySize = vocabularySize;
    this.cache = model.newCache(1, contextLength);
    this.tape = Tape.inference(device);
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public int contextLength() {
    return cache.capacity();
  }

  @Override
  public Session open() {
    if (sessionOpen || closed) {
      throw new IllegalStateException(closed ? "the model is closed" : "another session is open");
    }
    sessionOpen = true;
    cache.truncate(0);
    return new CachedSession();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      tape.close();
      cache.close();
      model.close();
      device.close();
    }
  }

  private final class CachedSession implements Session {
    private boolean ended;

    @Override
    public int length() {
      return cache.length();
    }

    @Override
    public float[] append(int[] tokens) {
      if (ended) {
        throw new IllegalStateException("the session is closed");
      }
      if (tokens.length == 0 || tokens.length > cache.capacity() - cache.length()) {
        throw new IllegalArgumentException(
            "%d tokens after %d, in a context of %d"
                .formatted(tokens.length, cache.length(), cache.capacity()));
      }
      TokenBatch batch = TokenBatch.continuing(1, tokens.length, tokens.clone(), cache.length());
      try {
        Tensor last = tape.lastTokens(model.forward(tape, batch, cache));
        float[] logits = tape.logits(last, model.outputWeight()).toArray();
        return logits.length == vocabularySize ? logits : Arrays.copyOf(logits, vocabularySize);
      } finally {
        tape.reset();
      }
    }

    @Override
    public void close() {
      if (!ended) {
        ended = true;
        sessionOpen = false;
      }
    }
  }
}
