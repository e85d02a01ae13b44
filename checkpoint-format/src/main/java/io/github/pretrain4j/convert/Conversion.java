package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.PlannedFiles;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Converts a checkpoint into any other form: Hugging Face to Megatron and back, Megatron over other
 * ranks, in another format or with other names, Hugging Face in other shards; with the weights in
 * another type and a larger vocabulary if asked.
 */
public final class Conversion {

  /*
   * Everything is a view of the origin, and data moves only when a file asks for it:
   *
   *   stored → what counts, moved values → type → larger vocabulary   = expected, the origin's names
   *   expected → the other naming → padding                           = what the files ask for
   *
   * The proof goes the other way: written → padding cut → the origin's naming, and is compared with
   * the expected tensor. So a mapping that is not its own inverse shows.
   */

  /**
   * Equal weights give equal logits, but for backends that do not keep one order of sums: logits of
   * models are of the order of 10, their fp32 sums are good to some 1e-5.
   */
  private static final double SAME_LOGITS = 1e-3;

  private final ConversionConfig config;
  private final ConversionListener listener;
  private final Origin origin;
  private final List<String> problems;
  private final List<String> notes;

  private Conversion(
      ConversionConfig config,
      ConversionListener listener,
      Origin origin,
      List<String> problems,
      List<String> notes) {
    this.config = config;
    this.listener = listener;
    this.origin = origin;
    this.problems = problems;
    this.notes = notes;
  }

  /**
   * {@link #run(ConversionConfig, ModelFamilies, ConversionListener)} with the installed families.
   */
  public static ConversionReport run(ConversionConfig config, ConversionListener listener)
      throws IOException {
    return run(config, ModelFamilies.installed(), listener);
  }

  /**
   * Converts.
   *
   * <p>The output is complete or absent. What a killed run has finished is used by the next one of
   * the same configuration and input; another one starts over.
   *
   * @throws ConversionException listing everything that stands in the way; nothing was written then
   */
  public static ConversionReport run(
      ConversionConfig config, ModelFamilies families, ConversionListener listener)
      throws IOException {
    List<String> problems = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    String outputProblem = StagedOutput.problem(config.output());
    if (outputProblem != null) {
      problems.add(outputProblem);
    }
    try (Origin origin = Origin.open(config, families, problems, notes)) {
      return new Conversion(config, listener, origin, problems, notes).run();
    }
  }

  private ConversionReport run() throws IOException {
    Integer vocabSize = newVocabSize();
    Origin.Model model = origin.model();
    if (model != null && vocabSize != null && vocabSize != model.config().vocabSize()) {
      model = model.withVocabSize(vocabSize);
    }
    problems.addAll(typeProblems());
    ConvertedTypeSource converted =
        config.dataType() == null
            ? null
            : new ConvertedTypeSource(origin.weights(), config.dataType());
    TensorSource expected = grown(converted == null ? origin.weights() : converted, vocabSize);
    TokenizerFile tokenizer = tokenizer(vocabSize);
    TensorSource optimizer = optimizer();
    Destination destination = destination(model, vocabSize, expected, tokenizer, optimizer);
    destination.check(problems, notes);
    LogitsProof proof =
        config.prompt() == null
            ? null
            : LogitsProof.of(config.prompt(), origin.model(), tokenizers(), problems);
    if (!problems.isEmpty()) {
      throw new ConversionException(config.input(), problems);
    }
    try (StagedOutput staged = new StagedOutput(config.output(), fingerprint())) {
      write(destination, staged);
      return prove(destination, staged, model, expected, converted, optimizer, proof);
    }
  }

  /** Rows of vocabulary in the end, padding aside; null if they are not known. */
  private @Nullable Integer newVocabSize() {
    Integer old = origin.vocabSize();
    VocabularyGrowth growth = config.growth();
    if (growth == null) {
      return old;
    }
    if (old == null) {
      problems.add(
          "the vocabulary cannot grow: its size is not known; give it, or a reference directory");
      return null;
    }
    problems.addAll(growth.problems(old));
    return growth.vocabSize(old);
  }

  private boolean grows() {
    return config.growth() != null && origin.vocabSize() != null;
  }

  private TensorSource grown(TensorSource tensors, @Nullable Integer vocabSize) {
    VocabularyGrowth growth = config.growth();
    return growth == null || vocabSize == null
        ? tensors
        : new GrownVocabulary(tensors, origin.vocabularyTensors(), vocabSize, growth.newRows());
  }

  /** Whether source and target are of one naming, where any tensor may come along. */
  private boolean staysHuggingFace() {
    return origin instanceof HuggingFaceOrigin
        && config.target() instanceof ConversionTarget.HuggingFace;
  }

  private List<String> typeProblems() {
    List<String> wrong = new ArrayList<>();
    DataType wanted = config.dataType();
    for (TensorInfo tensor : origin.weights().tensors()) {
      if (!tensor.type().isFloatingPoint()) {
        if (!staysHuggingFace()) {
          wrong.add("tensor " + tensor.name() + " holds " + tensor.type() + ", no weights");
        }
      } else if (wanted != null && !NumericConversion.supported(tensor.type(), wanted)) {
        wrong.add(
            "tensor "
                + tensor.name()
                + " cannot be rounded from "
                + tensor.type()
                + " to "
                + wanted);
      }
    }
    return wrong;
  }

  /** The tokenizer that was given, compared with the embedding's rows; null if there is none. */
  private @Nullable TokenizerFile tokenizer(@Nullable Integer vocabSize) throws IOException {
    if (config.tokenizerModel() == null) {
      return null;
    }
    TokenizerFile tokenizer = TokenizerFile.read(config.tokenizerModel());
    if (vocabSize == null) {
      return tokenizer;
    }
    String difference =
        "tokenizer "
            + tokenizer.file()
            + " has "
            + tokenizer.size()
            + " tokens, the model "
            + vocabSize
            + " rows";
    // Hugging Face tokenizers often have fewer tokens than the embedding has rows; a SentencePiece
    // model never should.
    if (tokenizer.size() > vocabSize
        || (tokenizer.size() < vocabSize && tokenizer.isSentencePiece())) {
      problems.add(difference);
    } else if (tokenizer.size() < vocabSize) {
      notes.add(difference + "; all rows are kept");
    }
    return tokenizer;
  }

  /** The optimizer's tensors if they are to be carried, the vocabulary's padding cut off. */
  private @Nullable TensorSource optimizer() throws IOException {
    if (!(origin instanceof MegatronOrigin megatron) || !config.optimizer()) {
      return null;
    }
    if (!(config.target() instanceof ConversionTarget.Megatron target)) {
      if (megatron.checkpoint().extraState("optimizer") != null) {
        notes.add("the optimizer's state is left out: Hugging Face models have none");
      }
      return null;
    }
    if (target.release() || megatron.checkpoint().isRelease()) {
      return null;
    }
    TensorSource tensors = megatron.checkpoint().optimizerTensors();
    if (tensors == null) {
      return null;
    }
    if (config.dataType() != null) {
      problems.add(
          "optimizer state belongs to weights of one type: leave the type, or the optimizer out");
    }
    if (grows()) {
      problems.add(
          "optimizer state has no rows for new tokens: leave the vocabulary, or the optimizer out");
    }
    return megatron.vocabSize() == null
        ? tensors
        : new VocabularyRows(tensors, megatron.vocabSize());
  }

  private Destination destination(
      Origin.@Nullable Model model,
      @Nullable Integer vocabSize,
      TensorSource expected,
      @Nullable TokenizerFile tokenizer,
      @Nullable TensorSource optimizer) {
    if (config.target() instanceof ConversionTarget.HuggingFace target) {
      return new HuggingFaceDestination(
          target,
          origin,
          model,
          expected,
          new HuggingFaceCompanions(
              origin instanceof HuggingFaceOrigin huggingFace
                  ? huggingFace.huggingFaceConfig()
                  : ((MegatronOrigin) origin).reference(),
              model,
              tokenizer,
              grows() ? vocabSize : null,
              target.dialect()));
    }
    return new MegatronDestination(
        (ConversionTarget.Megatron) config.target(),
        origin,
        model,
        vocabSize,
        expected,
        tokenizer,
        optimizer);
  }

  /** Where a tokenizer for the prompt may be, best first. */
  private List<Path> tokenizers() {
    return Stream.of(
            // A larger vocabulary's tokenizer has ids that the source does not know.
            grows() ? null : config.tokenizerModel(),
            config.input(),
            config.reference(),
            config.tokenizerModel())
        .filter(Objects::nonNull)
        .map(Objects::requireNonNull)
        .toList();
  }

  /** What the output depends on: the configuration, and names, sizes and times of the input. */
  private String fingerprint() throws IOException {
    StringBuilder text = new StringBuilder();
    text.append(config.withWorkers(1).withPrompt(null)).append('\n');
    List<Path> roots = new ArrayList<>(List.of(origin.path()));
    if (config.reference() != null) {
      roots.add(config.reference());
    }
    if (config.tokenizerModel() != null) {
      roots.add(config.tokenizerModel());
    }
    for (Path root : roots) {
      List<Path> files;
      try (Stream<Path> tree = Files.walk(root)) {
        files = tree.filter(Files::isRegularFile).sorted().toList();
      }
      for (Path file : files) {
        text.append(file.toAbsolutePath())
            .append(' ')
            .append(Files.size(file))
            .append(' ')
            .append(Files.getLastModifiedTime(file).toMillis())
            .append('\n');
      }
    }
    MessageDigest digest = RoundTrip.sha256();
    digest.update(text.toString().getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest());
  }

  private void write(Destination destination, StagedOutput staged) throws IOException {
    List<PlannedFile> files = destination.plan();
    long total =
        files.stream()
            .flatMap(file -> file.slots().stream())
            .mapToLong(slot -> slot.tensor().byteCount())
            .sum();
    PlannedFiles.write(
        staged.directory(),
        files,
        PlannedFiles.Options.DEFAULT
            .withWorkers(config.workers())
            .withJournal(staged.journal(), staged.fingerprint())
            .withListener(
                (done, all) ->
                    listener.progress(
                        ConversionListener.Phase.WRITE, Math.min(done, total - 1), total)));
    listener.progress(ConversionListener.Phase.WRITE, total, total);
  }

  private ConversionReport prove(
      Destination destination,
      StagedOutput staged,
      Origin.@Nullable Model model,
      TensorSource expected,
      @Nullable ConvertedTypeSource converted,
      @Nullable TensorSource optimizer,
      @Nullable LogitsProof proof)
      throws IOException {
    TensorSource all = optimizer == null ? expected : new JoinedTensors(expected, optimizer);
    TensorSource stored =
        optimizer == null
            ? origin.changes().isEmpty() ? origin.weights() : origin.stored()
            : new JoinedTensors(origin.weights(), optimizer);
    List<ConversionReport.Tensor> tensors = new ArrayList<>();
    LogitsComparison logits = null;
    long overflowsBefore = converted == null ? 0 : converted.overflows();
    try (Destination.Written written = destination.open(staged.directory())) {
      long total = all.tensors().stream().mapToLong(TensorInfo::byteCount).sum();
      long[] done = {0};
      List<RoundTrip.Found> found =
          new RoundTrip(stored, all, written.tensors(), this::isUnchanged, staged.directory())
              .compare(
                  config.workers(),
                  bytes -> {
                    done[0] += bytes;
                    listener.progress(
                        ConversionListener.Phase.VERIFY, Math.min(done[0], total - 1), total);
                  });
      listener.progress(ConversionListener.Phase.VERIFY, total, total);
      for (RoundTrip.Found tensor : found) {
        String name = tensor.stored().name();
        tensors.add(
            new ConversionReport.Tensor(
                name,
                tensor.stored().type().name(),
                tensor.stored().shape(),
                tensor.sha256(),
                tensor.convertedSha256(),
                tensor.convertedSha256(),
                written.places().of(name)));
      }
      if (proof != null && model != null) {
        logits = logits(proof, written.megatron(), model.config());
      }
    }
    if (converted != null && converted.overflows() > overflowsBefore) {
      notes.add(
          converted.overflows()
              - overflowsBefore
              + " finite values became infinite in "
              + config.dataType());
    }
    origin.changes().forEach((name, what) -> notes.add(name + ": " + what));
    ConversionReport report =
        report(destination, model, staged.files(), tensors, logits, optimizer != null);
    staged.publish();
    return report;
  }

  private boolean isUnchanged(String name) {
    if (origin.changes().containsKey(name)
        || (grows() && origin.vocabularyTensors().containsKey(name))) {
      return false;
    }
    TensorInfo info = origin.weights().find(name);
    return info == null
        || config.dataType() == null
        || info.type() == config.dataType()
        || !ConvertedTypeSource.isRounded(info);
  }

  private LogitsComparison logits(
      LogitsProof proof, TensorSource written, TransformerConfig targetConfig) throws IOException {
    Origin.Model known = Objects.requireNonNull(origin.model(), "checked with the prompt");
    TensorSource source =
        origin instanceof HuggingFaceOrigin huggingFace
            ? known
                .mapping()
                .toMegatron(known.family().sourceTransform(known.config(), huggingFace.stored()))
            : origin.weights();
    LogitsComparison logits = proof.compare(source, written, targetConfig);
    if (config.dataType() == null
        && config.growth() == null
        && logits.maxAbsDifference() > SAME_LOGITS) {
      throw new CorruptCheckpointException(
          config.output(), 0, "logits", "the source's", "others by " + logits.maxAbsDifference());
    }
    return logits;
  }

  private ConversionReport report(
      Destination destination,
      Origin.@Nullable Model model,
      Map<String, Long> files,
      List<ConversionReport.Tensor> tensors,
      @Nullable LogitsComparison logits,
      boolean optimizerState) {
    ParallelLayout targetLayout =
        config.target() instanceof ConversionTarget.Megatron megatron ? megatron.layout() : null;
    ParallelLayout sourceLayout =
        origin instanceof MegatronOrigin megatron ? megatron.checkpoint().layout() : null;
    return new ConversionReport(
        new ConversionReport.Side(
            config.input().toString(), origin.form(), sourceLayout, sourceRows()),
        new ConversionReport.Side(
            config.output().toString(),
            destination.form(),
            targetLayout,
            destination.vocabularyRows()),
        model == null ? null : model.config(),
        optimizerState,
        new LinkedHashMap<>(files),
        tensors,
        logits,
        notes,
        model == null ? List.of() : destination.megatronOptions(model.config()));
  }

  private long sourceRows() {
    Collection<String> names = origin.vocabularyTensors().keySet();
    for (String name : names) {
      TensorInfo info = origin.stored().find(name);
      if (info != null && !info.shape().isEmpty()) {
        return info.shape().get(0);
      }
    }
    return 0;
  }
}
