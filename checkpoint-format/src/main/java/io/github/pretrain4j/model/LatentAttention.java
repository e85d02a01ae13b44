package io.github.pretrain4j.model;

/**
 * Multi-head latent attention: keys and values (and queries, where {@code qLoraRank} is not 0) are
 * made from a narrow normalised vector, and only a part of each query and key head is rotated.
 *
 * @param qLoraRank width of the vector that queries are made from; 0 means straight from the hidden
 *     state
 * @param kvLoraRank width of the vector that keys and values are made from
 * @param qkHeadDim width of the part of a query or key head that is not rotated
 * @param qkPosEmbHeadDim width of the part that is; keys of all heads share it
 * @param vHeadDim width of a value head
 * @see <a href="https://arxiv.org/abs/2405.04434">DeepSeek-V2, 2024</a>
 */
public record LatentAttention(
    int qLoraRank, int kvLoraRank, int qkHeadDim, int qkPosEmbHeadDim, int vHeadDim) {
  private static final int MAX_SIZE = 1 << 20;

  public LatentAttention {
    require("qLoraRank", qLoraRank, 0);
    require("kvLoraRank", kvLoraRank, 1);
    require("qkHeadDim", qkHeadDim, 1);
    require("qkPosEmbHeadDim", qkPosEmbHeadDim, 2);
    require("vHeadDim", vHeadDim, 1);
    if (qkPosEmbHeadDim % 2 != 0) {
      throw new IllegalArgumentException(
          "qkPosEmbHeadDim " + qkPosEmbHeadDim + " is odd: rotary positions turn pairs");
    }
  }

  private static void require(String name, int value, int min) {
    if (value < min || value > MAX_SIZE) {
      throw new IllegalArgumentException(
          name + " " + value + " is not in " + min + ".." + MAX_SIZE);
    }
  }

  /** Width of a whole query or key head. */
  public int qkChannels() {
    return qkHeadDim + qkPosEmbHeadDim;
  }
}
