package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.Activation;
import io.github.pretrain4j.model.LatentAttention;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.RopeScaling;
import io.github.pretrain4j.model.TransformerConfig;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MegatronFlagsTest {
  private static TransformerConfig.Builder model() {
    return TransformerConfig.builder()
        .family("test")
        .numLayers(6)
        .hiddenSize(16)
        .ffnHiddenSize(20)
        .numAttentionHeads(4)
        .vocabSize(11)
        .maxPositionEmbeddings(64);
  }

  private static String flags(TransformerConfig config, ParallelLayout layout) {
    return " "
        + String.join(
            " ",
            MegatronFlags.of(config, layout, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.GROUPED))
        + " ";
  }

  @Test
  void saysHowExpertsArePickedAndWhichLayersHaveThem() {
    MixtureOfExperts experts =
        MixtureOfExperts.of(8, 4, 6)
            .withLayerIsMoe(List.of(false, true, true, true, false, true))
            .withSharedExpert(12, true)
            .withGroups(4, 2)
            .withScores(MixtureOfExperts.ScoreFunction.SIGMOID, false, true, 2.5)
            .withAuxLossCoeff(0.001);
    ParallelLayout layout =
        ParallelLayout.of(2, 1).withExpertParallel(4).withExpertTensorParallel(1);
    String flags = flags(model().mixtureOfExperts(experts).build(), layout);
    for (String expected :
        List.of(
            "--num-experts 8",
            "--expert-model-parallel-size 4",
            "--expert-tensor-parallel-size 1",
            "--sequence-parallel",
            "--moe-grouped-gemm",
            "--moe-router-topk 4",
            "--moe-ffn-hidden-size 6",
            "--moe-layer-freq [0]*1+[1]*3+[0]*1+[1]*1",
            "--moe-shared-expert-intermediate-size 12",
            "--moe-shared-expert-gate",
            "--moe-router-score-function sigmoid",
            "--moe-router-enable-expert-bias",
            "--moe-router-num-groups 4 --moe-router-group-topk 2",
            "--moe-router-topk-scaling-factor 2.5",
            "--moe-aux-loss-coeff 0.001")) {
      assertTrue(flags.contains(" " + expected + " "), expected + " in" + flags);
    }
    assertFalse(flags.contains("--moe-router-pre-softmax"), flags);
  }

  @Test
  void saysHowLatentAttentionIsStretched() {
    TransformerConfig config =
        model()
            .qkLayernorm(true)
            .latentAttention(new LatentAttention(10, 6, 4, 2, 4))
            .ropeScaling(new RopeScaling.Yarn(40, 4096, 32, 1, 0.707, 0.707))
            .build();
    String flags = flags(config, ParallelLayout.of(1, 1));
    assertTrue(
        flags.contains(
            " --multi-latent-attention --q-lora-rank 10 --kv-lora-rank 6 --qk-head-dim 4"
                + " --qk-pos-emb-head-dim 2 --v-head-dim 4 "),
        flags);
    assertTrue(
        flags.contains(
            " --rope-type yarn --rotary-scaling-factor 40.0 --mscale 0.707 --mscale-all-dim 0.707 "),
        flags);
    assertEquals(List.of(), MegatronFlags.notes(config));
    TransformerConfig other =
        config.toBuilder().ropeScaling(new RopeScaling.Yarn(40, 8192, 32, 1, 1, 1)).build();
    assertEquals(1, MegatronFlags.notes(other).size());
  }

  @Test
  void drawsAnUnevenPipelineChunkByChunk() {
    ParallelLayout even = ParallelLayout.of(1, 3);
    assertFalse(flags(model().build(), even).contains("layout"));
    String uneven = flags(model().build(), even.withLayersOfChunks(List.of(1, 3, 2)));
    assertTrue(uneven.contains(" --pipeline-model-parallel-layout Et|ttt|ttL "), uneven);
    String virtual = flags(model().build(), ParallelLayout.of(1, 3).withVirtualPipeline(2));
    assertTrue(virtual.contains(" --num-layers-per-virtual-pipeline-stage 1 "), virtual);
  }

  @Test
  void notesWhatNoOptionSays() {
    TransformerConfig gemma =
        model().activation(Activation.GEGLU_TANH).zeroCenteredNorm(true).embeddingScale(4).build();
    String flags = flags(gemma, ParallelLayout.of(1, 1));
    assertTrue(flags.contains(" --apply-layernorm-1p "), flags);
    assertFalse(flags.contains("--swiglu"), flags);
    assertEquals(2, MegatronFlags.notes(gemma).size());
    MixtureOfExperts byBest =
        MixtureOfExperts.of(8, 4, 6)
            .withGroups(4, 2)
            .withScores(MixtureOfExperts.ScoreFunction.SOFTMAX, true, false, 1);
    List<String> notes = MegatronFlags.notes(model().mixtureOfExperts(byBest).build());
    assertEquals(1, notes.size());
    assertTrue(notes.get(0).contains("best 2 scores"), notes::toString);
    assertEquals(List.of(), MegatronFlags.notes(model().build()));
  }
}
