package io.github.pretrain4j.dataset;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which tokenizer the ids of a dataset are of. Two identities name the same tokenizer if {@link
 * #sameAs} says so; where its files lie does not matter.
 *
 * @param type what Megatron calls its kind, for example {@code SentencePieceTokenizer}
 * @param name where it was read from, for messages
 * @param sha256 64 hexadecimal digits over everything that decides its ids, or null for a tokenizer
 *     without files
 * @param vocabularySize number of ids, without padding
 * @param eodId the id that ends a document, or null if it has none
 */
public record TokenizerIdentity(
    String type,
    String name,
    @Nullable String sha256,
    int vocabularySize,
    @Nullable Integer eodId) {
  /** Checks. */
  public TokenizerIdentity {
    Objects.requireNonNull(type, "type");
    Objects.requireNonNull(name, "name");
    if (sha256 != null && !sha256.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException("no SHA-256: " + sha256);
    }
    if (vocabularySize < 1) {
      throw new IllegalArgumentException("vocabulary size must be positive: " + vocabularySize);
    }
  }

  /** Whether a text has the same ids with both: same files, same size, same eod. */
  public boolean sameAs(TokenizerIdentity other) {
    return Objects.equals(sha256, other.sha256)
        && (sha256 != null || type.equals(other.type))
        && vocabularySize == other.vocabularySize
        && Objects.equals(eodId, other.eodId);
  }

  /** For messages: kind, place, size, eod and the first digits of the hash. */
  @Override
  public String toString() {
    return type
        + " "
        + name
        + " ("
        + vocabularySize
        + " ids, "
        + (eodId == null ? "no eod" : "eod " + eodId)
        + (sha256 == null ? "" : ", sha256 " + sha256.substring(0, 12) + "…")
        + ")";
  }
}
