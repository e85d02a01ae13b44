package io.github.pretrain4j.tokenizer.sentencepiece;

/** Hears how far a training is; called from the training thread, at most a few times a second. */
@FunctionalInterface
public interface TrainingProgress {

  /**
   * Some progress.
   *
   * @param phase what is being done: {@code reading} texts, {@code sampling} (told once: how many
   *     sentences are used, of how many), {@code merging} (pieces made, of how many), {@code
   *     finding seeds} (in how many characters) or {@code pruning} (pieces left, of how many
   *     wanted)
   * @param done how many so far
   * @param total of how many, or 0 if that is not known
   */
  void progress(String phase, long done, long total);
}
