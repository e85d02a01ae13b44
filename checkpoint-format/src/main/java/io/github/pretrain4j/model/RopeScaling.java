package io.github.pretrain4j.model;

/**
 * How rotary position embeddings are stretched beyond the context the model was first trained with.
 */
public sealed interface RopeScaling {

  /**
   * Positions are divided by {@code factor} (Megatron's {@code
   * rotary_seq_len_interpolation_factor}).
   */
  record Linear(double factor) implements RopeScaling {
    public Linear {
      requirePositive("factor", factor);
    }
  }

  /**
   * Llama 3.1: long wavelengths are divided by {@code factor}, short ones kept, those between
   * blended.
   *
   * <p>Megatron's command line has only the factor; it fixes the low factor at 1, the high one at 4
   * and the original context at 8192.
   */
  record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
      implements RopeScaling {
    public Llama3 {
      requirePositive("factor", factor);
      requirePositive("lowFreqFactor", lowFreqFactor);
      requirePositive("highFreqFactor", highFreqFactor);
      requirePositive("originalMaxPositionEmbeddings", originalMaxPositionEmbeddings);
      if (highFreqFactor <= lowFreqFactor) {
        throw new IllegalArgumentException(
            "highFreqFactor " + highFreqFactor + " must exceed lowFreqFactor " + lowFreqFactor);
      }
    }

    /** Whether Megatron's {@code --use-rope-scaling} means exactly this. */
    public boolean isMegatronDefault() {
      return lowFreqFactor == 1 && highFreqFactor == 4 && originalMaxPositionEmbeddings == 8192;
    }
  }

  private static void requirePositive(String name, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(name + " must be a positive number, is " + value);
    }
  }
}
