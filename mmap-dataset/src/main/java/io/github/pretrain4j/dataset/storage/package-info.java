/**
 * How bytes are reached and how files appear: mapping files of any size, writing beside and
 * committing by renames.
 *
 * <p>{@link io.github.pretrain4j.dataset.storage.MappedFile} reads; {@link
 * io.github.pretrain4j.dataset.storage.PendingFile} writes beside the final place, and {@link
 * io.github.pretrain4j.dataset.storage.FileCommit} renames, the file that makes the rest visible
 * last. {@link io.github.pretrain4j.dataset.storage.ByteRangeSource} is the seam for object stores,
 * behind {@link io.github.pretrain4j.dataset.storage.BlockCache}; the stores are {@code s3://} and
 * {@code file://}. The other packages of this module are built on it; it knows nothing of datasets.
 */
@NullMarked
package io.github.pretrain4j.dataset.storage;

import org.jspecify.annotations.NullMarked;
