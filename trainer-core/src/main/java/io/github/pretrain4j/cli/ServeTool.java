package io.github.pretrain4j.cli;

import io.github.pretrain4j.generate.ModelLoader;
import io.github.pretrain4j.serve.ChatFormat;
import io.github.pretrain4j.serve.ChatTemplate;
import io.github.pretrain4j.serve.ModelServer;
import io.github.pretrain4j.serve.ServeConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/** {@code p4j serve}: an OpenAI-compatible server for one model, until it is told to stop. */
public final class ServeTool extends CommandLineTool {

  private static final int DEFAULT_PORT = 8000;

  public ServeTool() {
    super("p4j-serve", "Serve a model over an OpenAI-compatible HTTP interface");
  }

  @Override
  void declare(CommandSpec spec) {
    ModelOptions.declare(spec);
    spec.addOption(
        option("--model-name", String.class, "ID", "the model's id (default: the folder's name)")
            .build());
    spec.addOption(
        option(
                "--host",
                String.class,
                "ADDRESS",
                "the address to listen on (default: loopback only)")
            .build());
    spec.addOption(
        option("--port", int.class, "N", "0 takes a free one (default: " + DEFAULT_PORT + ")")
            .build());
    spec.addOption(
        option("--port-file", Path.class, "FILE", "where to write the port once listening")
            .build());
    spec.addOption(
        option(
                "--chat-template",
                String.class,
                "NAME",
                "plain or llama2: how messages become a prompt (default: plain)")
            .build());
    spec.addOption(
        option("--queue", int.class, "N", "requests that may wait for the model (default: 16)")
            .build());
    spec.addOption(
        option(
                "--seed",
                long.class,
                "N",
                "where the seeds of requests without one start (default: 1234)")
            .build());
  }

  @Override
  int run(ParseResult options, PrintWriter out, PrintWriter err)
      throws IOException, InterruptedException {
    Path folder = ModelOptions.model(options);
    ServeConfig config = config(options, folder);
    ChatFormat chat = ChatFormat.of(folder, template(options));
    if (chat.ignoredTemplate() != null) {
      err.printf(
          "serve: warning: the model brings its own chat template, which is not run here; chats use the %s template%n",
          chat.template().name().toLowerCase(Locale.ROOT));
    }
    ModelLoader.Options model = ModelOptions.of(options);
    CountDownLatch stop = new CountDownLatch(1);
    ShutdownRequest request = ShutdownRequest.onSignal(stop::countDown);
    try (ModelServer server =
        ModelServer.start(config, chat, () -> ModelLoader.load(folder, model))) {
      String address = "http://%s:%d".formatted(host(config.address()), server.port());
      err.println("serve: loading " + folder);
      err.flush();
      server.awaitReady();
      out.printf("serve: ready: %s serves %s%n", address, config.modelId());
      out.flush();
      stop.await();
      err.println("serve: stopping");
      err.flush();
    } finally {
      request.end();
    }
    return ExitCode.OK;
  }

  private static ServeConfig config(ParseResult options, Path folder) throws IOException {
    ServeConfig defaults = ServeConfig.of("model", DEFAULT_PORT);
    Path name = folder.toAbsolutePath().normalize().getFileName();
    String host = options.matchedOptionValue("--host", null);
    return new ServeConfig(
        options.matchedOptionValue(
            "--model-name", name == null ? defaults.modelId() : name.toString()),
        host == null ? defaults.address() : InetAddress.getByName(host),
        options.matchedOptionValue("--port", DEFAULT_PORT),
        options.matchedOptionValue("--port-file", null),
        options.matchedOptionValue("--queue", defaults.queueCapacity()),
        defaults.maxBodyBytes(),
        options.matchedOptionValue("--seed", 1234L));
  }

  private static @Nullable ChatTemplate template(ParseResult options) {
    String name = options.matchedOptionValue("--chat-template", null);
    if (name == null) {
      return null;
    }
    for (ChatTemplate template : ChatTemplate.values()) {
      if (template.name().toLowerCase(Locale.ROOT).equals(name)) {
        return template;
      }
    }
    throw new IllegalArgumentException("--chat-template: expected plain or llama2, found " + name);
  }

  private static String host(InetAddress address) {
    String text = address.getHostAddress();
    return text.contains(":") ? "[" + text + "]" : text;
  }
}
