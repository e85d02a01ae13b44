package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.Activation;
import io.github.pretrain4j.model.LatentAttention;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.PositionEmbedding;
import io.github.pretrain4j.model.RopeScaling;
import io.github.pretrain4j.model.TransformerConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * The command line options under which Megatron-LM builds a model of a given configuration, one
 * string for each word. The names are those of {@code megatron/training/arguments.py} and, for
 * fields of its {@code TransformerConfig}, those that it derives from them.
 */
final class MegatronFlags {
  /** What Megatron's latent attention has where no option sets it. */
  private static final int LATENT_ORIGINAL_POSITIONS = 4096;

  private static final double LATENT_BETA_FAST = 32;
  private static final double LATENT_BETA_SLOW = 1;

  private MegatronFlags() {}

  /** The options for a model so written. */
  static List<String> of(
      TransformerConfig config,
      ParallelLayout layout,
      LayerSpec layerSpec,
      ExpertLayout expertLayout) {
    List<String> flags = new ArrayList<>();
    addParallel(flags, config, layout, layerSpec);
    add(flags, "--num-layers " + config.numLayers());
    add(flags, "--hidden-size " + config.hiddenSize());
    add(flags, "--ffn-hidden-size " + config.ffnHiddenSize());
    add(flags, "--num-attention-heads " + config.numAttentionHeads());
    if (config.numQueryGroups() != config.numAttentionHeads()) {
      add(flags, "--group-query-attention --num-query-groups " + config.numQueryGroups());
    }
    add(flags, "--kv-channels " + config.kvChannels());
    add(flags, "--max-position-embeddings " + config.maxPositionEmbeddings());
    addPositions(flags, config);
    add(flags, "--normalization RMSNorm");
    add(flags, "--norm-epsilon " + config.normEpsilon());
    if (config.zeroCenteredNorm()) {
      add(flags, "--apply-layernorm-1p");
    }
    if (config.activation() == Activation.SWIGLU) {
      add(flags, "--swiglu");
    }
    add(flags, "--disable-bias-linear");
    add(flags, "--attention-dropout 0 --hidden-dropout 0");
    if (config.qkvBias()) {
      add(flags, "--add-qkv-bias");
    }
    if (config.qkLayernorm()) {
      add(flags, "--qk-layernorm");
    }
    if (!config.tiedEmbeddings()) {
      add(flags, "--untie-embeddings-and-output-weights");
    }
    if (config.slidingWindow() > 0) {
      add(flags, "--window-size " + (config.slidingWindow() - 1) + ",0");
    }
    if (config.latentAttention() != null) {
      addLatentAttention(flags, config.latentAttention());
    }
    if (config.mixtureOfExperts() != null) {
      addExperts(flags, config.mixtureOfExperts(), layout, expertLayout);
    }
    if (config.numMtpLayers() > 0) {
      add(flags, "--mtp-num-layers " + config.numMtpLayers());
    }
    return flags;
  }

  private static void addParallel(
      List<String> flags, TransformerConfig config, ParallelLayout layout, LayerSpec layerSpec) {
    if (layerSpec == LayerSpec.LEGACY) {
      add(flags, "--use-legacy-models --transformer-impl local");
    } else {
      add(flags, "--use-mcore-models");
      boolean local = layerSpec == LayerSpec.LOCAL;
      add(flags, "--transformer-impl " + (local ? "local" : "transformer_engine"));
    }
    add(flags, "--tensor-model-parallel-size " + layout.tensorModelParallelSize());
    add(flags, "--pipeline-model-parallel-size " + layout.pipelineModelParallelSize());
    int virtual = layout.virtualPipelineModelParallelSize();
    List<Integer> chunks = layout.layersOfChunks();
    boolean even = chunks.stream().distinct().count() <= 1;
    if (!even || (config.numMtpLayers() > 0 && chunks.size() > 1)) {
      add(flags, "--pipeline-model-parallel-layout " + pipelineLayout(config, chunks));
    } else if (virtual > 1) {
      int perChunk = config.numLayers() / (layout.pipelineModelParallelSize() * virtual);
      add(flags, "--num-layers-per-virtual-pipeline-stage " + perChunk);
    }
  }

  /** Megatron's notation: E the embedding, t a layer, m one that predicts ahead, L the loss. */
  private static String pipelineLayout(TransformerConfig config, List<Integer> chunks) {
    List<String> stages = new ArrayList<>();
    for (int i = 0; i < chunks.size(); i++) {
      boolean last = i == chunks.size() - 1;
      stages.add(
          (i == 0 ? "E" : "")
              + "t".repeat(chunks.get(i))
              + (last ? "m".repeat(config.numMtpLayers()) + "L" : ""));
    }
    return String.join("|", stages);
  }

  private static void addPositions(List<String> flags, TransformerConfig config) {
    RopeScaling scaling = config.ropeScaling();
    boolean latent = config.latentAttention() != null;
    boolean yarn = scaling instanceof RopeScaling.Yarn && !latent;
    add(flags, "--position-embedding-type " + (yarn ? "yarn" : "rope"));
    add(flags, "--no-position-embedding --use-rotary-position-embeddings");
    add(flags, "--rotary-base " + whole(config.rotaryBase()));
    if (config.rotaryPercent() != 1) {
      add(flags, "--rotary-percent " + config.rotaryPercent());
    }
    if (config.rotaryInterleaved()) {
      add(flags, "--rotary-interleaved --no-rope-fusion");
    }
    if (latent) {
      add(flags, "--rope-type " + (scaling instanceof RopeScaling.Yarn ? "yarn" : "rope"));
    }
    if (scaling instanceof RopeScaling.Linear linear) {
      add(flags, "--rotary-seq-len-interpolation-factor " + whole(linear.factor()));
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      add(flags, "--use-rope-scaling --rope-scaling-factor " + llama3.factor());
    } else if (scaling instanceof RopeScaling.Yarn found) {
      add(flags, "--rotary-scaling-factor " + found.factor());
      add(flags, "--mscale " + (found.mscale() == 0 ? 1.0 : found.mscale()));
      add(flags, "--mscale-all-dim " + found.mscaleAllDim());
      if (yarn) {
        add(
            flags,
            "--yarn-original-max-position-embeddings " + found.originalMaxPositionEmbeddings());
        add(flags, "--yarn-beta-fast " + found.betaFast());
        add(flags, "--yarn-beta-slow " + found.betaSlow());
      }
    }
  }

  private static void addLatentAttention(List<String> flags, LatentAttention latent) {
    add(flags, "--multi-latent-attention");
    if (latent.qLoraRank() > 0) {
      add(flags, "--q-lora-rank " + latent.qLoraRank());
    }
    add(flags, "--kv-lora-rank " + latent.kvLoraRank());
    add(flags, "--qk-head-dim " + latent.qkHeadDim());
    add(flags, "--qk-pos-emb-head-dim " + latent.qkPosEmbHeadDim());
    add(flags, "--v-head-dim " + latent.vHeadDim());
  }

  private static void addExperts(
      List<String> flags,
      MixtureOfExperts experts,
      ParallelLayout layout,
      ExpertLayout expertLayout) {
    add(flags, "--num-experts " + experts.numExperts());
    add(flags, "--expert-model-parallel-size " + layout.expertModelParallelSize());
    if (layout.expertTensorParallelSize() != layout.tensorModelParallelSize()) {
      add(flags, "--expert-tensor-parallel-size " + layout.expertTensorParallelSize());
    }
    if (layout.tensorModelParallelSize() > 1) {
      add(flags, "--sequence-parallel"); // training with experts demands it
    }
    if (expertLayout != ExpertLayout.SEQUENTIAL) {
      add(flags, "--moe-grouped-gemm");
    }
    if (expertLayout == ExpertLayout.LEGACY_GROUPED) {
      add(flags, "--moe-use-legacy-grouped-gemm");
    }
    add(flags, "--moe-router-topk " + experts.topk());
    add(flags, "--moe-ffn-hidden-size " + experts.moeFfnHiddenSize());
    if (!experts.layerIsMoe().isEmpty()) {
      add(flags, "--moe-layer-freq " + layerFrequency(experts.layerIsMoe()));
    }
    if (experts.sharedExpertFfnHiddenSize() > 0) {
      add(flags, "--moe-shared-expert-intermediate-size " + experts.sharedExpertFfnHiddenSize());
    }
    if (experts.sharedExpertGate()) {
      add(flags, "--moe-shared-expert-gate");
    }
    if (experts.preSoftmax()) {
      add(flags, "--moe-router-pre-softmax");
    }
    if (experts.scoreFunction() != MixtureOfExperts.ScoreFunction.SOFTMAX) {
      add(
          flags,
          "--moe-router-score-function " + experts.scoreFunction().name().toLowerCase(Locale.ROOT));
    }
    if (experts.expertBias()) {
      add(flags, "--moe-router-enable-expert-bias");
    }
    if (experts.numGroups() > 0) {
      add(flags, "--moe-router-num-groups " + experts.numGroups());
      add(flags, "--moe-router-group-topk " + experts.groupTopk());
    }
    if (experts.scalingFactor() != 1) {
      add(flags, "--moe-router-topk-scaling-factor " + experts.scalingFactor());
    }
    boolean loss = experts.auxLossCoeff() > 0;
    add(flags, "--moe-router-load-balancing-type " + (loss ? "aux_loss" : "none"));
    if (loss) {
      add(flags, "--moe-aux-loss-coeff " + experts.auxLossCoeff());
    }
  }

  /** Runs of layers of one kind, without a character that a shell minds: {@code [0]*1+[1]*26}. */
  private static String layerFrequency(List<Boolean> layerIsMoe) {
    List<String> runs = new ArrayList<>();
    for (int from = 0; from < layerIsMoe.size(); ) {
      boolean moe = layerIsMoe.get(from);
      int length = layerIsMoe.subList(from, layerIsMoe.size()).indexOf(!moe);
      length = length < 0 ? layerIsMoe.size() - from : length;
      runs.add("[" + (moe ? 1 : 0) + "]*" + length);
      from += length;
    }
    return String.join("+", runs);
  }

  /** What the options cannot say. */
  static List<String> notes(TransformerConfig config) {
    List<String> notes = new ArrayList<>();
    RopeScaling scaling = config.ropeScaling();
    if (scaling instanceof RopeScaling.Llama3 llama3 && !llama3.isMegatronDefault()) {
      notes.add(
          "Megatron-LM fixes the llama3 rotary scaling at low 1, high 4, original context 8192; this model has "
              + llama3);
    } else if (scaling instanceof RopeScaling.DynamicNtk dynamic) {
      notes.add(
          "Megatron-LM has no dynamic rotary scaling; up to "
              + config.maxPositionEmbeddings()
              + " positions "
              + dynamic
              + " changes nothing");
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      addYarnNotes(notes, config, yarn);
    }
    if (config.rotaryBase() != Math.rint(config.rotaryBase())) {
      notes.add(
          "Megatron-LM takes a whole rotary base only; this model has " + config.rotaryBase());
    }
    if (scaling instanceof RopeScaling.Linear linear
        && linear.factor() != Math.rint(linear.factor())) {
      notes.add(
          "Megatron-LM takes a whole interpolation factor only; this model has " + linear.factor());
    }
    if (config.positionEmbedding() == PositionEmbedding.ALIBI) {
      notes.add("Megatron-LM has no ALiBi positions");
    }
    if (config.activation() == Activation.GEGLU_TANH) {
      notes.add(
          "no option of Megatron-LM gives a GELU-gated MLP (gated_linear_unit with the tanh"
              + " approximation of GELU in its TransformerConfig): the model has to be built by a"
              + " script of your own");
    }
    if (config.embeddingScale() != 1) {
      notes.add(
          "Megatron-LM does not multiply embeddings; this model multiplies them by "
              + config.embeddingScale());
    }
    MixtureOfExperts experts = config.mixtureOfExperts();
    if (experts != null
        && experts.numGroups() > 0
        && experts.scoreFunction() == MixtureOfExperts.ScoreFunction.SOFTMAX
        && experts.topk() / experts.groupTopk() != 1) {
      notes.add(
          "Megatron-LM picks groups of experts by the sum of their best "
              + experts.topk() / experts.groupTopk()
              + " scores, this model by the best one");
    }
    return Collections.unmodifiableList(notes);
  }

  private static void addYarnNotes(
      List<String> notes, TransformerConfig config, RopeScaling.Yarn yarn) {
    if (config.latentAttention() == null) {
      notes.add(
          "Megatron-LM before core 0.14 has no YaRN but with latent attention; this model has "
              + yarn);
    } else if (yarn.originalMaxPositionEmbeddings() != LATENT_ORIGINAL_POSITIONS
        || yarn.betaFast() != LATENT_BETA_FAST
        || yarn.betaSlow() != LATENT_BETA_SLOW) {
      notes.add(
          "Megatron-LM fixes YaRN with latent attention at an original context of 4096, beta_fast"
              + " 32 and beta_slow 1; this model has "
              + yarn);
    }
  }

  private static String whole(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  private static void add(List<String> flags, String options) {
    flags.addAll(List.of(options.split(" ", -1)));
  }
}
