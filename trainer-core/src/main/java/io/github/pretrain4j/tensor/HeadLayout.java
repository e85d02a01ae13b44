package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.AttentionShape;

/**
 * The columns of Megatron's fused {@code linear_qkv}: for each group in order its query heads, then
 * its key head, then its value head, each {@code headWidth} wide.
 *
 * @param queryGroups G, key and value heads
 * @param headsPerGroup R, query heads that share a key and value head
 * @param headWidth K, even
 */
public record HeadLayout(int queryGroups, int headsPerGroup, int headWidth) {
  public HeadLayout {
    if (queryGroups < 1 || headsPerGroup < 1 || headWidth < 2 || headWidth % 2 != 0) {
      throw new IllegalArgumentException(
          "head layout of "
              + queryGroups
              + " groups, "
              + headsPerGroup
              + " heads per group, head width "
              + headWidth);
    }
  }

  /** From Megatron's configuration. */
  public static HeadLayout of(int numAttentionHeads, int numQueryGroups, int kvChannels) {
    if (numQueryGroups < 1 || numAttentionHeads % numQueryGroups != 0) {
      throw new IllegalArgumentException(
          "numAttentionHeads "
              + numAttentionHeads
              + " is no multiple of numQueryGroups "
              + numQueryGroups);
    }
    return new HeadLayout(numQueryGroups, numAttentionHeads / numQueryGroups, kvChannels);
  }

  /** H, query heads. */
  public int heads() {
    return queryGroups * headsPerGroup;
  }

  /** W, columns of the fused QKV: outputs of {@code linear_qkv}. */
  public int fusedWidth() {
    return queryGroups * (headsPerGroup + 2) * headWidth;
  }

  /** H * K, columns of the attention's output: inputs of {@code linear_proj}. */
  public int outputWidth() {
    return heads() * headWidth;
  }

  AttentionShape shape(int batch, int queryLength, int keyLength, int window) {
    return new AttentionShape(
        batch, queryLength, keyLength, queryGroups, headsPerGroup, headWidth, window);
  }
}
