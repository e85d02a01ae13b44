package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every deploy target keeps. A target's test extends it and says how to reach its service. */
public abstract class DeployTargetContract {
  protected final Path directory;

  protected DeployTargetContract(@TempDir Path directory) {
    this.directory = directory;
  }

  protected abstract DeployTarget target();

  /** A service of that target that does not exist yet; the same each time within one test. */
  protected abstract ServiceReference service();

  /** How many services are up, as the world sees it and not the journal. */
  protected abstract int running();

  protected DeployRequest request(Path model) {
    return DeployRequest.of(service(), model, "床前明月光");
  }

  protected DeployReport deploy(Path model) throws IOException, InterruptedException {
    return DeployFlow.run(target(), request(model), ProgressListener.NONE);
  }

  @AfterEach
  void stopEverything() throws IOException, InterruptedException {
    target().stop(service(), ProgressListener.NONE);
    assertEquals(0, running());
  }

  @Test
  void isFoundByItsName() {
    DeployTarget found = DeployTargets.load().find(target().name());
    assertEquals(target().getClass(), found.getClass());
    assertTrue(found.name().matches("[a-z0-9-]+"));
    assertInstanceOf(Availability.Available.class, found.availability(service()));
  }

  @Test
  void endsVerified() {
    List<DeployStep> steps = target().steps();
    assertEquals(DeployState.VERIFIED, steps.get(steps.size() - 1).after());
    assertTrue(steps.stream().allMatch(step -> step.name().matches("[a-z-]+")));
  }

  @Test
  void deploysAndAnswers() throws Exception {
    DeployReport report = deploy(TinyModel.write(directory.resolve("model"), 1));
    assertEquals("V1", report.version().label());
    assertTrue(report.version().created());
    assertFalse(report.firstAnswer().answer().isEmpty());
    assertTrue(report.toJson().contains("床前明月光"));
    ServiceStatus status = target().status(service());
    assertEquals(ServiceStatus.Health.READY, status.health());
    assertEquals("V1", status.version());
    assertEquals(DeployState.VERIFIED, status.lastState());
    assertEquals(report.endpoint(), status.endpoint());
    assertEquals(1, running());
  }

  @Test
  void changesNothingWhenRunAgain() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    DeployReport first = deploy(model);
    DeployReport second = deploy(model);
    assertEquals(first.endpoint(), second.endpoint());
    assertEquals("V1", second.version().label());
    assertFalse(second.version().created());
    assertEquals(List.of("V1"), target().status(service()).versions());
    assertEquals(1, running());
  }

  @Test
  void newContentIsANewVersionInServiceAlone() throws Exception {
    deploy(TinyModel.write(directory.resolve("one"), 1));
    DeployReport report = deploy(TinyModel.write(directory.resolve("two"), 2));
    assertEquals("V2", report.version().label());
    ServiceStatus status = target().status(service());
    assertEquals("V2", status.version());
    assertEquals(List.of("V1", "V2"), status.versions());
    assertEquals(1, running());
  }

  @Test
  void aFolderWithErrorsChangesNothing() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    TinyModel.text(model, "config.json", "{}");
    PreflightException e = assertThrows(PreflightException.class, () -> deploy(model));
    assertTrue(e.report().hasErrors());
    ServiceStatus status = target().status(service());
    assertEquals(ServiceStatus.Health.STOPPED, status.health());
    assertEquals(List.of(), status.versions());
    assertNull(status.lastState());
  }

  /**
   * Cut off by its listener at every message, then run again: one version, one service, verified.
   */
  @Test
  void continuesWhereverItWasCutOff() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    List<String> messages = new ArrayList<>();
    for (int cut = 0; ; cut++) {
      int at = cut;
      messages.clear();
      try {
        DeployFlow.run(
            target(),
            request(model),
            (step, message) -> {
              messages.add(step);
              if (messages.size() > at) {
                throw new IllegalStateException("cut off");
              }
            });
        break;
      } catch (IllegalStateException e) {
        assertEquals("cut off", e.getMessage());
      }
      assertTrue(running() <= 1);
    }
    assertTrue(messages.size() > 3, messages::toString);
    assertEquals(List.of("V1"), target().status(service()).versions());
    assertEquals(1, running());
  }

  @Test
  void stopsAndStaysStopped() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    deploy(model);
    for (int i = 0; i < 2; i++) {
      ServiceStatus status = target().stop(service(), ProgressListener.NONE);
      assertEquals(ServiceStatus.Health.STOPPED, status.health());
      assertEquals(List.of("V1"), status.versions());
      assertEquals(0, running());
    }
    assertEquals("V1", deploy(model).version().label());
  }
}
