/**
 * The command line: {@code p4j <step> …}.
 *
 * <p>Start reading at {@link io.github.pretrain4j.cli.Launcher}: it finds every step on the class
 * path as a {@link java.util.spi.ToolProvider} named {@code p4j-<step>} and runs one of them.
 * {@link io.github.pretrain4j.cli.Main} only adds the standard streams and the exit. {@code
 * CommandLineTool} is what the steps of this module share: options in, exit code out. The tools
 * here are thin: they turn options into the records of {@code dataset}, {@code train}, {@code
 * generate} and {@code serve}, and print what those report.
 *
 * <p>Exit codes: 0 done; 1 the world failed (a file, a disk, a socket); 2 wrong usage or
 * configuration; 3 nothing to run on; 70 a bug of ours.
 */
@NullMarked
package io.github.pretrain4j.cli;

import org.jspecify.annotations.NullMarked;
