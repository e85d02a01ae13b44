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

  /**
   * YaRN: short wavelengths are kept, long ones divided by {@code factor}, those between blended,
   * and the scores sharpened.
   *
   * @param betaFast turns within the original context above which a wavelength is short
   * @param betaSlow turns below which it is long
   * @param mscale how much cosine and sine are scaled; 0 where it is not given
   * @param mscaleAllDim how much that is undone again, to scale the scores instead; 0 where it is
   *     not given
   * @see <a href="https://arxiv.org/abs/2309.00071">Peng et al., 2023</a>
   */
  record Yarn(
      double factor,
      int originalMaxPositionEmbeddings,
      double betaFast,
      double betaSlow,
      double mscale,
      double mscaleAllDim)
      implements RopeScaling {
    public Yarn {
      requirePositive("factor", factor);
      requirePositive("originalMaxPositionEmbeddings", originalMaxPositionEmbeddings);
      requirePositive("betaFast", betaFast);
      requirePositive("betaSlow", betaSlow);
      if (!(mscale >= 0 && mscaleAllDim >= 0)) {
        throw new IllegalArgumentException("mscale and mscaleAllDim must not be negative");
      }
    }
  }

  /**
   * The base grows with the sequence once that is longer than the model's positions; up to there
   * nothing is scaled. Megatron has no such thing.
   */
  record DynamicNtk(double factor) implements RopeScaling {
    public DynamicNtk {
      requirePositive("factor", factor);
    }
  }

  private static void requirePositive(String name, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(name + " must be a positive number, is " + value);
    }
  }
}
