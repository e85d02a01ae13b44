package io.github.pretrain4j.deploy.local;

import io.github.pretrain4j.deploy.Availability;
import io.github.pretrain4j.deploy.DeployContext;
import io.github.pretrain4j.deploy.DeployJournal;
import io.github.pretrain4j.deploy.DeployRequest;
import io.github.pretrain4j.deploy.DeployState;
import io.github.pretrain4j.deploy.DeployStep;
import io.github.pretrain4j.deploy.DeployTarget;
import io.github.pretrain4j.deploy.Endpoint;
import io.github.pretrain4j.deploy.Finding;
import io.github.pretrain4j.deploy.FirstAnswer;
import io.github.pretrain4j.deploy.GenerationMode;
import io.github.pretrain4j.deploy.OpenAiClient;
import io.github.pretrain4j.deploy.PreflightReport;
import io.github.pretrain4j.deploy.ProgressListener;
import io.github.pretrain4j.deploy.ServiceReference;
import io.github.pretrain4j.deploy.ServiceStatus;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Serves a model on this machine: imports it into a store as V1, V2, …, starts a server on it,
 * waits until that is healthy, asks it something, and only then stops the server of the version
 * before.
 *
 * <p>Settings: {@code server-command} (see package-info) and {@code port} (0 or absent: any).
 */
public final class LocalTarget implements DeployTarget {
  private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{N}][\\p{L}\\p{N}._-]{0,63}");

  @Override
  public String name() {
    return "local";
  }

  @Override
  public Availability availability(ServiceReference service) {
    return command(service).availability();
  }

  static ServerCommand command(ServiceReference service) {
    return ServerCommand.of(
        service.settings(), System.getProperty("p4j.home"), System.getenv("P4J_HOME"));
  }

  @Override
  public List<Finding> rules(DeployRequest request, PreflightReport preflight) {
    LocalServer.requestedPort(request.service()); // a bad setting shows before anything is done
    String name = request.service().name();
    if (!NAME.matcher(name).matches()) {
      return List.of(
          Finding.error(
              "name",
              "",
              "model name '"
                  + name
                  + "' must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter or digit"));
    }
    return List.of();
  }

  /*
   * The journal's keys: "serving" is the server that is up for users, "candidate" the one being
   * tried, "retired" the one to be stopped. The switch moves candidate to serving and serving to
   * retired in one write, so that at every moment each process of ours is under one of the three.
   */
  @Override
  public List<DeployStep> steps() {
    return List.of(
        new DeployStep("import", DeployState.IMPORTING, DeployState.IMPORTED, this::importModel),
        new DeployStep("start", DeployState.DEPLOYING, DeployState.SERVING, this::start),
        new DeployStep("first-request", DeployState.SERVING, DeployState.SERVING, this::ask),
        new DeployStep("switch", DeployState.SERVING, DeployState.VERIFIED, this::switchOver));
  }

  private void importModel(DeployContext context) throws IOException {
    var store = new LocalModelStore(context.request().service().directory());
    var version =
        store.importModel(
            context.request().model(), context.preflight().files(), context.progress());
    context.imported(version);
    context
        .progress()
        .message(
            "import",
            version.label() + (version.created() ? " imported" : " has this content already"));
  }

  private void start(DeployContext context) throws IOException, InterruptedException {
    new LocalServer(context).start();
  }

  private void ask(DeployContext context) throws IOException, InterruptedException {
    DeployRequest request = context.request();
    Endpoint endpoint = context.endpoint();
    OpenAiClient client = LocalServer.client(endpoint.base(), request.requestTimeout());
    OpenAiClient.Sampling sampling = OpenAiClient.Sampling.greedy(request.maxTokens());
    long start = System.nanoTime();
    OpenAiClient.Generation answer;
    try {
      if (context.mode() == GenerationMode.CHAT) {
        var messages = List.of(new OpenAiClient.Message("user", request.prompt()));
        answer = client.chat(endpoint.model(), messages, sampling);
      } else {
        answer = client.complete(endpoint.model(), request.prompt(), sampling);
      }
    } catch (IOException | InterruptedException | RuntimeException e) {
      new LocalServer(context).abandonCandidate(e);
      throw e;
    }
    context.answered(
        new FirstAnswer(
            context.mode(),
            request.prompt(),
            answer.text(),
            answer.finishReason(),
            answer.promptTokens(),
            answer.completionTokens(),
            (System.nanoTime() - start) / 1e9));
    context.progress().message("first-request", "answered: " + answer.text());
  }

  private void switchOver(DeployContext context) throws IOException, InterruptedException {
    new LocalServer(context).switchOver();
  }

  @Override
  public ServiceStatus status(ServiceReference service) throws IOException, InterruptedException {
    DeployJournal journal = DeployJournal.peek(service, name());
    return status(service, journal);
  }

  private ServiceStatus status(ServiceReference service, DeployJournal journal)
      throws IOException, InterruptedException {
    List<String> versions =
        new LocalModelStore(service.directory())
            .versions().keySet().stream().map(number -> "V" + number).toList();
    ServerRecord serving = journal.get(LocalServer.SERVING, ServerRecord.class);
    if (serving == null || ServerProcesses.find(serving).isEmpty()) {
      return new ServiceStatus(
          name(),
          service.name(),
          ServiceStatus.Health.STOPPED,
          journal.state(),
          journal.failure(),
          null,
          null,
          versions);
    }
    Endpoint endpoint = LocalServer.endpoint(service.name(), serving);
    boolean healthy = LocalServer.client(endpoint.base(), LocalServer.HEALTH_TIMEOUT).healthy();
    return new ServiceStatus(
        name(),
        service.name(),
        healthy ? ServiceStatus.Health.READY : ServiceStatus.Health.UNHEALTHY,
        journal.state(),
        journal.failure(),
        serving.version(),
        endpoint,
        versions);
  }

  @Override
  public ServiceStatus stop(ServiceReference service, ProgressListener progress)
      throws IOException, InterruptedException {
    try (DeployJournal journal = DeployJournal.open(service, name())) {
      for (String key : List.of(LocalServer.CANDIDATE, LocalServer.RETIRED, LocalServer.SERVING)) {
        LocalServer.end(journal, key, progress);
      }
      return status(service, journal);
    }
  }

  static Map<String, String> details(ServerRecord server) {
    Map<String, String> details = new TreeMap<>();
    details.put("pid", String.valueOf(server.pid()));
    details.put("log", server.log());
    details.put("version", server.version());
    return details;
  }
}
