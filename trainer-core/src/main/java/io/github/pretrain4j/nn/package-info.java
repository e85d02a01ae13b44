/**
 * Models: what computes, written as a forward pass on the {@link io.github.pretrain4j.tensor.Tape}.
 *
 * <p>Start with {@link io.github.pretrain4j.nn.DecoderModel}, the decoder that Llama-like families
 * share; {@link io.github.pretrain4j.nn.LanguageModels} makes the model of a family. A family with
 * blocks of its own implements {@link io.github.pretrain4j.nn.ModelArchitecture}. {@link
 * io.github.pretrain4j.nn.Initialization} fills fresh weights, {@link
 * io.github.pretrain4j.nn.WeightLoading} fills them from a checkpoint. Parameters have
 * Megatron-Core's names and layouts:
 *
 * <pre>
 * embedding.word_embeddings.weight                        [V, D]
 * decoder.layers.i.input_layernorm.weight                 [D]
 * decoder.layers.i.self_attention.linear_proj.weight      [D, H K]
 * decoder.layers.i.self_attention.linear_qkv.weight/bias  [G (R + 2) K, D] / [G (R + 2) K]
 * decoder.layers.i.pre_mlp_layernorm.weight               [D]
 * decoder.layers.i.mlp.linear_fc1.weight                  [2F, D]   gates, then ups
 * decoder.layers.i.mlp.linear_fc2.weight                  [D, F]
 * decoder.final_layernorm.weight                          [D]
 * output_layer.weight                                     [V, D]    unless tied
 * </pre>
 *
 * <p>B micro-batch, T tokens, D hidden, H query heads, G query groups, R query heads of a group, K
 * head width, F MLP width, V padded vocabulary.
 */
@NullMarked
package io.github.pretrain4j.nn;

import org.jspecify.annotations.NullMarked;
