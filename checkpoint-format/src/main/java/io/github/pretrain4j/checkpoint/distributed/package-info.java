/**
 * PyTorch's distributed checkpoints (DCP): tensors in boxes, spread over files, read and written.
 *
 * <p>Start at {@link io.github.pretrain4j.checkpoint.distributed.DistributedCheckpoint}, which
 * shows whole tensors and objects by key, and {@link
 * io.github.pretrain4j.checkpoint.distributed.DistributedFiles}, which plans the files of one. What
 * the keys mean is the business of the program that saved them.
 *
 * <pre>
 *   DIR/.metadata        pickle of torch.distributed.checkpoint.metadata.Metadata:
 *       state_dict_metadata   {key: TensorStorageMetadata(properties, size, chunks) | BytesStorageMetadata}
 *       storage_data          {MetadataIndex(key, offset): _StorageInfo(relative_path, offset, length)}
 *   DIR/__R_T.distcp     items one behind another, no directory of their own
 *       tensor item      a torch archive of one tensor: one chunk, an axis-aligned box of the whole
 *       object item      bytes, for Megatron a torch archive of the list [object]
 * </pre>
 *
 * <p>The chunks of a tensor tile it: none overlap, nothing is missing. Sizes and offsets count
 * elements.
 */
@NullMarked
package io.github.pretrain4j.checkpoint.distributed;

import org.jspecify.annotations.NullMarked;
