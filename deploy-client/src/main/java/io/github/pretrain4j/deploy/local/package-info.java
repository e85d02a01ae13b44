/**
 * The target {@code local}: a versioned model store on this machine and a server as a child
 * process.
 *
 * <p>Start at {@link io.github.pretrain4j.deploy.local.LocalTarget}. Under the store's directory:
 *
 * <pre>
 *   NAME/V1/model/…           the files of version 1, as imported; never changed afterwards
 *   NAME/V1/manifest.json     size and SHA-256 of each
 *   NAME/V2/…
 *   NAME/.staging-PID-START-TOKEN/   an import under way; renamed to V(n+1) when complete and on disk
 *   NAME/.import.lock         held while a number is given out
 *   NAME/local.json           the journal: which server runs, which one is being tried
 *   NAME/logs/V1-TOKEN.log    what that server printed
 *   NAME/run/TOKEN.port       where that server says which port it got
 * </pre>
 *
 * <p>A new version is started beside the running one, on a port of its own; only when it is healthy
 * and has answered is the old one stopped.
 *
 * <p>The server is any command that accepts {@code --model DIR --port N --port-file FILE
 * --model-name NAME} after its own words, writes its port to FILE, answers 200 on {@code /health}
 * and speaks the OpenAI dialect; {@code p4j serve} is the usual one. A process is taken for ours
 * only if its id and its start time are those we noted.
 */
@NullMarked
package io.github.pretrain4j.deploy.local;

import org.jspecify.annotations.NullMarked;
