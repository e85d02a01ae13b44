/** Conversion between Hugging Face and Megatron checkpoints. */
@NullMarked
package io.github.pretrain4j.convert;

import org.jspecify.annotations.NullMarked;
