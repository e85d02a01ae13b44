package io.github.pretrain4j.dataset;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;

/** Turns JSONL into Megatron datasets. */
public final class Preprocessor {
  private Preprocessor() {}

  /**
   * What to preprocess and how.
   *
   * @param inputs JSONL files, read in this order
   * @param outputPrefix path of the outputs up to {@code _KEY_document.bin}
   * @param jsonKeys the fields whose texts are encoded, each into a dataset of its own
   * @param appendEod whether each document that is not empty ends with the eod
   * @param eodId the id of the eod
   * @param vocabularySize number of ids of the tokenizer, without padding; decides the token type
   * @param workers threads that parse and encode
   */
  public record Config(
      List<Path> inputs,
      Path outputPrefix,
      List<String> jsonKeys,
      boolean appendEod,
      int eodId,
      int vocabularySize,
      int workers) {
    /** Checks and copies. */
    public Config {
      inputs = List.copyOf(inputs);
      jsonKeys = List.copyOf(jsonKeys);
      if (inputs.isEmpty()) {
        throw new IllegalArgumentException("no input");
      }
      if (jsonKeys.isEmpty()) {
        throw new IllegalArgumentException("no JSON key");
      }
      if (new HashSet<>(jsonKeys).size() != jsonKeys.size()) {
        throw new IllegalArgumentException("a JSON key is given twice: " + jsonKeys);
      }
      for (String key : jsonKeys) {
        if (key.isEmpty() || key.indexOf('/') >= 0 || key.indexOf('\\') >= 0) {
          throw new IllegalArgumentException("a JSON key that can name no file: \"" + key + "\"");
        }
      }
      if (workers < 1) {
        throw new IllegalArgumentException("workers must be positive: " + workers);
      }
      TokenType type = TokenType.forVocabularySize(vocabularySize);
      if (appendEod) {
        type.requireFit(new int[] {eodId}, 0, 1);
      }
    }

    /** The prefix of a key's dataset: {@code PREFIX_KEY_document}. */
    public Path datasetPrefix(String key) {
      return IndexedDataset.withSuffix(outputPrefix, "_" + key + "_document");
    }
  }

  /** Is told how far the work is, on the thread that called {@link #run}. */
  @FunctionalInterface
  public interface ProgressListener {
    /** Does nothing. */
    ProgressListener NONE = (documents, bytes, totalBytes) -> {};

    /**
     * Called after each piece of input has been written.
     *
     * @param documents lines done
     * @param bytes bytes of input done
     * @param totalBytes bytes of input in all
     */
    void progress(long documents, long bytes, long totalBytes);
  }

  /** A file that was made. */
  public record OutputFile(Path path, long bytes, String sha256) {}

  /**
   * The dataset of one key.
   *
   * @param key the JSON key
   * @param prefix path of its files without {@code .bin} and {@code .idx}
   * @param documents documents, empty ones included
   * @param sequences sequences
   * @param tokens tokens, eods included
   * @param data the {@code .bin} file
   * @param index the {@code .idx} file
   */
  public record Output(
      String key,
      Path prefix,
      long documents,
      long sequences,
      long tokens,
      OutputFile data,
      OutputFile index) {}

  /**
   * What was done.
   *
   * @param documents lines read
   * @param inputBytes bytes read
   * @param outputs one dataset for each key, in the order of the keys
   */
  public record Report(long documents, long inputBytes, List<Output> outputs) {
    /** Copies. */
    public Report {
      outputs = List.copyOf(outputs);
    }
  }

  /** Encodes everything. */
  public static Report run(Config config, TokenEncoder encoder, ProgressListener listener)
      throws IOException {
    if (config.workers() > 0) {
      throw new IOException("preprocessing is not there yet");
    }
    return new Report(0, 0, List.of());
  }
}
