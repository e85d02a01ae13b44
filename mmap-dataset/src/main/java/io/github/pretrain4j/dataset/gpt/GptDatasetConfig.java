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
 *     a dataset of its own ({@link GptDataset#buildPerSplit})
 * @param cacheDirectory where index files are looked for and left; null for no cache
 * @param cacheNaming how index files are called
 * @param eodId the id that ends a document
 * @param padId the id that fills a short sample, or -1 if the tokenizer has none
 * @param resetPositionIds count positions from 0 again after each eod
 * @param resetAttentionMask hide what is before an eod from what is after it
 * @param eodMaskLoss do not train the prediction that follows an eod
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
    CacheNaming cacheNaming,
    int eodId,
    int padId,
    boolean resetPositionIds,
    boolean resetAttentionMask,
    boolean eodMaskLoss,
    boolean addExtraTokenToSequence,
    boolean dropLastPartialValidationSequence,
    TokenizerDescription tokenizer) {

  /** How the index files in a cache directory are called. */
  public enum CacheNaming {
    /** {@code HASH-GPTDataset-SPLIT-document_index.npy}: Megatron Core 0.7 and newer. */
    WITH_SPLIT,
    /** {@code HASH-GPTDataset-document_index.npy}: Megatron Core 0.4 to 0.6. */
    WITHOUT_SPLIT
  }

  /** No padding id. */
  public static final int NO_PAD = -1;

  /** Checks the numbers; the split string is checked when it is used. */
  public GptDatasetConfig {
    if (seed < 0 || seed > 0xffff_ffffL) {
      throw new IllegalArgumentException("seed must be in 0..4294967295: " + seed);
    }
    if (seqLength < 1) {
      throw new IllegalArgumentException("seqLength must be positive: " + seqLength);
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
        CacheNaming.WITH_SPLIT,
        0,
        NO_PAD,
        false,
        false,
        false,
        true,
        true,
        TokenizerDescription.NONE);
  }

  /** This, with index files kept in a directory under names that depend on the tokenizer. */
  public GptDatasetConfig withCache(Path directory, TokenizerDescription description) {
    return withCache(directory, description, CacheNaming.WITH_SPLIT);
  }

  /** This, with index files kept in a directory under names of a certain Megatron generation. */
  public GptDatasetConfig withCache(
      Path directory, TokenizerDescription description, CacheNaming naming) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        directory,
        naming,
        eodId,
        padId,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        addExtraTokenToSequence,
        dropLastPartialValidationSequence,
        description);
  }

  /** This, with what an eod does. */
  public GptDatasetConfig withEod(
      int id, boolean resetPositions, boolean resetAttention, boolean maskLoss) {
    return new GptDatasetConfig(
        seed,
        seqLength,
        split,
        cacheDirectory,
        cacheNaming,
        id,
        padId,
        resetPositions,
        resetAttention,
        maskLoss,
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
        cacheNaming,
        eodId,
        pad,
        resetPositionIds,
        resetAttentionMask,
        eodMaskLoss,
        addExtraToken,
        dropLastPartial,
        tokenizer);
  }
}
