/**
 * Text from a trained model: sampling one token after another with a KV cache.
 *
 * <p>Start reading at {@link io.github.pretrain4j.generate.Generator}, the loop. It asks a {@link
 * io.github.pretrain4j.generate.NextTokenModel} for the logits of the next token, a {@code Sampler}
 * for one token by a {@link io.github.pretrain4j.generate.SamplingConfig}, and the tokenizer's
 * streaming decoder for text, which leaves through {@code StopFilter}. {@link
 * io.github.pretrain4j.generate.ModelLoader} brings a model from a Hugging Face folder or a
 * Megatron checkpoint of any TP and PP.
 *
 * <p>Everything is a function of the weights, the prompt and the configuration: the same seed gives
 * the same text on any number of threads.
 */
@NullMarked
package io.github.pretrain4j.generate;

import org.jspecify.annotations.NullMarked;
