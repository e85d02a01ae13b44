/**
 * From a Hugging Face folder to a service that has answered.
 *
 * <p>Start at {@link io.github.pretrain4j.deploy.DeployFlow}: it inspects the folder ({@link
 * io.github.pretrain4j.deploy.Preflight}), then runs the steps of a {@link
 * io.github.pretrain4j.deploy.DeployTarget} one after the other, and returns a {@link
 * io.github.pretrain4j.deploy.DeployReport}. Targets are plugins found by {@link
 * java.util.ServiceLoader}; {@link io.github.pretrain4j.deploy.DeployTargets} looks them up.
 *
 * <pre>
 *   PREPARED → UPLOADING → UPLOADED → SET_READY → IMPORTING → IMPORTED → DEPLOYING → SERVING → VERIFIED
 *                   (FAILED and CANCELLED from anywhere; a target passes only the states it has)
 * </pre>
 *
 * <p>A flow may be cut off anywhere, by an exception or by {@code kill -9}, and is run again from
 * the top. This is safe because every step first looks at what is already done, and because what a
 * step must remember goes to the {@link io.github.pretrain4j.deploy.DeployJournal} before it acts
 * (the intent) and after the answer (the ids). The journal's file is also the lock that keeps two
 * flows off one service.
 *
 * <p>{@link io.github.pretrain4j.deploy.ModelManifest} names a model by the SHA-256 of its files.
 * {@link io.github.pretrain4j.deploy.OpenAiClient} talks to any server with the OpenAI dialect.
 * {@code DeployTool} is {@code p4j deploy}.
 *
 * <p>Failures: {@link io.github.pretrain4j.deploy.DeployException} (an {@link java.io.IOException})
 * and its kinds; {@link io.github.pretrain4j.deploy.UnavailableException} when there is nothing to
 * deploy to.
 */
@NullMarked
package io.github.pretrain4j.deploy;

import org.jspecify.annotations.NullMarked;
