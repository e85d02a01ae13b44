package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.sentencepiece.TrainingSample;
import picocli.CommandLine.Option;

/** How much text a command learns from: the options of a {@link TrainingSample}. */
final class SampleOptions {
  @Option(
      names = "--input-sentence-size",
      defaultValue = "0",
      description = "Learn from that many random sentences; 0 for all (default: ${DEFAULT-VALUE}).")
  int inputSentenceSize;

  @Option(
      names = "--random-seed",
      defaultValue = "0",
      description = "Chooses the random sentences (default: ${DEFAULT-VALUE}).")
  long randomSeed;

  @Option(
      names = "--max-word-chars",
      defaultValue = "67108864",
      description =
          "Fail if different words have more characters; each takes 60 to 90 bytes, for unigram 200"
              + " (default: ${DEFAULT-VALUE}).")
  long maxWordChars;

  TrainingSample toTrainingSample() {
    return new TrainingSample(inputSentenceSize, randomSeed, maxWordChars);
  }
}
