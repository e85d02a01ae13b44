/**
 * The command line of the tokenizer module: {@code p4j-tokenizer}, a {@link
 * java.util.spi.ToolProvider}. Start at {@link io.github.pretrain4j.tokenizer.tool.TokenizerTool}.
 * The only package that needs picocli, which embedders therefore need not have.
 */
@NullMarked
package io.github.pretrain4j.tokenizer.tool;

import org.jspecify.annotations.NullMarked;
