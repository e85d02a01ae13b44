/**
 * The vocabulary of checkpoints (tensors, their types, sources and contents) and the file formats
 * that hold them.
 *
 * <p>Start at {@link io.github.pretrain4j.checkpoint.TensorSource} and {@link
 * io.github.pretrain4j.checkpoint.TensorContent}: readers are the one, writers take the other. Then
 * {@link io.github.pretrain4j.checkpoint.SafetensorsReader} and {@link
 * io.github.pretrain4j.checkpoint.SafetensorsWriter}, {@link
 * io.github.pretrain4j.checkpoint.TorchFileReader} and {@link
 * io.github.pretrain4j.checkpoint.TorchFileWriter}. A torch file holds a tree of {@link
 * io.github.pretrain4j.checkpoint.PickleObject} whose tensors are {@link
 * io.github.pretrain4j.checkpoint.TensorReference}.
 *
 * <p>Readers check the structure when they open and read data on demand; writers write beside,
 * flush and rename, with one buffer in memory. Damage is a {@link
 * io.github.pretrain4j.checkpoint.CorruptCheckpointException}, a full disk a {@link
 * io.github.pretrain4j.checkpoint.CheckpointWriteException}. Everything is little-endian.
 *
 * <h2>safetensors</h2>
 *
 * <pre>
 *   0      u64    N, at most 100 000 000
 *   8      N      JSON: {"__metadata__": {…}, name: {"dtype", "shape", "data_offsets": [begin, end]}, …}, then spaces
 *   8+N           data; offsets count from here, tile it without gaps, and end with the file
 * </pre>
 *
 * <h2>torch archive</h2>
 *
 * <pre>
 *   a zip of stored members, each ARCHIVE/NAME, data at multiples of 64
 *     data.pkl             pickle, protocol 2: the object tree; tensors name storages by key
 *     .format_version      "1"
 *     .storage_alignment   "64"
 *     byteorder            "little" or "big"; little if absent
 *     data/KEY             the bytes of storage KEY
 *     version              "3\n"; readers take 1 to 10
 *
 *   member     30 + name + extra   local header, sizes and CRC 0; extra: zip64 fields, then 'FB' padding to 64
 *              data
 *              16 or 24            descriptor (signature, CRC, sizes), unless empty
 *   directory  46 + name + extra   per member, the real sizes, CRC and header offset
 *              56 + 20 + 22        zip64 end record, locator, end record; always all three
 * </pre>
 *
 * <h2>legacy torch file</h2>
 *
 * <pre>
 *   five pickles: magic, 1001, system, object tree, list of storage keys
 *   per key: i64 element count, data
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.checkpoint;

import org.jspecify.annotations.NullMarked;
