package io.github.pretrain4j.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Turns Ctrl-C and SIGTERM into a wish: the action is run, and the process ends when the step has
 * come to its own end. Call {@link #end} there; a second signal while waiting has no effect,
 * SIGKILL always does.
 */
final class ShutdownRequest {

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  private ShutdownRequest(Runnable action) {
    hook =
        Thread.ofPlatform()
            .name("p4j-shutdown")
            .unstarted(
                () -> {
                  action.run();
                  try {
                    ended.await();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
  }

  /**
   * @param action asks the step to end; must return soon
   */
  static ShutdownRequest onSignal(Runnable action) {
    ShutdownRequest request = new ShutdownRequest(action);
    Runtime.getRuntime().addShutdownHook(request.hook);
    return request;
  }

  /** The step has come to its end. */
  void end() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is going down already: the hook is what we just let go.
    }
  }
}
