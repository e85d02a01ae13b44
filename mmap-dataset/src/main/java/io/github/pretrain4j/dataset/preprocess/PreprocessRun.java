package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One run of preprocessing, from the journal of an earlier one, if there is one, to the commit.
 *
 * <pre>
 * journal says     on disk                          a run that finds it
 * nothing          no partial files                 begins
 * Start            partial files, of no use         begins
 * Progress         partial files begin as it says   cuts them there and goes on
 * Sealed           all files complete, some         renames the others
 *                  perhaps renamed already
 * Abandoned        some partial files               deletes them and begins
 * </pre>
 *
 * <p>Every record is written after what it speaks of is on disk, and the journal is deleted last;
 * so a process may be killed between, or in the middle of, any two steps.
 */
final class PreprocessRun {
  static final long CHECKPOINT_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Preprocessor.Config config;
  private final TokenEncoder.Factory encoders;
  private final Preprocessor.ProgressListener listener;
  private final FileCommit.StepListener steps;
  private final long checkpointNanos;

  // How far the run is.
  private InputPosition position = InputPosition.START;
  private String prefixSha256 = "";
  private long lines;
  private long inputBytes;
  private long rejectedCount;
  private long[] documents; // of the current input, for each partition
  private final List<JournalRecord.Finished> finished = new ArrayList<>();
  private int finishedInJournal;

  PreprocessRun(
      Preprocessor.Config config,
      TokenEncoder.Factory encoders,
      Preprocessor.ProgressListener listener,
      FileCommit.StepListener steps,
      long checkpointNanos) {
    this.config = config;
    this.encoders = encoders;
    this.listener = listener;
    this.steps = steps;
    this.checkpointNanos = checkpointNanos;
    this.documents = new long[config.partitions().count()];
  }

  Preprocessor.Report run() throws IOException {
    int partitions = config.partitions().count();
    if (config.workers() % partitions != 0) {
      throw new IllegalArgumentException(
          config.workers() + " workers cannot be divided by " + partitions + " partitions");
    }
    InputList inputs = InputList.resolve(config.inputs());
    Path directory = directory();
    if (!Files.isDirectory(directory)) {
      throw new FileSystemException(
          config.outputPrefix().toString(), null, "its directory does not exist");
    }
    try (Journal journal = Journal.open(config.journalFile())) {
      try {
        return run(inputs, journal);
      } catch (IOException | RuntimeException | Error e) {
        if (!journal.hasProgress() && !(e instanceof UnresumableException)) {
          try {
            abandon(journal);
            journal.delete();
          } catch (IOException again) {
            e.addSuppressed(again);
          }
        }
        throw e;
      }
    }
  }

  private Path directory() {
    return Objects.requireNonNull(config.outputPrefix().toAbsolutePath().getParent());
  }

  private Path beside(String name) {
    return config.outputPrefix().resolveSibling(name);
  }

  private Preprocessor.Report run(InputList inputs, Journal journal) throws IOException {
    boolean repeatable = isRepeatable(inputs);
    JournalRecord last = journal.last();
    if (config.restart()
        || last instanceof JournalRecord.Abandoned
        || (last != null && !repeatable)) {
      abandon(journal);
    } else if (journal.start() == null) {
      requireNoPartialFiles(journal);
    } else if (!journal.hasProgress()) {
      abandon(journal); // whatever it was, it had not got anywhere
    } else {
      requireSameSettings(journal);
      if (last instanceof JournalRecord.Sealed sealed) {
        return commitAgain(journal, sealed);
      }
      requireSameInputs(inputs, journal);
      return encode(inputs, journal, (JournalRecord.Progress) Objects.requireNonNull(last), true);
    }
    journal.append(start(inputs));
    return encode(inputs, journal, null, repeatable);
  }

  // ---- what an earlier run left

  /** Whether what was read can be read again. */
  private static boolean isRepeatable(InputList inputs) {
    for (int i = 0; i < inputs.size(); i++) {
      if (!Files.isRegularFile(inputs.file(i))) {
        return false;
      }
    }
    return true;
  }

  private JournalRecord.Start start(InputList inputs) throws IOException {
    List<JournalRecord.Input> states = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      states.add(state(inputs.file(i)));
    }
    return new JournalRecord.Start(settings(), states, fileNames(), partitionLines(inputs));
  }

  private static JournalRecord.Input state(Path file) throws IOException {
    return Files.isRegularFile(file)
        ? new JournalRecord.Input(
            file.toString(), Files.size(file), Files.getLastModifiedTime(file).toMillis())
        : new JournalRecord.Input(file.toString(), 0, 0);
  }

  /** Everything but the inputs that decides the bytes of the outputs. */
  private List<JournalRecord.Setting> settings() {
    TokenizerIdentity tokenizer = config.tokenizer();
    Preprocessor.Sentences sentences = config.sentences();
    return List.of(
        new JournalRecord.Setting("program", Preprocessor.TOOL),
        new JournalRecord.Setting("JSON keys", config.jsonKeys().toString()),
        new JournalRecord.Setting(
            "end-of-document id", config.appendEod() ? "" + config.eodId() : "none"),
        new JournalRecord.Setting("vocabulary size", "" + config.vocabularySize()),
        new JournalRecord.Setting(
            "tokenizer",
            tokenizer == null
                ? "unknown"
                : tokenizer.type() + " " + Objects.requireNonNullElse(tokenizer.sha256(), "")),
        new JournalRecord.Setting(
            "partitions",
            config.partitions().count() + (config.partitions().sequential() ? " sequential" : "")),
        new JournalRecord.Setting("sentences", sentences == null ? "none" : sentences.name()),
        new JournalRecord.Setting("settings of the encoder", config.encoderSettings()));
  }

  /** Every file that a run of this config makes, committed or not. */
  private List<String> fileNames() {
    List<Path> targets = new ArrayList<>();
    for (Path prefix : OutputDatasets.prefixes(config)) {
      targets.add(IndexedDataset.dataFile(prefix));
      targets.add(IndexedDataset.indexFile(prefix));
      targets.add(DatasetMetadata.file(prefix));
      targets.addAll(OutputDatasets.spools(prefix));
    }
    targets.add(RejectedLines.reportFile(config));
    targets.add(RejectedLines.quarantineFile(config));
    return targets.stream().map(ResumableFiles::name).toList();
  }

  private long partitionLines(InputList inputs) throws IOException {
    int count = config.partitions().count();
    if (count == 1 || !config.partitions().sequential()) {
      return 0;
    }
    if (!isRepeatable(inputs)) {
      throw new IllegalArgumentException(
          "sequential partitions read their inputs twice, which standard input does not allow");
    }
    long total = countLines(inputs);
    return (total + count - 1) / count;
  }

  private static long countLines(InputList inputs) throws IOException {
    LineBlock block = new LineBlock();
    long count = 0;
    int maxLineBytes = (int) Math.min(1 << 30, Runtime.getRuntime().maxMemory() / 4);
    try (LineBlockReader reader =
        new LineBlockReader(inputs, 1 << 18, maxLineBytes, InputPosition.START, null)) {
      while (reader.next(block)) {
        for (int at = 0; at < block.length; at = block.nextLine(block.lineEnd(at))) {
          count++;
        }
      }
    } catch (EncodedBlock.BlockFailure e) {
      throw new MalformedLineException(
          block.file, 1, block.byteOffset, e.badLine.expected, e.badLine.found, e);
    }
    return count;
  }

  private void requireNoPartialFiles(Journal journal) throws UnresumableException {
    for (String name : fileNames()) {
      Path path = PendingFile.resumablePath(beside(name));
      if (Files.exists(path)) {
        throw new UnresumableException(
            journal.path(), "the first record", "one, for there is " + path, "none that is whole");
      }
    }
  }

  private void requireSameSettings(Journal journal) throws UnresumableException {
    List<JournalRecord.Setting> then = Objects.requireNonNull(journal.start()).settings();
    List<JournalRecord.Setting> now = settings();
    for (int i = 0; i < Math.max(then.size(), now.size()); i++) {
      String before = i < then.size() ? then.get(i).value() : "nothing";
      String after = i < now.size() ? now.get(i).value() : "nothing";
      if (!before.equals(after)) {
        String name = i < now.size() ? now.get(i).name() : then.get(i).name();
        throw new UnresumableException(journal.path(), name, before, after);
      }
    }
    List<String> files = Objects.requireNonNull(journal.start()).files();
    if (!files.equals(fileNames())) {
      throw new UnresumableException(journal.path(), "the names of the files", files, fileNames());
    }
    if (journal.last() instanceof JournalRecord.Progress progress
        && progress.rejected() > 0
        && progress.policy() != config.badLines()) {
      throw new UnresumableException(
          journal.path(),
          "what becomes of bad lines, of which there were " + progress.rejected(),
          progress.policy(),
          config.badLines());
    }
  }

  /** The inputs that were read, or begun, are those of now; of the rest only partitions know. */
  private void requireSameInputs(InputList inputs, Journal journal) throws IOException {
    List<JournalRecord.Input> then = Objects.requireNonNull(journal.start()).inputs();
    List<JournalRecord.Finished> read = journal.finished();
    boolean counted = Objects.requireNonNull(journal.start()).partitionLines() > 0;
    int begun = counted ? then.size() : Math.min(then.size(), read.size() + 1);
    for (int i = 0; i < begun; i++) {
      JournalRecord.Input before = then.get(i);
      String name = i < inputs.size() ? inputs.file(i).toString() : "none";
      if (!before.name().equals(name)) {
        throw new UnresumableException(journal.path(), "input " + (i + 1), before.name(), name);
      }
      JournalRecord.Input after = state(inputs.file(i));
      if (before.equals(after)) {
        continue;
      }
      if (i < read.size()) {
        String found = InputDigest.of(inputs.file(i)).sha256();
        if (!found.equals(read.get(i).sha256())) {
          throw new UnresumableException(
              inputs.file(i), "SHA-256 of this input", read.get(i).sha256(), found);
        }
      } else if (counted) {
        throw new UnresumableException(
            inputs.file(i),
            "size and time of this input, whose lines were counted",
            before.bytes() + " bytes at " + before.modifiedMillis(),
            after.bytes() + " bytes at " + after.modifiedMillis());
      }
    }
    if (counted && inputs.size() != then.size()) {
      throw new UnresumableException(
          journal.path(), "inputs, whose lines were counted", then.size(), inputs.size());
    }
  }

  /** Deletes what an earlier run, and this config's earlier runs of no journal, left. */
  private void abandon(Journal journal) throws IOException {
    JournalRecord.Start before = journal.start();
    List<String> names = new ArrayList<>(fileNames());
    if (before != null) {
      names.addAll(before.files());
      journal.append(new JournalRecord.Abandoned());
    }
    for (String name : names) {
      Files.deleteIfExists(PendingFile.resumablePath(beside(name)));
    }
    journal.clear();
  }

  // ---- encoding

  private Preprocessor.Report encode(
      InputList inputs, Journal journal, JournalRecord.@Nullable Progress from, boolean repeatable)
      throws IOException {
    boolean resumed = from != null;
    if (from != null) {
      restore(from, journal.finished());
    }
    ResumableFiles files = new ResumableFiles(from == null ? List.of() : from.streams());
    Scope opened = new Scope();
    try {
      long partitionLines = Objects.requireNonNull(journal.start()).partitionLines();
      OutputDatasets datasets = new OutputDatasets(config, partitionLines, files, opened);
      RejectedLines rejected = new RejectedLines(config, files);
      rejected.files().forEach(opened::add);
      OutputDatasets.SealedFiles sealed;
      try (Checkpoints checkpoints =
          new Checkpoints(journal, files, repeatable ? checkpointNanos : Long.MAX_VALUE)) {
        if (rejectedCount > config.maxBad()) {
          throw tooManyBadLines();
        }
        encode(inputs, datasets, rejected, checkpoints, files, resumed);
        checkpoints.await();
        if (journal.hasProgress()) {
          checkpoints.write(() -> snapshot(files));
        }
        datasets.merge(() -> checkpoints.tick(() -> snapshot(files)));
        checkpoints.await();
        sealed = datasets.seal(sources(inputs), rejected.files(), opened);
      }
      long total = datasets.documentCount();
      JournalRecord.Sealed entry =
          new JournalRecord.Sealed(
              total, inputBytes, rejectedCount, sealed.streams(), sealed.outputs());
      steps.before("write that all files are complete");
      if (repeatable) {
        journal.append(entry);
      }
      Preprocessor.Report report = commit(journal, entry, sealed.files());
      opened.close();
      return report;
    } catch (IOException | RuntimeException | Error e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private void restore(JournalRecord.Progress from, List<JournalRecord.Finished> before) {
    position = from.position();
    prefixSha256 = from.prefixSha256();
    lines = from.lines();
    inputBytes = from.inputBytes();
    rejectedCount = from.rejected();
    documents = from.documents().stream().mapToLong(Long::longValue).toArray();
    finished.addAll(before);
    finishedInJournal = finished.size();
  }

  private JournalRecord.Progress snapshot(ResumableFiles files) throws IOException {
    List<JournalRecord.Finished> since =
        List.copyOf(finished.subList(finishedInJournal, finished.size()));
    finishedInJournal = finished.size();
    return new JournalRecord.Progress(
        position,
        prefixSha256,
        lines,
        inputBytes,
        rejectedCount,
        config.badLines(),
        since,
        Arrays.stream(documents).boxed().toList(),
        files.snapshot());
  }

  private void encode(
      InputList inputs,
      OutputDatasets datasets,
      RejectedLines rejected,
      Checkpoints checkpoints,
      ResumableFiles files,
      boolean resumed)
      throws IOException {
    Preprocessor.Sentences sentences = config.sentences();
    EncodeOptions options =
        new EncodeOptions(
            config.jsonKeys(),
            config.appendEod(),
            config.eodId(),
            TokenType.forVocabularySize(config.vocabularySize()),
            sentences == null ? null : sentences.splitter(),
            config.badLines() == BadLinePolicy.FAIL);
    boolean inside = resumed && position.byteOffset() > 0;
    long rawBefore = 0;
    for (int i = 0; i < position.file(); i++) {
      rawBefore += finished.get(i).bytes();
    }
    try (PreprocessPipeline pipeline =
        PreprocessPipeline.start(
            inputs, options, encoders, config.workers(), position, inside ? prefixSha256 : null)) {
      for (EncodedBlock block = pipeline.next(); block != null; block = pipeline.next()) {
        datasets.write(block, lines, documents);
        List<RejectedLine> bad = block.rejected();
        rejected.add(bad);
        advance(block, bad.size());
        if (block.inputBytes() > 0) {
          listener.progress(
              datasets.documentCount(), rawBefore + block.rawBytesRead(), inputs.totalBytes());
        }
        if (rejectedCount > config.maxBad()) {
          checkpoints.write(() -> snapshot(files)); // so that the report is kept
          throw tooManyBadLines();
        }
        checkpoints.tick(() -> snapshot(files));
      }
    }
  }

  private TooManyBadLinesException tooManyBadLines() {
    return new TooManyBadLinesException(
        config.maxBad(),
        rejectedCount,
        PendingFile.resumablePath(RejectedLines.reportFile(config)));
  }

  private void advance(EncodedBlock block, int bad) {
    lines += block.lineCount();
    inputBytes += block.inputBytes();
    rejectedCount += bad;
    InputDigest ended = block.finishedInput().orElse(null);
    if (ended == null) {
      position = block.end();
      prefixSha256 = HexFormat.of().formatHex(block.prefixSha256());
    } else {
      finished.add(
          new JournalRecord.Finished(
              ended.bytes(), ended.sha256(), Arrays.stream(documents).boxed().toList()));
      Arrays.fill(documents, 0);
      position = new InputPosition(block.end().file() + 1, 0, 0);
      prefixSha256 = "";
    }
  }

  /** For each partition what it was made from. */
  private List<List<DatasetMetadata.Source>> sources(InputList inputs) {
    List<List<DatasetMetadata.Source>> sources = new ArrayList<>();
    for (int partition = 0; partition < config.partitions().count(); partition++) {
      List<DatasetMetadata.Source> ofPartition = new ArrayList<>();
      for (int i = 0; i < finished.size(); i++) {
        JournalRecord.Finished input = finished.get(i);
        ofPartition.add(
            new DatasetMetadata.Source(
                inputs.file(i).toString(),
                input.bytes(),
                input.sha256(),
                input.documents().get(partition)));
      }
      sources.add(ofPartition);
    }
    return sources;
  }

  // ---- the commit

  private Preprocessor.Report commit(
      Journal journal, JournalRecord.Sealed sealed, List<PendingFile> files) throws IOException {
    FileCommit.commit(files, steps);
    for (Path prefix : OutputDatasets.prefixes(config)) {
      for (Path spool : OutputDatasets.spools(prefix)) {
        delete(PendingFile.resumablePath(spool));
      }
    }
    delete(PendingFile.resumablePath(RejectedLines.quarantineFile(config)));
    steps.before("delete the journal");
    journal.delete();
    return report(sealed);
  }

  private void delete(Path path) throws IOException {
    if (Files.exists(path)) {
      steps.before("delete " + path);
      Files.delete(path);
    }
  }

  /** Renames what an earlier process left complete but had not renamed. */
  private Preprocessor.Report commitAgain(Journal journal, JournalRecord.Sealed sealed)
      throws IOException {
    try (Scope opened = new Scope()) {
      List<PendingFile> left = new ArrayList<>();
      List<Path> previous = new ArrayList<>();
      for (JournalRecord.Stream stream : sealed.files()) {
        Path target = beside(stream.name());
        if (Files.exists(PendingFile.resumablePath(target))) {
          requireSize(PendingFile.resumablePath(target), stream.bytes());
          PendingFile file = opened.add(ResumableFiles.resume(target, stream));
          file.seal();
          left.add(file);
        } else {
          requireCommitted(target, stream);
        }
        previous.add(target.resolveSibling(stream.name() + ".previous"));
      }
      Preprocessor.Report report = commit(journal, sealed, left);
      for (Path old : previous) {
        Files.deleteIfExists(old);
      }
      return report;
    }
  }

  private static void requireSize(Path path, long bytes) throws IOException {
    long found = Files.size(path);
    if (found != bytes) {
      throw new UnresumableException(path, "size", bytes + " bytes", found);
    }
  }

  private static void requireCommitted(Path target, JournalRecord.Stream stream)
      throws IOException {
    if (!Files.exists(target)) {
      throw new UnresumableException(target, "the file", stream.bytes() + " bytes", "no file");
    }
    requireSize(target, stream.bytes());
    String found = InputDigest.of(target).sha256();
    if (!found.equals(stream.sha256())) {
      throw new UnresumableException(target, "SHA-256", stream.sha256(), found);
    }
  }

  private Preprocessor.Report report(JournalRecord.Sealed sealed) {
    List<Preprocessor.Output> outputs = new ArrayList<>();
    List<Preprocessor.Output> partitions = new ArrayList<>();
    for (JournalRecord.SealedOutput output : sealed.outputs()) {
      (output.partition() ? partitions : outputs)
          .add(
              new Preprocessor.Output(
                  output.key(),
                  beside(output.prefix()),
                  output.documents(),
                  output.sequences(),
                  output.tokens(),
                  file(sealed.files().get(output.data())),
                  file(sealed.files().get(output.index()))));
    }
    return new Preprocessor.Report(
        sealed.documents(), sealed.inputBytes(), sealed.rejected(), outputs, partitions);
  }

  private Preprocessor.OutputFile file(JournalRecord.Stream stream) {
    return new Preprocessor.OutputFile(beside(stream.name()), stream.bytes(), stream.sha256());
  }
}
