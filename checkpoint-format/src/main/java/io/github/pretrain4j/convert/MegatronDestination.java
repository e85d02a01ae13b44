package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint to be made.
 *
 * @param model null if the origin is a Megatron checkpoint that does not say
 * @param vocabSize rows of the embedding, padding aside; null to keep those there are
 * @param expected the weights under the origin's names, in their final type and size
 * @param optimizer the optimizer's tensors of an origin that has them and that are to be carried
 */
record MegatronDestination(
    ConversionTarget.Megatron target,
    Origin origin,
    Origin.@Nullable Model model,
    @Nullable Integer vocabSize,
    TensorSource expected,
    @Nullable TokenizerFile tokenizer,
    @Nullable TensorSource optimizer)
    implements Destination {

  /** What Megatron's own converter writes, and what its tools can read. */
  private static final long FIRST_ITERATION = 1;

  private static final int DEFAULT_DIVISOR = 128;

  /** Attributes of {@code args} that say how the old files lay, and nothing of the model. */
  private static final List<String> LAYOUT_ARGUMENTS =
      List.of(
          "tensor_model_parallel_size",
          "pipeline_model_parallel_size",
          "transformer_pipeline_model_parallel_size",
          "virtual_pipeline_model_parallel_size",
          "num_layers_per_virtual_pipeline_stage",
          "num_virtual_stages_per_pipeline_rank",
          "decoder_first_pipeline_num_layers",
          "decoder_last_pipeline_num_layers",
          "pipeline_model_parallel_layout",
          "account_for_embedding_in_pipeline_split",
          "account_for_loss_in_pipeline_split",
          "expert_model_parallel_size",
          "expert_tensor_parallel_size",
          "moe_grouped_gemm",
          "moe_use_legacy_grouped_gemm",
          "world_size",
          "data_parallel_size",
          "rank",
          "local_rank",
          "transformer_impl",
          "use_mcore_models",
          "use_legacy_models",
          "ckpt_format",
          "use_dist_ckpt",
          "dist_ckpt_format",
          "padded_vocab_size",
          "params_dtype",
          "bf16",
          "fp16",
          "no_save_optim",
          "no_save_rng");

  private static final String DIVISOR = "make_vocab_size_divisible_by";

  private boolean isSameNaming() {
    return origin instanceof MegatronOrigin;
  }

  private WeightMapping mapping() {
    return Objects.requireNonNull(model, "a Hugging Face model is known").mapping();
  }

  private @Nullable MegatronCheckpoint source() {
    return origin instanceof MegatronOrigin megatron ? megatron.checkpoint() : null;
  }

  private Map<String, @Nullable Object> sourceArguments() {
    MegatronCheckpoint source = source();
    return source == null ? Map.of() : source.arguments();
  }

  private int divisor() {
    if (target.makeVocabSizeDivisibleBy() != null) {
      return target.makeVocabSizeDivisibleBy();
    }
    return sourceArguments().get(DIVISOR) instanceof Long value
            && value > 0
            && value <= Integer.MAX_VALUE
        ? value.intValue()
        : DEFAULT_DIVISOR;
  }

  @Override
  public void check(List<String> problems, List<String> notes) throws IOException {
    if (vocabSize == null) {
      checkKeptRows(problems, notes);
    }
    List<String> indivisible = divisibilityProblems();
    problems.addAll(indivisible);
    if (indivisible.isEmpty()) {
      problems.addAll(writer().problems(padded(shapes())));
    }
    if (model != null) {
      notes.addAll(MegatronFlags.notes(model.config()));
    }
    checkOptimizer(problems, notes);
  }

  /** Rows that nobody can tell from padding are kept, if Megatron could have padded so. */
  private void checkKeptRows(List<String> problems, List<String> notes) {
    long rows = vocabularyRows();
    long multiple = (long) divisor() * target.layout().tensorModelParallelSize();
    String remedy =
        "; give the vocabulary's size, the tokenizer or a reference directory to pad it anew";
    if (rows % multiple != 0) {
      problems.add(
          "the checkpoint does not record its vocabulary's size, and its "
              + rows
              + " rows are no multiple of "
              + multiple
              + remedy);
    } else {
      notes.add(
          "the checkpoint does not record its vocabulary's size: all "
              + rows
              + " rows are kept"
              + remedy);
    }
  }

  private void checkOptimizer(List<String> problems, List<String> notes) throws IOException {
    if (optimizer != null && target.release()) {
      problems.add(
          "a release has no optimizer state: give an iteration, or leave the optimizer out");
    }
    MegatronCheckpoint source = source();
    if (source == null || optimizer != null) {
      return;
    }
    if (source.extraState("optimizer") != null) {
      notes.add("the optimizer's state is left out");
    }
  }

  /** What does not split, said once and not for every layer. */
  private List<String> divisibilityProblems() {
    List<String> problems = new ArrayList<>();
    ParallelLayout layout = target.layout();
    int ranks = layout.tensorModelParallelSize();
    Map<String, Integer> split = new LinkedHashMap<>();
    if (model != null) {
      TransformerConfig config = model.config();
      split.put("num_attention_heads", config.numAttentionHeads());
      split.put("num_query_groups", config.numQueryGroups());
      split.put("ffn_hidden_size", config.ffnHiddenSize());
    } else {
      for (String name : List.of("num_attention_heads", "num_query_groups")) {
        if (sourceArguments().get(name) instanceof Long value
            && value > 0
            && value <= Integer.MAX_VALUE
            && (!name.equals("num_query_groups")
                || Boolean.TRUE.equals(sourceArguments().get("group_query_attention")))) {
          split.put(name, value.intValue());
        }
      }
    }
    split.forEach(
        (name, size) -> {
          if (size % ranks != 0) {
            problems.add(name + " " + size + " does not divide over " + ranks + " tensor ranks");
          }
        });
    int stages = layout.pipelineModelParallelSize() * layout.virtualPipelineModelParallelSize();
    if (model != null
        && layout.layersOfChunks().isEmpty()
        && model.config().numLayers() % stages != 0) {
      problems.add(
          "num_layers "
              + model.config().numLayers()
              + " does not divide over "
              + stages
              + " pipeline stages");
    }
    return problems;
  }

  /** The tensors under Megatron's names, as far as can be said without a mapping that fits. */
  private TensorSource shapes() {
    if (isSameNaming()) {
      return expected;
    }
    List<TensorInfo> found = expected.tensors();
    DataType type = found.isEmpty() ? DataType.F32 : found.get(0).type();
    return new ShapesOnly(mapping().megatronTensors(type));
  }

  private TensorSource padded(TensorSource tensors) {
    return vocabSize == null
        ? tensors
        : new VocabularyRows(
            tensors,
            TransformerConfig.paddedVocabSize(
                vocabSize, divisor(), target.layout().tensorModelParallelSize()));
  }

  private MegatronCheckpointWriter writer() throws IOException {
    return writer(Path.of("."));
  }

  private MegatronCheckpointWriter writer(Path root) throws IOException {
    MegatronCheckpoint source = source();
    MegatronCheckpointWriter writer =
        MegatronCheckpointWriter.create(root)
            .format(target.format())
            .layout(target.layout())
            .layerSpec(layerSpec())
            .expertLayout(expertLayout())
            .arguments(arguments());
    if (target.release() || (source != null && source.isRelease())) {
      writer.release();
    } else {
      writer.iteration(source == null ? FIRST_ITERATION : source.iteration());
    }
    if (optimizer != null && source != null) {
      Map<String, PickleObject> common = source.commonState();
      writer.optimizer(padded(optimizer), common);
    }
    return writer;
  }

  /** As asked for, else the source's; no model of today has the legacy names. */
  private LayerSpec layerSpec() {
    MegatronCheckpoint source = source();
    return target.layerSpec() != null
        ? target.layerSpec()
        : source != null && source.layerSpec() != LayerSpec.LEGACY
            ? source.layerSpec()
            : LayerSpec.TRANSFORMER_ENGINE;
  }

  private ExpertLayout expertLayout() {
    MegatronCheckpoint source = source();
    ExpertLayout stored = source == null ? null : source.expertLayout();
    return target.expertLayout() != null
        ? target.expertLayout()
        : stored != null ? stored : ExpertLayout.SEQUENTIAL;
  }

  @Override
  public List<String> megatronOptions(TransformerConfig model) {
    return MegatronFlags.of(model, target.layout(), layerSpec(), expertLayout());
  }

  private Map<String, @Nullable Object> arguments() {
    Map<String, @Nullable Object> arguments = new LinkedHashMap<>(sourceArguments());
    arguments.keySet().removeAll(LAYOUT_ARGUMENTS);
    if (model != null) {
      arguments.putAll(MegatronArguments.of(model.config()));
    }
    if (vocabSize != null) {
      arguments.put("vocab_size", (long) vocabSize);
    }
    arguments.put(DIVISOR, (long) divisor());
    if (tokenizer != null) {
      arguments.put(
          "tokenizer_type",
          tokenizer.isSentencePiece() ? "Llama2Tokenizer" : "HuggingFaceTokenizer");
    }
    return arguments;
  }

  @Override
  public List<PlannedFile> plan() throws IOException {
    return writer().plan(padded(isSameNaming() ? expected : mapping().toMegatron(expected)));
  }

  @Override
  public Written open(Path directory) throws IOException {
    MegatronCheckpoint written = MegatronCheckpoint.open(directory);
    try {
      TensorSource full = written.fullTensors();
      TensorSource cut = vocabSize == null ? full : new VocabularyRows(full, vocabSize);
      TensorSource back = isSameNaming() ? cut : mapping().toHuggingFace(cut);
      TensorSource moments = optimizer == null ? null : written.optimizerTensors();
      return new Written(
          moments == null
              ? back
              : new JoinedTensors(
                  back, vocabSize == null ? moments : new VocabularyRows(moments, vocabSize)),
          cut,
          name -> places(written, name),
          written::close);
    } catch (IOException | RuntimeException e) {
      written.close();
      throw e;
    }
  }

  private List<ConversionReport.Slice> places(MegatronCheckpoint written, String name) {
    List<ConversionReport.Slice> slices = new ArrayList<>();
    if (isSameNaming()) {
      TensorInfo info = expected.find(name);
      if (info != null) { // the optimizer's tensors lie as their parameters do
        long rows = info.shape().isEmpty() ? 1 : info.shape().get(0);
        slices.add(slice(written, 0, rows, name, 0));
      }
      return slices;
    }
    for (WeightMapping.Slice slice : mapping().slices(name)) {
      slices.add(
          slice(written, slice.firstRow(), slice.rowCount(), slice.name(), slice.otherRow()));
    }
    return slices;
  }

  private static ConversionReport.Slice slice(
      MegatronCheckpoint written, long firstRow, long rowCount, String tensor, long tensorRow) {
    String directory = written.directory().getFileName() + "/";
    List<String> files =
        written.filesOf(tensor, tensorRow, rowCount).stream().map(directory::concat).toList();
    return new ConversionReport.Slice(firstRow, rowCount, tensor, tensorRow, files);
  }

  @Override
  public long vocabularyRows() {
    TensorInfo embedding = padded(shapes()).find(VocabularyRows.EMBEDDING);
    return embedding == null || embedding.shape().isEmpty() ? 0 : embedding.shape().get(0);
  }

  @Override
  public String form() {
    return "megatron " + target.format().argument();
  }
}
