package io.github.pretrain4j.deploy;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A service as it is now.
 *
 * @param lastState how far the last flow came; null if there was none
 * @param lastFailure why it did not come further, if it failed
 * @param version label of the version that is running; null unless one is
 * @param endpoint where; null unless it is running
 * @param versions labels of all versions the target holds, oldest first
 */
public record ServiceStatus(
    String target,
    String name,
    Health health,
    @Nullable DeployState lastState,
    @Nullable String lastFailure,
    @Nullable String version,
    @Nullable Endpoint endpoint,
    List<String> versions) {

  /** {@code UNHEALTHY}: it runs, but does not say that it is ready. */
  public enum Health {
    READY,
    UNHEALTHY,
    STOPPED
  }

  public ServiceStatus {
    versions = List.copyOf(versions);
  }

  /** As JSON, for scripts. */
  public String toJson() {
    return Json.pretty(this);
  }
}
