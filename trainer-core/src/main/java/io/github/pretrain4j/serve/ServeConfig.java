package io.github.pretrain4j.serve;

import java.net.InetAddress;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where and how to serve.
 *
 * @param modelId the id that {@code /v1/models} gives and requests may name
 * @param address the address to listen on; the loopback address unless others are meant to reach
 *     the model
 * @param port 0 takes a free one
 * @param portFile where to write the port once listening, for whoever started this server with port
 *     0
 * @param queueCapacity requests that may wait for the model; more are refused with 503
 * @param maxBodyBytes larger request bodies are refused with 413
 * @param seed where the random numbers of requests without a seed start
 */
public record ServeConfig(
    String modelId,
    InetAddress address,
    int port,
    @Nullable Path portFile,
    int queueCapacity,
    int maxBodyBytes,
    long seed) {

  public ServeConfig {
    require(!modelId.isBlank(), "the model id is empty");
    require(port >= 0 && port <= 65535, "port must be between 0 and 65535: " + port);
    require(queueCapacity >= 1, "the queue must hold at least one request: " + queueCapacity);
    require(maxBodyBytes >= 1, "the largest body must be at least one byte: " + maxBodyBytes);
  }

  /** Loopback, 16 waiting requests, bodies of up to 4 MiB. */
  public static ServeConfig of(String modelId, int port) {
    return new ServeConfig(modelId, InetAddress.getLoopbackAddress(), port, null, 16, 4 << 20, 0);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }
}
