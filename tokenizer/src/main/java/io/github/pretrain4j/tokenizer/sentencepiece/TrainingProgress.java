package io.github.pretrain4j.tokenizer.sentencepiece;

/** Hears how far a training is; called from the training thread, at most a few times a second. */
@FunctionalInterface
public interface TrainingProgress {

  /**
   * Some progress.
   *
   * @param phase what is being done: {@code reading} (a total of 0: not known) or {@code merging}
   * @param done sentences read, or pieces made
   * @param total pieces to be made, or 0
   */
  void progress(String phase, long done, long total);
}
