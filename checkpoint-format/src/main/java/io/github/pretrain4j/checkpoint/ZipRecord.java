package io.github.pretrain4j.checkpoint;

/**
 * Where a stored member of a torch archive lies in the file; {@code crc} 0 means that it was not
 * computed.
 */
record ZipRecord(String name, long headerOffset, long dataOffset, long size, int crc) {}
