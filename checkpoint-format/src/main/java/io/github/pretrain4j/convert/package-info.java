/**
 * Conversion of checkpoints into any other form, with a proof.
 *
 * <p>Start at {@link io.github.pretrain4j.convert.Conversion}. It opens the origin, whatever it is;
 * checks everything and lists what is wrong before anything is written; lets the files of the
 * destination ask for each tensor through views that map, round, grow and pad, in small pieces;
 * reads back what was written and compares it with the origin, byte for byte; renames. {@link
 * io.github.pretrain4j.convert.ConversionReport} says what was done.
 *
 * <pre>
 *                            type, vocabulary            padding
 *   HF files → mapping ─┐            │                      │    ┌─ MegatronCheckpointWriter.plan
 *                       ├─ Origin ───┴─────→ Destination ───┴────┤                               → PlannedFiles
 *   Megatron, cut ──────┘                                        └─ HuggingFaceWriter.plan
 *                       └────────── compared with what is read back ──────────┘
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.convert;

import org.jspecify.annotations.NullMarked;
