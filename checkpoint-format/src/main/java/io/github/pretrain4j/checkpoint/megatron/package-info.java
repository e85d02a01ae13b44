/** Megatron-LM checkpoints of the {@code torch} format. */
@NullMarked
package io.github.pretrain4j.checkpoint.megatron;

import org.jspecify.annotations.NullMarked;
