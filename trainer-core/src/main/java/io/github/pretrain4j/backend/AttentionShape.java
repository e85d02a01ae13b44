package io.github.pretrain4j.backend;

/**
 * The sizes of one causal attention call.
 *
 * <p>The {@code queryLength} queries are the last of the {@code keyLength} positions: query {@code
 * t} stands at {@code p = keyLength - queryLength + t} and sees the keys {@code p - window < j <=
 * p}. Query head {@code h} uses the key and value head of group {@code h / headsPerGroup}. Scores
 * are scaled by {@code 1 / sqrt(headWidth)}.
 *
 * @param batch B
 * @param queryLength T, queries of a sequence
 * @param keyLength keys of a sequence; equal to {@code queryLength} except when generating from a
 *     cache
 * @param queryGroups G
 * @param headsPerGroup R
 * @param headWidth K
 * @param window keys a query sees, itself included; {@link Integer#MAX_VALUE} for all
 */
public record AttentionShape(
    int batch,
    int queryLength,
    int keyLength,
    int queryGroups,
    int headsPerGroup,
    int headWidth,
    int window) {
  public AttentionShape {
    if (batch < 1 || queryLength < 1 || keyLength < queryLength) {
      throw new IllegalArgumentException(
          "attention of batch " + batch + ", " + queryLength + " queries, " + keyLength + " keys");
    }
    if (queryGroups < 1 || headsPerGroup < 1 || headWidth < 1 || window < 1) {
      throw new IllegalArgumentException(
          "attention of "
              + queryGroups
              + " groups, "
              + headsPerGroup
              + " heads per group, head width "
              + headWidth
              + ", window "
              + window);
    }
  }

  /** H, query heads. */
  public int heads() {
    return queryGroups * headsPerGroup;
  }

  /** W, columns of the fused QKV. */
  public int fusedWidth() {
    return queryGroups * (headsPerGroup + 2) * headWidth;
  }

  /** H * K, columns of the output. */
  public int outputWidth() {
    return heads() * headWidth;
  }

  /** Position of the first query among the keys. */
  public int queryOffset() {
    return keyLength - queryLength;
  }

  /** The first key that the query at {@code position} sees; the last is {@code position} itself. */
  public int firstKey(int position) {
    return Math.max(0, position - window + 1); // position >= 0 and window >= 1: cannot overflow
  }
}
