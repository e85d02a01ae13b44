package io.github.pretrain4j.deploy;

/**
 * A model as a target holds it.
 *
 * @param label {@code V1}, {@code V2}, …
 * @param id the target's own name of it: a directory, or a remote id
 * @param manifestSha256 {@link ModelManifest#sha256()} of its files
 * @param created whether this deployment made it; false if it was there already
 */
public record ModelVersion(String label, String id, String manifestSha256, boolean created) {}
