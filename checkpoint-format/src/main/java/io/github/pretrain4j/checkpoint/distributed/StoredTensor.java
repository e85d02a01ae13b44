package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.List;

/**
 * A tensor of the metadata.
 *
 * @param info its key and the whole of it
 * @param chunks what it is cut into
 * @param items where each chunk lies
 */
record StoredTensor(TensorInfo info, List<Chunk> chunks, List<StoredItem> items) {}
