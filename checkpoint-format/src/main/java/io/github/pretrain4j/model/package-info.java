/**
 * What a model is, apart from any file format: its shape, its family, and where each weight of one
 * naming lies in the other.
 *
 * <p>Start at {@link io.github.pretrain4j.model.ModelFamily}, the seam: {@link
 * io.github.pretrain4j.model.HuggingFaceConfig} (config.json) goes in, {@link
 * io.github.pretrain4j.model.TransformerConfig} (Megatron's names) and {@link
 * io.github.pretrain4j.model.WeightMapping} come out. {@link
 * io.github.pretrain4j.model.ModelFamilies} finds them, {@link
 * io.github.pretrain4j.model.MegatronArguments} turns a configuration into a checkpoint's arguments
 * and back.
 *
 * <p>Megatron names here are those of Megatron-Core with the local layer specification ({@code
 * decoder.layers.N.input_layernorm.weight}), tensors whole: not split over ranks.
 */
@NullMarked
package io.github.pretrain4j.model;

import org.jspecify.annotations.NullMarked;
