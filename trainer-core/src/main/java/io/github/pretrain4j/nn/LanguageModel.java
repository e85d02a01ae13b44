package io.github.pretrain4j.nn;

import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.tensor.KvCache;
import io.github.pretrain4j.tensor.Loss;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.ParameterStore;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.Tensor;
import io.github.pretrain4j.tensor.TokenBatch;
import org.jspecify.annotations.Nullable;

/**
 * A model that turns tokens into hidden states, and its weights. Not thread-safe.
 *
 * <p>Owns its {@link ParameterStore} and whatever tables it made; closing it frees them.
 */
public interface LanguageModel extends AutoCloseable {

  /** What it was built from. */
  TransformerConfig config();

  /** Its weights, in the order and under the names of Megatron's state dict. */
  ParameterStore parameters();

  /** Positions it can tell apart: no sequence may be longer. */
  int maxPositions();

  /**
   * The hidden states after the final normalisation, [B, T, D].
   *
   * @param cache keys and values of the tokens before these, to which these are added; null when
   *     the sequences are whole
   */
  Tensor forward(Tape tape, TokenBatch batch, @Nullable KvCache cache);

  /** The output layer's weight [V, D]; the embedding's if they are tied. */
  Parameter outputWeight();

  /**
   * An empty cache for generating up to {@code capacity} tokens of each of {@code batch} sequences.
   */
  KvCache newCache(int batch, int capacity);

  /** Rows of embedding and output layer, padding included. */
  default int paddedVocabSize() {
    return outputWeight().dimension(0);
  }

  /**
   * Cross-entropy of the next tokens; over the padded vocabulary, as Megatron does.
   *
   * @param labelsBT the token to predict at each position
   * @param lossMaskBT weight of each position
   * @param lossScale factor of the objective in the backward pass
   */
  default Loss loss(
      Tape tape, TokenBatch batch, int[] labelsBT, float[] lossMaskBT, float lossScale) {
    Tensor hidden = forward(tape, batch, null);
    return tape.linearCrossEntropy(
        hidden, outputWeight(), labelsBT, lossMaskBT, lossScale, paddedVocabSize());
  }

  @Override
  void close();
}
