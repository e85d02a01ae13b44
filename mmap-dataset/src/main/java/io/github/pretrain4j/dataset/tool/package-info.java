/**
 * The command line of this module: {@code p4j-data}, a {@link java.util.spi.ToolProvider}. Start at
 * {@link io.github.pretrain4j.dataset.tool.DataTool}. The only package that needs picocli, which
 * embedders therefore need not have.
 */
@NullMarked
package io.github.pretrain4j.dataset.tool;

import org.jspecify.annotations.NullMarked;
