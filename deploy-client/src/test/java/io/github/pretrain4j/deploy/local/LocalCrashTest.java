package io.github.pretrain4j.deploy.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.deploy.DeployFlow;
import io.github.pretrain4j.deploy.DeployReport;
import io.github.pretrain4j.deploy.DeployRequest;
import io.github.pretrain4j.deploy.ProgressListener;
import io.github.pretrain4j.deploy.ServiceReference;
import io.github.pretrain4j.deploy.ServiceStatus;
import io.github.pretrain4j.deploy.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The deploying process is halted at every message; the next run finds its orphans and finishes.
 */
class LocalCrashTest {
  private static final int MAX_MESSAGES = 12;

  private static ServiceReference service(Path store) {
    return new ServiceReference("tiny", store, Map.of("server-command", FakeServer.command()));
  }

  /** Arguments: store, model, and after how many messages to halt. */
  public static void main(String[] args) throws IOException, InterruptedException {
    AtomicInteger left = new AtomicInteger(Integer.parseInt(args[2]));
    DeployFlow.run(
        new LocalTarget(),
        DeployRequest.of(service(Path.of(args[0])), Path.of(args[1]), "hello"),
        (step, message) -> {
          if (left.getAndDecrement() == 0) {
            Runtime.getRuntime().halt(Crash.HALTED);
          }
        });
  }

  @Test
  void theNextRunFinishesWhatACrashCutOff(@TempDir Path directory) throws Exception {
    Path one = TinyModel.write(directory.resolve("one"), 1);
    Path two = TinyModel.write(directory.resolve("two"), 2);
    Path store = directory.resolve("store");
    LocalTarget target = new LocalTarget();
    DeployFlow.run(target, DeployRequest.of(service(store), one, "hello"), ProgressListener.NONE);
    try {
      int adopted = 0;
      int cut = 1; // message 0 is preflight's, before anything is done
      for (; cut < MAX_MESSAGES; cut++) {
        // The two take turns, so that each round replaces a running version by the other one.
        Path model = cut % 2 == 0 ? two : one;
        int code = Crash.run(LocalCrashTest.class, store.toString(), model.toString(), "" + cut);
        List<ProcessHandle> left = FakeServer.running(store);
        assertTrue(left.size() <= 2, left::toString);
        DeployReport report =
            DeployFlow.run(
                target, DeployRequest.of(service(store), model, "hello"), ProgressListener.NONE);
        assertEquals(cut % 2 == 0 ? "V2" : "V1", report.version().label());
        List<ProcessHandle> running = FakeServer.running(store);
        assertEquals(1, running.size(), "after a crash at message " + cut);
        adopted += left.contains(running.get(0)) ? 1 : 0;
        assertEquals(ServiceStatus.Health.READY, target.status(service(store)).health());
        if (code == 0) {
          break;
        }
        assertEquals(Crash.HALTED, code);
      }
      assertTrue(cut > 4 && cut < MAX_MESSAGES, "messages: " + cut);
      assertTrue(adopted > 1, "servers that were taken over: " + adopted);
      assertEquals(List.of("V1", "V2"), target.status(service(store)).versions());
    } finally {
      target.stop(service(store), ProgressListener.NONE);
    }
    assertEquals(List.of(), FakeServer.running(store));
  }
}
