package io.github.pretrain4j.dataset.gpt;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How samples are cut from a dataset; Megatron's {@code GPTDatasetConfig}. Start with {@link #of},
 * which has Megatron's defaults, and refine with the {@code with} methods.
 *
 * @param seed seed of all shuffles, 0 to 2^32 - 1
 * @param seqLength tokens of one sample, S
 * @param split shares of train, valid and test, such as {@code "969,30,1"}; null if each split has
 *     a dataset of its own ({@link SampleSplits#buildPerSplit})
 * @param cacheDirectory where index files are looked for and left; null for none
 * @param cacheBesideDataset without a cache directory, keep the index of a dataset where Megatron
 *     does by default: in {@code PREFIX/cache/GPTDataset_indices}; a blend's index is not kept then
 * @param rules which releases' sizes and names are followed
 * @param midLevelSurplus reserve of the datasets in a weighted blend, as a part of their samples
 * @param eodId the id that ends a document
 * @param padId the id that fills a short sample, or -1 if the tokenizer has none
 * @param resetPositionIds count positions from 0 again after each eod
 * @param resetAttentionMask hide what is before an eod from what is after it
 * @param eodMaskLoss do not train the prediction that follows an eod
 * @param interDocumentMasking hide the sequences in a sample from each other, and count positions
 *     from 0 in each: by where sequences were joined, not by eods
 * @param addExtraTokenToSequence let a sample's last label be the next sample's first token
 * @param dropLastPartialValidationSequence drop what is left over at the end of the valid split
 *     instead of padding it
 * @param tokenizer the tokenizer's part of the description, which names the cache files
 */
public record GptDatasetConfig(
    long seed,
    int seqLength,
    @Nullable String split,
    @Nullable Path cacheDirectory,
    boolean cacheBesideDataset,
    MegatronRules rules,
    double midLevelSurplus,
    int eodId,
    int padId,
    boolean resetPositionIds,
    boolean resetAttentionMask,
    boolean eodMaskLoss,
    boolean interDocumentMasking,
    boolean addExtraTokenToSequence,
    boolean dropLastPartialValidationSequence,
    TokenizerDescription tokenizer) {

  /** No padding id. */
  public static final int NO_PAD = -1;

  /** What Megatron keeps in reserve by default. */
  public static final double DEFAULT_SURPLUS = 0.005;

  /** Checks the numbers; the split string is checked when it is used. */
  public GptDatasetConfig {
    if (seed < 0 || seed > 0xffff_ffffL) {
      throw new IllegalArgumentException("seed must be in 0..4294967295: " + seed);
    }
    if (seqLength < 1 || seqLength == Integer.MAX_VALUE) {
      throw new IllegalArgumentException("seqLength must be in 1..2147483646: " + seqLength);
    }
    if (!(midLevelSurplus >= 0) || midLevelSurplus > 1000) {
      throw new IllegalArgumentException("midLevelSurplus must be in 0..1000: " + midLevelSurplus);
    }
    if (split != null) {
      SplitMatrix.parse(split);
    }
  }

  /** Megatron's defaults: no cache, no masks, no padding id, an extra token. */
  public static GptDatasetConfig of(long seed, int seqLength, @Nullable String split) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        null,
        false,
        MegatronRules.CURRENT,
        DEFAULT_SURPLUS,
        0,
        NO_PAD,
        false,
        false,
        false,
        false,
        true,
        true,
        TokenizerDescription.NONE);
  }

  /** This, with index files kept in a directory under names that depend on the tokenizer. */
  public GptDatasetConfig withCache(Path directory, TokenizerDescription description) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        directory,
        false,
        rules,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        description);
  }

  /** This, with index files kept beside each dataset, where Megatron does by default. */
  public GptDatasetConfig withCacheBesideDataset(TokenizerDescription description) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        null,
        true,
        rules,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        description);
  }

  /** This, without files for indices. */
  public GptDatasetConfig withoutCache() {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        null,
        false,
        rules,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with another release's sizes of blends and names of files. */
  public GptDatasetConfig withRules(MegatronRules other) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        other,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with another reserve; Megatron's {@code mid_level_dataset_surplus}. */
  public GptDatasetConfig withMidLevelSurplus(double part) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        rules,
        part,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with another seed. */
  public GptDatasetConfig withSeed(long other) {
    return new GptDatasetConfig(
        other,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        rules,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with what an eod does. */
  public GptDatasetConfig withEod(
      int id, boolean resetPositions, boolean resetAttention, boolean maskLoss) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        rules,
        midLevelSurplus,
        id,
        padId,
        resetPositions,
        resetAttention,
        maskLoss,
        interDocumentMasking,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with the sequences of a sample hidden from each other. */
  public GptDatasetConfig withInterDocumentMasking(boolean mask) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        rules,
        midLevelSurplus,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        mask,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        tokenizer);
  }

  /** This, with what is done at the ends of samples and of the valid split. */
  public GptDatasetConfig withEnds(int pad, boolean addExtraToken, boolean dropLastPartial) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheBesideDataset,
        rules,
        midLevelSurplus,
        eodId,
        pad,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        interDocumentMasking,
        addExtraToken,
        dropLastPartial,
        tokenizer);
  }
}
