package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.checkpoint.megatron.CheckpointFormat;
import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import org.jspecify.annotations.Nullable;

/** What a conversion makes, and how it lies on disk. */
public sealed interface ConversionTarget {

  /** {@code megatron} or {@code huggingface}. */
  String form();

  /**
   * A Hugging Face model directory.
   *
   * @param dialect how {@code config.json} is spelt; null for as the reference or source spells it,
   *     and for {@link ConfigDialect#TRANSFORMERS_4} where it has to be made up
   */
  record HuggingFace(WeightFormat format, ShardRule sharding, @Nullable ConfigDialect dialect)
      implements ConversionTarget {

    /** safetensors of at most 5 GB. */
    public static final HuggingFace DEFAULT =
        new HuggingFace(WeightFormat.SAFETENSORS, new ShardRule.MaxSize(5_000_000_000L), null);

    @Override
    public String form() {
      return "huggingface";
    }
  }

  /**
   * A Megatron checkpoint.
   *
   * @param layout over how many ranks to split the files; a distributed checkpoint only records it
   * @param layerSpec whose parameter names; null for the source's, and Transformer Engine's where
   *     it has none
   * @param expertLayout how experts are stored; null for the source's, and one module for each
   *     where it has none
   * @param makeVocabSizeDivisibleBy the vocabulary is padded to a multiple of this and the tensor
   *     parallel size; null for what the source records, and 128 where it records nothing
   * @param release whether weights to start a run from go into {@code release}, without state of a
   *     run; otherwise a checkpoint keeps its iteration, and weights that have none get 1, as
   *     Megatron's own converter gives them
   */
  record Megatron(
      CheckpointFormat format,
      ParallelLayout layout,
      @Nullable LayerSpec layerSpec,
      @Nullable ExpertLayout expertLayout,
      @Nullable Integer makeVocabSizeDivisibleBy,
      boolean release)
      implements ConversionTarget {

    /** Validates the divisor. */
    public Megatron {
      if (makeVocabSizeDivisibleBy != null && makeVocabSizeDivisibleBy < 1) {
        throw new IllegalArgumentException(
            "makeVocabSizeDivisibleBy must be positive: " + makeVocabSizeDivisibleBy);
      }
    }

    /** Rank files of the {@code torch} format over so many ranks, the rest by default. */
    public static Megatron of(int tensorModelParallelSize, int pipelineModelParallelSize) {
      return of(ParallelLayout.of(tensorModelParallelSize, pipelineModelParallelSize));
    }

    /** Rank files of the {@code torch} format, the rest by default. */
    public static Megatron of(ParallelLayout layout) {
      return new Megatron(CheckpointFormat.TORCH, layout, null, null, null, false);
    }

    public Megatron withFormat(CheckpointFormat value) {
      return new Megatron(
          value, layout, layerSpec, expertLayout, makeVocabSizeDivisibleBy, release);
    }

    public Megatron withLayerSpec(LayerSpec value) {
      return new Megatron(format, layout, value, expertLayout, makeVocabSizeDivisibleBy, release);
    }

    public Megatron withExpertLayout(ExpertLayout value) {
      return new Megatron(format, layout, layerSpec, value, makeVocabSizeDivisibleBy, release);
    }

    public Megatron withMakeVocabSizeDivisibleBy(int value) {
      return new Megatron(format, layout, layerSpec, expertLayout, value, release);
    }

    public Megatron withRelease(boolean value) {
      return new Megatron(format, layout, layerSpec, expertLayout, makeVocabSizeDivisibleBy, value);
    }

    @Override
    public String form() {
      return "megatron";
    }
  }
}
