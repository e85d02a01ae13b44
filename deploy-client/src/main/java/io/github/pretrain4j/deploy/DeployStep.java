package io.github.pretrain4j.deploy;

import java.io.IOException;

/**
 * One step of a target. It may be run again at any time, also after it was cut off in the middle or
 * after it succeeded: it looks at what is done, through the journal and the world, and does the
 * rest.
 *
 * @param name {@code [a-z-]+}, shown to the user
 * @param during the state noted before it runs
 * @param after the state noted when it has succeeded
 */
public record DeployStep(String name, DeployState during, DeployState after, Action action) {

  /** What the step does. */
  @FunctionalInterface
  public interface Action {
    void run(DeployContext context) throws IOException, InterruptedException;
  }
}
