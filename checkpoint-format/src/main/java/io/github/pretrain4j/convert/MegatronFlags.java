package io.github.pretrain4j.convert;

import io.github.pretrain4j.model.RopeScaling;
import io.github.pretrain4j.model.TransformerConfig;
import java.util.ArrayList;
import java.util.List;

/** The command line options under which Megatron-LM builds a model of a given configuration. */
final class MegatronFlags {
  private MegatronFlags() {}

  static List<String> of(TransformerConfig config, int tensorSize, int pipelineSize) {
    List<String> flags = new ArrayList<>();
    add(flags, "--use-mcore-models");
    add(flags, "--transformer-impl transformer_engine");
    add(flags, "--tensor-model-parallel-size " + tensorSize);
    add(flags, "--pipeline-model-parallel-size " + pipelineSize);
    add(flags, "--num-layers " + config.numLayers());
    add(flags, "--hidden-size " + config.hiddenSize());
    add(flags, "--ffn-hidden-size " + config.ffnHiddenSize());
    add(flags, "--num-attention-heads " + config.numAttentionHeads());
    if (config.numQueryGroups() != config.numAttentionHeads()) {
      add(flags, "--group-query-attention --num-query-groups " + config.numQueryGroups());
    }
    add(flags, "--kv-channels " + config.kvChannels());
    add(flags, "--max-position-embeddings " + config.maxPositionEmbeddings());
    add(flags, "--position-embedding-type rope --no-position-embedding");
    add(flags, "--use-rotary-position-embeddings");
    add(flags, "--rotary-base " + whole(config.rotaryBase()));
    RopeScaling scaling = config.ropeScaling();
    if (scaling instanceof RopeScaling.Linear linear) {
      add(flags, "--rotary-seq-len-interpolation-factor " + whole(linear.factor()));
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      add(flags, "--use-rope-scaling --rope-scaling-factor " + llama3.factor());
    }
    add(flags, "--normalization RMSNorm");
    add(flags, "--norm-epsilon " + config.normEpsilon());
    add(flags, "--swiglu --disable-bias-linear");
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
    return flags;
  }

  /** What the options cannot say. */
  static List<String> notes(TransformerConfig config) {
    List<String> notes = new ArrayList<>();
    if (config.ropeScaling() instanceof RopeScaling.Llama3 llama3 && !llama3.isMegatronDefault()) {
      notes.add(
          "Megatron-LM fixes the llama3 rotary scaling at low 1, high 4, original context 8192; this model has "
              + llama3);
    }
    if (config.rotaryBase() != Math.rint(config.rotaryBase())) {
      notes.add(
          "Megatron-LM takes a whole rotary base only; this model has " + config.rotaryBase());
    }
    return notes;
  }

  private static String whole(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  private static void add(List<String> flags, String options) {
    flags.addAll(List.of(options.split(" ", -1)));
  }
}
