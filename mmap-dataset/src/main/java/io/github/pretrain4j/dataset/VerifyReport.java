package io.github.pretrain4j.dataset;

import java.util.List;

/**
 * What {@link DatasetVerifier} found.
 *
 * @param depth how much was looked at
 * @param findings the first disagreements, in the order of the files
 * @param findingCount all of them, also those not listed
 * @param sequenceCount sequences as the header says, or -1 if it cannot be read
 * @param documentCount documents as the header says, or -1
 * @param tokenCount tokens that the sequences have (at depth {@code ENDS}, that the data holds), or
 *     -1
 */
public record VerifyReport(
    DatasetVerifier.Depth depth,
    List<DatasetVerifier.Finding> findings,
    long findingCount,
    long sequenceCount,
    long documentCount,
    long tokenCount) {
  /** Copies the list. */
  public VerifyReport {
    findings = List.copyOf(findings);
  }

  /** Whether nothing is wrong. */
  public boolean isClean() {
    return findingCount == 0;
  }

  /**
   * Turns the first finding into an exception.
   *
   * @throws CorruptDatasetException if there is one
   */
  public void requireNone() throws CorruptDatasetException {
    if (!findings.isEmpty()) {
      throw CorruptDatasetException.of(findings.get(0));
    }
  }
}
