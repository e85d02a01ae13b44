package io.github.pretrain4j.deploy.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.deploy.ApiException;
import io.github.pretrain4j.deploy.DeployException;
import io.github.pretrain4j.deploy.DeployFlow;
import io.github.pretrain4j.deploy.DeployJournal;
import io.github.pretrain4j.deploy.DeployReport;
import io.github.pretrain4j.deploy.DeployRequest;
import io.github.pretrain4j.deploy.DeployState;
import io.github.pretrain4j.deploy.DeployTarget;
import io.github.pretrain4j.deploy.DeployTargetContract;
import io.github.pretrain4j.deploy.DeployTimeoutException;
import io.github.pretrain4j.deploy.GenerationMode;
import io.github.pretrain4j.deploy.PreflightException;
import io.github.pretrain4j.deploy.ProgressListener;
import io.github.pretrain4j.deploy.ServiceFailedException;
import io.github.pretrain4j.deploy.ServiceReference;
import io.github.pretrain4j.deploy.ServiceStatus;
import io.github.pretrain4j.deploy.TinyModel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocalTargetTest extends DeployTargetContract {

  LocalTargetTest(@TempDir Path directory) {
    super(directory);
  }

  @Override
  protected DeployTarget target() {
    return new LocalTarget();
  }

  @Override
  protected ServiceReference service() {
    return service(0);
  }

  private ServiceReference service(int port) {
    return new ServiceReference(
        "tiny-zh",
        directory.resolve("store"),
        Map.of("server-command", FakeServer.command(), "port", String.valueOf(port)));
  }

  @Override
  protected int running() {
    return FakeServer.running(directory).size();
  }

  private Path model(String folder, long seed, String mode) throws IOException {
    Path model = TinyModel.write(directory.resolve(folder), seed);
    TinyModel.text(model, FakeServer.MODE_FILE, mode);
    return model;
  }

  private DeployReport deploy(Path model, Duration readyTimeout, int port)
      throws IOException, InterruptedException {
    DeployRequest request =
        new DeployRequest(
            service(port), model, null, "hello", 4, readyTimeout, Duration.ofSeconds(20), null);
    return DeployFlow.run(target(), request, ProgressListener.NONE);
  }

  private void assertServing(String version) throws IOException, InterruptedException {
    ServiceStatus status = target().status(service());
    assertEquals(ServiceStatus.Health.READY, status.health());
    assertEquals(version, status.version());
    assertEquals(1, running());
  }

  @Test
  void asksTheServerOfTheVersionItImported() throws Exception {
    DeployReport report = deploy(TinyModel.write(directory.resolve("model"), 1));
    assertTrue(report.firstAnswer().answer().startsWith("V1 heard "));
    assertEquals(GenerationMode.COMPLETION, report.firstAnswer().mode());
    assertEquals(5, report.firstAnswer().completionTokens());
  }

  @Test
  void chatsWhenTheTokenizerHasATemplate() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    TinyModel.text(model, "chat_template.jinja", "{{ messages }}");
    assertEquals(GenerationMode.CHAT, deploy(model).firstAnswer().mode());
  }

  @Test
  void waitsForAServerThatLoadsSlowly() throws Exception {
    deploy(model("model", 1, "slow"));
    assertServing("V1");
  }

  @Test
  void saysHowAServerThatDiesAtOnceEnded() throws Exception {
    Path model = model("model", 1, "die");
    ServiceFailedException e = assertThrows(ServiceFailedException.class, () -> deploy(model));
    assertEquals(OptionalInt.of(7), e.exitCode());
    assertTrue(e.lastLines().contains("cannot read tensor 7"), e::getMessage);
    ServiceStatus status = target().status(service());
    assertEquals(DeployState.FAILED, status.lastState());
    assertTrue(String.valueOf(status.lastFailure()).contains("exit code 7"));
  }

  @Test
  void saysHowAServerThatDiesWhileLoadingEnded() throws Exception {
    Path model = model("model", 1, "die-later");
    ServiceFailedException e = assertThrows(ServiceFailedException.class, () -> deploy(model));
    assertEquals(OptionalInt.of(8), e.exitCode());
    assertTrue(String.valueOf(e.getMessage()).contains("out of memory"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"silent", "unhealthy"})
  void givesUpOnAServerThatNeverGetsReady(String mode) throws Exception {
    Path model = model("model", 1, mode);
    DeployTimeoutException e =
        assertThrows(DeployTimeoutException.class, () -> deploy(model, Duration.ofMillis(2500), 0));
    assertTrue(String.valueOf(e.getMessage()).contains("; log "), e::getMessage);
    assertEquals(0, running());
  }

  @Test
  void refusesAPortFileWithoutAPort() throws Exception {
    Path model = model("model", 1, "bad-port");
    DeployException e = assertThrows(DeployException.class, () -> deploy(model));
    assertTrue(String.valueOf(e.getMessage()).contains("'many'"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"die", "broken"})
  void keepsTheRunningVersionWhenTheNewOneFails(String mode) throws Exception {
    deploy(TinyModel.write(directory.resolve("one"), 1));
    Path two = model("two", 2, mode);
    DeployException e = assertThrows(DeployException.class, () -> deploy(two));
    assertEquals(mode.equals("broken"), e instanceof ApiException);
    assertServing("V1");
  }

  @Test
  void startsAServerThatDiedAgain() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    deploy(model);
    ServerProcesses.end(FakeServer.running(directory).get(0));
    assertEquals(ServiceStatus.Health.STOPPED, target().status(service()).health());
    deploy(model);
    assertServing("V1");
  }

  @Test
  void servesOnThePortAskedFor() throws Exception {
    int port = freePort();
    DeployReport report =
        deploy(TinyModel.write(directory.resolve("model"), 1), Duration.ofSeconds(60), port);
    assertEquals(port, report.endpoint().base().getPort());
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  @Test
  void refusesAPortThatIsTaken() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      DeployException e =
          assertThrows(
              DeployException.class,
              () -> deploy(model, Duration.ofSeconds(60), taken.getLocalPort()));
      assertTrue(String.valueOf(e.getMessage()).contains("in use by another program"));
    }
  }

  @Test
  void refusesToReplaceAVersionOnItsOwnPort() throws Exception {
    int port = freePort();
    deploy(TinyModel.write(directory.resolve("one"), 1), Duration.ofSeconds(60), port);
    Path two = TinyModel.write(directory.resolve("two"), 2);
    DeployException e =
        assertThrows(DeployException.class, () -> deploy(two, Duration.ofSeconds(60), port));
    assertTrue(String.valueOf(e.getMessage()).contains("held by the running V1"));
    assertServing("V1");
  }

  @Test
  void neverEndsAProcessThatOnlyHasTheSameId() throws Exception {
    deploy(TinyModel.write(directory.resolve("model"), 1));
    ProcessHandle server = FakeServer.running(directory).get(0);
    try (DeployJournal journal = DeployJournal.open(service(), "local")) {
      ServerRecord record =
          Objects.requireNonNull(journal.get(LocalServer.SERVING, ServerRecord.class));
      assertEquals(server.pid(), record.pid());
      journal.put(
          LocalServer.SERVING,
          record.started(
              record.pid(), record.startMillis() - 3_600_000)); // an hour ago: another one
    }
    target().stop(service(), ProgressListener.NONE);
    assertTrue(server.isAlive());
    ServerProcesses.end(server);
  }

  @Test
  void refusesASecondDeploymentOfTheSameService() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    DeployJournal busy = DeployJournal.open(service(), "local");
    try (busy) {
      DeployException e = assertThrows(DeployException.class, () -> deploy(model));
      assertTrue(String.valueOf(e.getMessage()).contains("another deployment"));
    }
    deploy(model);
    assertServing("V1");
  }

  @Test
  void refusesANameItCannotUse() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    ServiceReference odd =
        new ServiceReference("_ tiny", directory.resolve("store"), service().settings());
    PreflightException e =
        assertThrows(
            PreflightException.class,
            () ->
                DeployFlow.run(target(), DeployRequest.of(odd, model, "x"), ProgressListener.NONE));
    assertEquals("name", e.report().findings().get(0).rule());
  }

  @Test
  void refusesACommandThatCannotBeStarted() throws Exception {
    Path model = TinyModel.write(directory.resolve("model"), 1);
    ServiceReference wrong =
        new ServiceReference(
            "tiny-zh", directory.resolve("store"), Map.of("server-command", "/no/such/program"));
    DeployException e =
        assertThrows(
            DeployException.class,
            () ->
                DeployFlow.run(
                    target(), DeployRequest.of(wrong, model, "x"), ProgressListener.NONE));
    assertTrue(String.valueOf(e.getMessage()).contains("/no/such/program"));
  }

  @Test
  void anInterruptStopsTheCandidate() throws Exception {
    Path model = model("model", 1, "unhealthy");
    Thread deploying = Thread.currentThread();
    Thread interrupter =
        new Thread(
            () -> {
              while (FakeServer.running(directory).isEmpty()) {
                Thread.onSpinWait();
              }
              deploying.interrupt();
            },
            "interrupter");
    interrupter.start();
    assertThrows(InterruptedException.class, () -> deploy(model));
    interrupter.join();
    assertEquals(DeployState.CANCELLED, target().status(service()).lastState());
    assertEquals(0, running());
  }

  @Test
  void statusOfNothingIsStopped() throws Exception {
    ServiceStatus status = target().status(service());
    assertEquals(ServiceStatus.Health.STOPPED, status.health());
    assertNull(status.lastState());
    assertFalse(Files.exists(directory.resolve("store")));
  }
}
