package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.deploy.local.FakeServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line, on the target {@code local} with the fake server. */
class DeployToolTest {
  private final Path directory;
  private String out = "";
  private String err = "";

  DeployToolTest(@TempDir Path directory) {
    this.directory = directory;
  }

  private int run(String... args) {
    StringWriter output = new StringWriter();
    StringWriter errors = new StringWriter();
    ToolProvider tool = ToolProvider.findFirst("p4j-deploy").orElseThrow();
    int code = tool.run(new PrintWriter(output), new PrintWriter(errors), args);
    out = output.toString();
    err = errors.toString();
    return code;
  }

  private int runHere(String... args) {
    List<String> all = new ArrayList<>(List.of(args));
    all.addAll(
        List.of(
            "--name",
            "tiny",
            "--store",
            directory.resolve("store").toString(),
            "--server-command",
            FakeServer.command()));
    return run(all.toArray(String[]::new));
  }

  private String model(long seed) throws IOException {
    return TinyModel.write(directory.resolve("model" + seed), seed).toString();
  }

  @Test
  void deploysShowsAndStops() throws Exception {
    assertEquals(0, runHere("--target", "local", "--model", model(1), "--prompt", "你好"), () -> err);
    assertTrue(out.contains("tiny V1 serves at http://127.0.0.1:"), out);
    assertTrue(out.contains("answer: V1 heard"), out);
    assertTrue(err.contains("p4j-deploy: import: V1 imported"), err);
    try {
      assertEquals(0, runHere("--model", model(2), "--json"), () -> err);
      JsonNode report = Json.mapper().readTree(out);
      assertEquals("VERIFIED", report.path("state").asText());
      assertEquals("V2", report.at("/version/label").asText());
      assertEquals(64, report.at("/version/manifestSha256").asText().length());
      assertEquals("Hello", report.at("/firstAnswer/prompt").asText());
      assertEquals(0, runHere("status", "--json"), () -> err);
      JsonNode status = Json.mapper().readTree(out);
      assertEquals("READY", status.path("health").asText());
      assertEquals("[\"V1\",\"V2\"]", status.path("versions").toString());
    } finally {
      assertEquals(0, runHere("stop"), () -> err);
    }
    assertTrue(out.contains("tiny: STOPPED, versions [V1, V2]"), out);
  }

  @Test
  void inspectsWithoutDeploying() throws Exception {
    Path model = Path.of(model(1));
    assertEquals(0, runHere("--model", model.toString(), "--preflight-only"), () -> err);
    assertTrue(out.contains("9 files"), out);
    Files.delete(model.resolve("tokenizer.model"));
    Files.delete(model.resolve("model-00001-of-00002.safetensors"));
    assertEquals(1, runHere("--model", model.toString(), "--preflight-only", "--json"));
    assertTrue(err.contains("[tokenizer]") && err.contains("[shards]"), err);
    assertEquals("PreflightException", Json.mapper().readTree(out).path("error").asText());
    assertTrue(Files.notExists(directory.resolve("store")));
  }

  @Test
  void tellsWrongUsageFromAFailingWorld() throws Exception {
    assertEquals(2, run());
    assertTrue(err.startsWith("p4j-deploy: error: "), err);
    assertEquals(2, runHere("--model", model(1), "--prot", "1"));
    assertEquals(2, runHere("--model", model(1), "--port", "70000"));
    assertEquals(2, runHere("--model", model(1), "--target", "moon"));
    assertTrue(err.contains("known: [local]"), err);
    assertEquals(2, run("status", "--name", "a/b"));
    assertEquals(1, runHere("--model", directory.resolve("none").toString()));
    assertTrue(err.contains("does not exist"), err);
    assertTrue(!err.contains("\tat "), err);
  }

  @Test
  void saysWhenThereIsNothingToDeployTo() throws Exception {
    System.clearProperty("p4j.home");
    if (System.getenv("P4J_HOME") == null) {
      assertEquals(3, run("--model", model(1), "--name", "x", "--store", directory.toString()));
      assertTrue(err.contains("--server-command"), err);
    }
  }

  @Test
  void showsItsOptions() {
    assertEquals(0, run("--help"));
    assertTrue(out.contains("--server-command") && out.contains("status"), out);
  }
}
