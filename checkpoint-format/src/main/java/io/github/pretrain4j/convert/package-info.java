/**
 * Conversion between Hugging Face and Megatron checkpoints, with a proof.
 *
 * <p>Start at {@link io.github.pretrain4j.convert.HuggingFaceToMegatron} and {@link
 * io.github.pretrain4j.convert.MegatronToHuggingFace}. Both work alike: check everything and list
 * what is wrong before anything is written; stream each tensor through a small buffer into a
 * sibling of the output; read back what was written, map it back and compare hashes; rename. {@link
 * io.github.pretrain4j.convert.ConversionReport} says what was done.
 *
 * <pre>
 *   HF files → HuggingFaceCheckpoint → WeightMapping → type → vocabulary padding → MegatronCheckpointWriter
 *   rank files → MegatronCheckpoint → vocabulary cut → WeightMapping → type → HuggingFaceWriter
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.convert;

import org.jspecify.annotations.NullMarked;
