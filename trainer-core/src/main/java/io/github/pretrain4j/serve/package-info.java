/**
 * An OpenAI-compatible HTTP server for one model, on the JDK's own server.
 *
 * <p>Start reading at {@link io.github.pretrain4j.serve.ModelServer}. The way of a request: {@code
 * Routes} checks method, path and size; {@code GenerationRequest} parses the JSON, strictly: a
 * field it does not honour is an error, not ignored; {@code GenerationQueue} runs it on the one
 * thread that owns the model, or refuses when it is full; {@code Responses} shapes the answer,
 * whole or as server-sent events.
 *
 * <pre>
 * GET  /health               200 {"status":"ok"}, 503 while the model loads or the server stops
 * GET  /v1/models            the one model, and which chat template is applied
 * GET  /v1/models/{id}
 * POST /v1/completions       prompt: a text, texts, or token ids
 * POST /v1/chat/completions  messages of system, user and assistant
 * </pre>
 *
 * <p>Errors are {@code {"error":{"message","type","param","code"}}} with 400, 404, 405, 413, 500 or
 * 503. See {@link io.github.pretrain4j.serve.ChatTemplate} for how messages become a prompt.
 */
@NullMarked
package io.github.pretrain4j.serve;

import org.jspecify.annotations.NullMarked;
