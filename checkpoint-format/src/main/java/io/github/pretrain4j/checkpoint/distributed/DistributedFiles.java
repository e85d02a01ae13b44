package io.github.pretrain4j.checkpoint.distributed;

/** Plans the files of a distributed checkpoint. */
public final class DistributedFiles {
  private DistributedFiles() {}
}
