package io.github.pretrain4j.model;

/** How attention learns of positions. */
public enum PositionEmbedding {
  /** Queries and keys are rotated by their position. */
  ROPE,
  /** A penalty on the scores, linear in the distance, with a slope for each head. */
  ALIBI
}
