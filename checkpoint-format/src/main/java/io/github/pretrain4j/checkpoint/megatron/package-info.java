/**
 * Megatron-LM checkpoints of the {@code torch} and {@code torch_dist} formats, read and written.
 *
 * <p>Start at {@link io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint}, which shows the
 * tensors of all ranks as whole ones, and {@link
 * io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter}, which splits whole ones.
 *
 * <pre>
 *   DIR/latest_checkpointed_iteration.txt     an iteration, or the word release; written last
 *   DIR/iter_0001000/  or  DIR/release/
 *       mp_rank_TT/model_optim_rng.pt         pipeline size 1; TT is the tensor parallel rank
 *       mp_rank_TT_PPP/model_optim_rng.pt     pipeline size above 1; PPP is the pipeline rank
 *       mp_rank_TT[_PPP]_EEE/…                expert parallel size above 1; EEE is the expert rank
 *
 *   model_optim_rng.pt, a torch file with a dictionary:
 *       args                  argparse.Namespace
 *       checkpoint_version    3.0
 *       iteration             int
 *       model                 {name: tensor}, layers and experts numbered from 0 in every file;
 *                             model0, model1, … for the chunks of a virtual pipeline
 *       optimizer, opt_param_scheduler, rng_state    after training only
 * </pre>
 *
 * <p>A tensor's name decides how it is split over T tensor parallel ranks:
 *
 * <pre>
 *   rows            embedding.word_embeddings.weight, output_layer.weight, ….linear_qkv.weight and .bias
 *   gated rows      ….mlp.linear_fc1.weight and .bias: rank t has its share of the gate half, then of the up half
 *   columns         ….linear_proj.weight, ….mlp.linear_fc2.weight
 *   on every rank   norms, biases of linear_proj and linear_fc2
 * </pre>
 *
 * <p>Names come in three dialects, which the reader translates into the first: Megatron-Core's
 * local layer specification ({@code input_layernorm.weight}), its Transformer Engine one ({@code
 * self_attention.linear_qkv.layer_norm_weight}, with {@code _extra_state} entries), and the nested
 * dictionaries of the models before Megatron-Core.
 */
@NullMarked
package io.github.pretrain4j.checkpoint.megatron;

import org.jspecify.annotations.NullMarked;
