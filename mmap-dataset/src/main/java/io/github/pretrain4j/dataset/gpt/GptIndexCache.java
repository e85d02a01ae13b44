package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The files that keep a {@link GptIndex}, by Megatron's names and with Megatron's bytes: see
 * package-info.
 *
 * <p>A cache is used when all four files are there. Files of the wrong size, or with entries that
 * cannot be, are an error that names the file: deleting it makes it anew. The sample index is
 * checked entry by entry as samples are read. Several processes may write the same cache at once.
 */
final class GptIndexCache {
  private final Path directory;
  private final String stem;
  private final String description;

  /**
   * The cache of one dataset.
   *
   * @param description all that the arrays depend on, as Megatron writes it
   * @param split {@code train}, {@code valid} or {@code test}
   */
  GptIndexCache(
      Path directory, GptDatasetConfig.CacheNaming naming, String description, String split) {
    this.directory = directory;
    this.description = description;
    this.stem =
        switch (naming) {
          case WITH_SPLIT -> hash(description) + "-GPTDataset-" + split + "-";
          case WITHOUT_SPLIT -> hash(description) + "-GPTDataset-";
        };
  }

  /** MD5 of a description, which starts the names of its files. */
  static String hash(String description) {
    try {
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      return HexFormat.of().formatHex(md5.digest(description.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has MD5", e);
    }
  }

  private Path descriptionFile() {
    return directory.resolve(stem + "description.txt");
  }

  private Path documentIndexFile() {
    return directory.resolve(stem + "document_index.npy");
  }

  Path sampleIndexFile() {
    return directory.resolve(stem + "sample_index.npy");
  }

  private Path shuffleIndexFile() {
    return directory.resolve(stem + "shuffle_index.npy");
  }

  /** The arrays, or null if not all files are there. */
  @Nullable GptIndex read(GptIndex.Plan plan) throws IOException {
    List<Path> files =
        List.of(descriptionFile(), documentIndexFile(), sampleIndexFile(), shuffleIndexFile());
    if (!files.stream().allMatch(Files::exists)) {
      return null;
    }
    checkDescription();
    int[] documents = NpyFile.read(documentIndexFile(), plan.positionCount(), 0, "<i4");
    checkDocuments(plan, documents);
    int[] samples = NpyFile.read(sampleIndexFile(), plan.sampleCount() + 1, 2, "<i4", "<i8");
    checkSamples(plan, samples);
    int[] shuffle = NpyFile.read(shuffleIndexFile(), plan.sampleCount(), 0, "<u4", "<i8");
    checkShuffle(plan, shuffle);
    return new GptIndex(documents, samples, shuffle);
  }

  /** Writes the files. */
  void write(GptIndex index) throws IOException {
    Files.createDirectories(directory);
    Scope opened = new Scope();
    List<PendingFile> files = new ArrayList<>();
    try {
      PendingFile text = opened.add(PendingFile.create(descriptionFile()));
      text.put(description.getBytes(StandardCharsets.UTF_8));
      files.add(text);
      PendingFile documents = opened.add(PendingFile.create(documentIndexFile()));
      NpyFile.write(documents, "<i4", index.documentIndex(), 0);
      files.add(documents);
      PendingFile samples = opened.add(PendingFile.create(sampleIndexFile()));
      NpyFile.write(samples, "<i4", index.sampleIndex(), 2);
      files.add(samples);
      PendingFile shuffle = opened.add(PendingFile.create(shuffleIndexFile()));
      NpyFile.write(shuffle, "<u4", index.shuffleIndex(), 0);
      files.add(shuffle);
      for (PendingFile file : files) {
        file.seal();
      }
      FileCommit.replace(files);
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    opened.close();
  }

  private void checkDescription() throws IOException {
    byte[] expected = description.getBytes(StandardCharsets.UTF_8);
    long size = Files.size(descriptionFile());
    if (size != expected.length) {
      throw damaged(descriptionFile(), 0, "description", expected.length + " bytes", size);
    }
    int mismatch = java.util.Arrays.mismatch(expected, Files.readAllBytes(descriptionFile()));
    if (mismatch >= 0) {
      throw damaged(
          descriptionFile(), mismatch, "description", "the text of hash " + stem, "another text");
    }
  }

  /** Each sequence occurs once per epoch: compared by sums, so that order does not matter. */
  private void checkDocuments(GptIndex.Plan plan, int[] documents) throws CorruptDatasetException {
    long sum = 0;
    long squares = 0;
    int end = plan.firstSequence() + plan.sequenceCount();
    for (int document : documents) {
      if (document < plan.firstSequence() || document >= end) {
        throw damaged(
            documentIndexFile(),
            0,
            "sequences",
            plan.firstSequence() + " to " + (end - 1),
            document);
      }
      sum += document;
      squares += (long) document * document;
    }
    long expectedSum = 0;
    long expectedSquares = 0;
    for (long document = plan.firstSequence(); document < end; document++) {
      expectedSum += document;
      expectedSquares += document * document;
    }
    if (sum != expectedSum * plan.epochs() || squares != expectedSquares * plan.epochs()) {
      throw damaged(
          documentIndexFile(),
          0,
          "sequences",
          "each sequence " + plan.epochs() + " times",
          "some more often than others");
    }
  }

  private void checkSamples(GptIndex.Plan plan, int[] samples) throws CorruptDatasetException {
    int previous = 0;
    for (int row = 0; row < samples.length / 2; row++) {
      int position = samples[2 * row];
      int offset = samples[2 * row + 1];
      if (position < previous
          || position >= plan.positionCount()
          || offset < 0
          || (row == 0 && (position != 0 || offset != 0))) {
        throw damaged(
            sampleIndexFile(),
            0,
            "row " + row,
            "a position in " + previous + ".." + (plan.positionCount() - 1) + " and an offset",
            position + ", " + offset);
      }
      previous = position;
    }
  }

  private void checkShuffle(GptIndex.Plan plan, int[] shuffle) throws CorruptDatasetException {
    BitSet seen = new BitSet(shuffle.length);
    for (int i = 0; i < shuffle.length; i++) {
      int value = shuffle[i];
      boolean apart = i >= plan.firstShuffled();
      int from = apart ? plan.firstShuffled() : 0;
      int end = apart ? plan.sampleCount() : plan.firstShuffled();
      if (value < from || value >= end || seen.get(value)) {
        throw damaged(
            shuffleIndexFile(),
            0,
            "entry " + i,
            "a number in " + from + ".." + (end - 1) + " that did not occur before",
            Integer.toUnsignedString(value));
      }
      seen.set(value);
    }
  }

  private static CorruptDatasetException damaged(
      Path file, long at, String what, String expected, Object found) {
    return new CorruptDatasetException(
        file, at, what, expected + " (delete the file to make it anew)", found);
  }
}
