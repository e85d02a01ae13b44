package io.github.pretrain4j.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.hash.Hashing;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Which template is applied, and what the model's own files say. A model may bring a Jinja template
 * that is not run here; then {@link #ignoredTemplate()} names it, and the server says so in {@code
 * /v1/models} and in its log, because an answer to another prompt format is not the model's best.
 *
 * @param template applied to every chat request
 * @param ignoredTemplate SHA-256 of the model's own template text, if it has one that is not
 *     applied
 */
public record ChatFormat(ChatTemplate template, @Nullable String ignoredTemplate) {

  private static final int LARGEST_CONFIG = 16 << 20;

  /** Plain, for a model that says nothing of chat. */
  public static ChatFormat plain() {
    return new ChatFormat(ChatTemplate.PLAIN, null);
  }

  /**
   * What a Hugging Face folder asks for.
   *
   * @param wanted the template to apply; null leaves it to the folder, which so far means plain
   */
  public static ChatFormat of(Path folder, @Nullable ChatTemplate wanted) throws IOException {
    String own = ownTemplate(folder);
    return new ChatFormat(
        wanted == null ? ChatTemplate.PLAIN : wanted,
        own == null ? null : Hashing.sha256().hashString(own, StandardCharsets.UTF_8).toString());
  }

  /** The template in {@code chat_template.jinja} or in {@code tokenizer_config.json}. */
  private static @Nullable String ownTemplate(Path folder) throws IOException {
    Path jinja = folder.resolve("chat_template.jinja");
    if (Files.exists(jinja)) {
      return Files.readString(jinja);
    }
    Path config = folder.resolve("tokenizer_config.json");
    if (!Files.exists(config)) {
      return null;
    }
    if (Files.size(config) > LARGEST_CONFIG) {
      throw new IOException(
          config + ": expected at most " + LARGEST_CONFIG + " bytes, found " + Files.size(config));
    }
    JsonNode template = new JsonMapper().readTree(config.toFile()).path("chat_template");
    if (template.isMissingNode() || template.isNull()) {
      return null;
    }
    return template.isTextual()
        ? template.textValue()
        : template.toString(); // several named ones: an array
  }
}
