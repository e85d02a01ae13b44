package io.github.pretrain4j.dataset.preprocess;

import java.nio.file.Path;

/**
 * What an input turned out to be when its last byte was read.
 *
 * @param file the input, {@code -} for the standard input
 * @param bytes bytes of the file as it is, compressed or not
 * @param sha256 their SHA-256, in lower-case hex
 */
public record InputDigest(Path file, long bytes, String sha256) {}
