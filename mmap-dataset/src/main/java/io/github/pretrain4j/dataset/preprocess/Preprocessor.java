package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import io.github.pretrain4j.dataset.storage.FileCommit;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns JSONL into Megatron datasets, with the bytes that Megatron's {@code preprocess_data.py}
 * writes, whatever the number of workers.
 *
 * <p>One line is one document. For each key its value is a text, or an array of texts that become
 * one sequence each. Sequences without tokens are left out; a document without sequences is kept as
 * an empty one. With {@code appendEod} the eod is part of the last sequence of each document that
 * has one. A blank line, a missing key or a value of another type is an error, as it is there.
 *
 * <p>One thread reads, {@code workers} threads parse and encode, and the calling thread writes, in
 * the order of the input. The text under way is limited to a fraction of the heap.
 */
public final class Preprocessor {
  /** What sidecars and journals say of the program that wrote them; changes with the bytes. */
  public static final String TOOL = "pretrain4j 0.1.0";

  private Preprocessor() {}

  /**
   * What to preprocess and how. Made by {@link #of}, then changed by its {@code with} methods.
   *
   * @param inputs JSONL files, read in this order
   * @param outputPrefix path of the outputs up to {@code _KEY_document.bin}
   * @param jsonKeys the fields whose texts are encoded, each into a dataset of its own
   * @param appendEod whether each document that is not empty ends with the eod
   * @param eodId the id of the eod; 0 without {@code appendEod}
   * @param vocabularySize number of ids of the tokenizer, without padding; decides the token type
   * @param workers threads that parse and encode; a multiple of the partitions
   * @param badLines what becomes of a line that cannot become a document
   * @param maxBad how many such lines may be left out before the run ends
   * @param partitions how lines are dealt out
   * @param sentences how texts are cut into sentences, or null to leave them whole
   * @param tokenizer what the sidecars say of the tokenizer, or null for nothing
   * @param encoderSettings tells encoders of one tokenizer that give other ids from each other
   * @param restart whether what an earlier run left to resume is deleted first
   */
  public record Config(
      List<String> inputs,
      Path outputPrefix,
      List<String> jsonKeys,
      boolean appendEod,
      int eodId,
      int vocabularySize,
      int workers,
      BadLinePolicy badLines,
      long maxBad,
      Partitions partitions,
      @Nullable Sentences sentences,
      @Nullable TokenizerIdentity tokenizer,
      String encoderSettings,
      boolean restart) {
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
      if (maxBad < 0) {
        throw new IllegalArgumentException("maxBad must not be negative: " + maxBad);
      }
      TokenType type = TokenType.forVocabularySize(vocabularySize);
      if (appendEod) {
        type.requireFit(new int[] {eodId}, 0, 1);
      }
    }

    /**
     * The key {@code text}, no eod, one worker, and the first bad line ends the run.
     *
     * @param inputs JSONL files, read in this order
     * @param outputPrefix path of the outputs up to {@code _KEY_document.bin}
     * @param vocabularySize number of ids of the tokenizer, without padding
     */
    public static Config of(List<String> inputs, Path outputPrefix, int vocabularySize) {
      return new Draft(inputs, outputPrefix, vocabularySize).finish();
    }

    /** The same of these inputs. */
    public Config withInputs(List<String> names) {
      Draft draft = new Draft(this);
      draft.inputs = names;
      return draft.finish();
    }

    /** The same with its outputs elsewhere. */
    public Config withOutputPrefix(Path prefix) {
      Draft draft = new Draft(this);
      draft.outputPrefix = prefix;
      return draft.finish();
    }

    /** The same with these keys, each of which becomes a dataset. */
    public Config withJsonKeys(List<String> keys) {
      Draft draft = new Draft(this);
      draft.jsonKeys = keys;
      return draft.finish();
    }

    /** The same with this id at the end of each document that is not empty. */
    public Config withEod(int id) {
      Draft draft = new Draft(this);
      draft.appendEod = true;
      draft.eodId = id;
      return draft.finish();
    }

    /** The same with this many threads that parse and encode. */
    public Config withWorkers(int count) {
      Draft draft = new Draft(this);
      draft.workers = count;
      return draft.finish();
    }

    /** The same with another fate for bad lines. */
    public Config withBadLines(BadLinePolicy policy) {
      Draft draft = new Draft(this);
      draft.badLines = policy;
      return draft.finish();
    }

    /**
     * The same, ending with a {@link TooManyBadLinesException} at the next bad line after these.
     */
    public Config withMaxBad(long count) {
      Draft draft = new Draft(this);
      draft.maxBad = count;
      return draft.finish();
    }

    /** The same with lines dealt out to partitions. */
    public Config withPartitions(Partitions division) {
      Draft draft = new Draft(this);
      draft.partitions = division;
      return draft.finish();
    }

    /**
     * The same with each sentence as a sequence of its own.
     *
     * @param name tells this splitter from others, for a later run that is to go on
     * @param splitter makes the sentences
     */
    public Config withSentences(String name, SentenceSplitter splitter) {
      Draft draft = new Draft(this);
      draft.sentences = new Sentences(name, splitter);
      return draft.finish();
    }

    /** The same with this tokenizer named in the sidecars. */
    public Config withTokenizer(TokenizerIdentity identity) {
      Draft draft = new Draft(this);
      draft.tokenizer = identity;
      return draft.finish();
    }

    /**
     * The same with a text that changes with everything that changes the encoder's ids and is not
     * in the {@link TokenizerIdentity}: a bos before each text, special tokens added. A run goes on
     * only with an earlier one of the same text; without this it is empty.
     */
    public Config withEncoderSettings(String settings) {
      Draft draft = new Draft(this);
      draft.encoderSettings = settings;
      return draft.finish();
    }

    /** The same, beginning anew: what an earlier run left to resume is deleted first. */
    public Config withRestart() {
      Draft draft = new Draft(this);
      draft.restart = true;
      return draft.finish();
    }

    /** What one sequence is, in the names of the datasets: {@code document} or {@code sentence}. */
    public String level() {
      return sentences == null ? "document" : "sentence";
    }

    /** The prefix of a key's dataset: {@code PREFIX_KEY_LEVEL}. */
    public Path datasetPrefix(String key) {
      return IndexedDataset.withSuffix(outputPrefix, "_" + key + "_" + level());
    }

    /** The prefix of a key's dataset in one of several partitions: {@code PREFIX_I_KEY_LEVEL}. */
    public Path partitionPrefix(int partition, String key) {
      return IndexedDataset.withSuffix(outputPrefix, "_" + partition + "_" + key + "_" + level());
    }

    /** The file that is there while there is something to go on with: {@code PREFIX.journal}. */
    public Path journalFile() {
      return IndexedDataset.withSuffix(outputPrefix, ".journal");
    }

    /** The values of a config that is being made. */
    private static final class Draft {
      private List<String> inputs;
      private Path outputPrefix;
      private final int vocabularySize;
      private List<String> jsonKeys = List.of("text");
      private boolean appendEod;
      private int eodId;
      private int workers = 1;
      private BadLinePolicy badLines = BadLinePolicy.FAIL;
      private long maxBad = Long.MAX_VALUE;
      private Partitions partitions = Partitions.NONE;
      private @Nullable Sentences sentences;
      private @Nullable TokenizerIdentity tokenizer;
      private String encoderSettings = "";
      private boolean restart;

      Draft(List<String> inputs, Path outputPrefix, int vocabularySize) {
        this.inputs = inputs;
        this.outputPrefix = outputPrefix;
        this.vocabularySize = vocabularySize;
      }

      Draft(Config config) {
        this(config.inputs, config.outputPrefix, config.vocabularySize);
        jsonKeys = config.jsonKeys;
        appendEod = config.appendEod;
        eodId = config.eodId;
        workers = config.workers;
        badLines = config.badLines;
        maxBad = config.maxBad;
        partitions = config.partitions;
        sentences = config.sentences;
        tokenizer = config.tokenizer;
        encoderSettings = config.encoderSettings;
        restart = config.restart;
      }

      Config finish() {
        return new Config(
            inputs,
            outputPrefix,
            jsonKeys,
            appendEod,
            eodId,
            vocabularySize,
            workers,
            badLines,
            maxBad,
            partitions,
            sentences,
            tokenizer,
            encoderSettings,
            restart);
      }
    }
  }

  /** A way to cut texts into sentences, and a name that tells it from others. */
  public record Sentences(String name, SentenceSplitter splitter) {}

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
   * What was done, by this run and those that it went on with.
   *
   * @param documents documents of the datasets: lines that were not left out
   * @param inputBytes bytes read, decompressed
   * @param rejected lines left out
   * @param outputs one dataset for each key, in the order of the keys
   * @param partitions with several partitions, their datasets, by partition and key
   */
  public record Report(
      long documents,
      long inputBytes,
      long rejected,
      List<Output> outputs,
      List<Output> partitions) {
    /** Copies. */
    public Report {
      outputs = List.copyOf(outputs);
      partitions = List.copyOf(partitions);
    }
  }

  /**
   * Encodes all inputs, or goes on where an earlier run of this config was stopped. The outputs
   * appear when everything is written, and until then older files of these names are untouched.
   *
   * <p>After a failure nothing new is there if little was done, and otherwise what a later run
   * needs to go on: the journal, {@link Config#journalFile}, and files named {@code .partial}.
   *
   * @param config what and how
   * @param encoders makes the tokenizer's encoders
   * @param listener is told of progress
   * @throws MalformedLineException for the first line that is not as it should be, unless such
   *     lines are left out
   * @throws TooManyBadLinesException if more lines had to be left out than allowed
   * @throws UnresumableException if an earlier run left something that this one cannot go on with
   * @throws java.nio.file.FileSystemException if another run is writing to this prefix
   * @throws IllegalArgumentException if the encoder gives an id that the token type cannot hold, or
   *     the workers cannot be divided by the partitions
   */
  public static Report run(Config config, TokenEncoder.Factory encoders, ProgressListener listener)
      throws IOException {
    return run(
        config, encoders, listener, FileCommit.StepListener.NONE, PreprocessRun.CHECKPOINT_NANOS);
  }

  /** For tests: with a listener to the steps of the end, and records more or less often. */
  static Report run(
      Config config,
      TokenEncoder.Factory encoders,
      ProgressListener listener,
      FileCommit.StepListener steps,
      long checkpointNanos)
      throws IOException {
    return new PreprocessRun(config, encoders, listener, steps, checkpointNanos).run();
  }
}
