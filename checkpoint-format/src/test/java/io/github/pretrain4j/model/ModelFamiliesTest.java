package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ModelFamiliesTest {
  /** A family whose name is taken. */
  public static final class SecondLlama implements ModelFamily {
    @Override
    public String name() {
      return "llama";
    }

    @Override
    public TransformerConfig config(HuggingFaceConfig source) {
      return TransformerConfig.decoder(source);
    }

    @Override
    public WeightMapping weights(TransformerConfig config) {
      return WeightMapping.llamaLayout(config);
    }
  }

  private static ModelFamilies withServiceLine(Path directory, String line) throws IOException {
    Path services = Files.createDirectories(directory.resolve("META-INF/services"));
    Files.writeString(services.resolve(ModelFamily.class.getName()), line + "\n");
    try (URLClassLoader loader =
        new URLClassLoader(
            new URL[] {directory.toUri().toURL()}, ModelFamily.class.getClassLoader())) {
      return ModelFamilies.installed(loader);
    }
  }

  @Test
  void findsTheFamiliesOfTheLibrary() {
    assertTrue(ModelFamilies.installed().names().containsAll(Set.of("llama", "mistral", "qwen2")));
    assertEquals(0, ModelFamilies.installed().failures().size());
  }

  @Test
  void listsWhatIsKnownAndWhatDidNotLoadForAnUnknownName(@TempDir Path directory)
      throws IOException {
    ModelFamilies families = withServiceLine(directory, "com.example.Gone");
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> families.get("gpt5"));
    assertTrue(
        String.valueOf(e.getMessage()).contains("llama, mistral, mixtral, qwen2"), e::toString);
    assertTrue(String.valueOf(e.getMessage()).contains("com.example.Gone"), e::toString);
    HuggingFaceConfig source =
        HuggingFaceConfig.parse("{\"model_type\": \"gpt5\"}", Path.of("x/config.json"));
    InvalidConfigException invalid =
        assertThrows(InvalidConfigException.class, () -> families.config(source));
    assertEquals("model_type", invalid.field());
    assertTrue(String.valueOf(invalid.getMessage()).startsWith(Path.of("x/config.json") + ": "));
  }

  @Test
  void refusesTwoFamiliesOfOneName(@TempDir Path directory) {
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () -> withServiceLine(directory, SecondLlama.class.getName()));
    assertTrue(String.valueOf(e.getMessage()).contains(SecondLlama.class.getName()), e::toString);
  }

  @Test
  void refusesWhatAFamilyCannotExpress() throws IOException {
    for (String change :
        new String[] {
          "\"hidden_act\": \"gelu\"",
          "\"attention_bias\": true",
          "\"mlp_bias\": true",
          "\"hidden_size\": 0",
          "\"hidden_size\": 16.5",
          "\"num_key_value_heads\": 3",
          "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}",
          "\"max_position_embeddings\": 99999999999"
        }) {
      String field = change.substring(1, change.indexOf('"', 1));
      String json =
          ConfigTexts.LLAMA_4
              .replaceAll("\"" + field + "\":\\s*(\\{[^}]*}|[^,{}]+),", "")
              .replace("{\"model_type\"", "{" + change + ", \"model_type\"");
      HuggingFaceConfig source = HuggingFaceConfig.parse(json, Path.of("config.json"));
      InvalidConfigException invalid =
          assertThrows(
              InvalidConfigException.class, () -> ModelFamilies.installed().config(source), change);
      assertTrue(invalid.field().startsWith(field), invalid::toString);
    }
  }

  @Test
  void namesTheFileThatIsNoConfiguration(@TempDir Path directory) {
    for (String json : new String[] {"", "[]", "{", "{\"a\": 1, \"a\": 2}", "{} {}", "\u0000"}) {
      InvalidConfigException invalid =
          assertThrows(
              InvalidConfigException.class,
              () -> HuggingFaceConfig.parse(json, Path.of("config.json")),
              json);
      assertTrue(
          String.valueOf(invalid.getMessage()).startsWith("config.json: "), invalid::toString);
    }
    assertThrows(InvalidConfigException.class, () -> HuggingFaceConfig.read(directory));
  }
}
