package io.github.pretrain4j.serve;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The body of a completion request, checked. Total: a field that would change the answer and is not
 * honoured here is refused, so that nobody measures a setting that did nothing.
 *
 * @param prompts texts and token lists to continue; one for a chat
 * @param maxTokens negative if not given
 * @param seed null if not given
 */
record GenerationRequest(
    List<Prompt> prompts,
    int maxTokens,
    double temperature,
    double topP,
    int topK,
    @Nullable Long seed,
    List<String> stop,
    boolean echo,
    boolean stream,
    boolean streamUsage) {

  /** What to continue. */
  sealed interface Prompt {
    record Text(String text) implements Prompt {}

    record Tokens(List<Integer> ids) implements Prompt {}
  }

  private static final int MOST_STOPS = 16;
  private static final int MOST_PROMPTS = 64;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /** Fields that say nothing about the answer. */
  private static final Set<String> WITHOUT_EFFECT =
      Set.of("user", "metadata", "store", "service_tier");

  private static final Set<String> COMMON =
      Set.of(
          "model",
          "max_tokens",
          "temperature",
          "top_p",
          "top_k",
          "seed",
          "stop",
          "stream",
          "stream_options",
          "n");

  /** Fields that are accepted with the value that means "off", per OpenAI's reference. */
  private static final Set<String> ONLY_OFF =
      Set.of(
          "best_of",
          "logprobs",
          "top_logprobs",
          "logit_bias",
          "presence_penalty",
          "frequency_penalty",
          "suffix",
          "tools",
          "tool_choice",
          "functions",
          "function_call",
          "response_format");

  static GenerationRequest completion(byte[] body, String modelId) throws ApiException {
    JsonNode root = parse(body);
    checkFields(root, Set.of("prompt", "echo"));
    checkModel(root, modelId);
    return common(
        root, prompts(root.path("prompt")), flag(root, "echo"), integer(root, "max_tokens", 16, 0));
  }

  static GenerationRequest chat(byte[] body, String modelId, ChatTemplate template)
      throws ApiException {
    JsonNode root = parse(body);
    checkFields(root, Set.of("messages", "max_completion_tokens"));
    checkModel(root, modelId);
    String prompt = template.render(messages(root.path("messages")));
    int maxTokens = integer(root, "max_tokens", -1, 0);
    if (present(root, "max_completion_tokens")) {
      maxTokens = integer(root, "max_completion_tokens", -1, 0);
    }
    GenerationRequest request = common(root, List.of(new Prompt.Text(prompt)), false, maxTokens);
    List<String> stop = new ArrayList<>(request.stop);
    stop.addAll(template.stop());
    return new GenerationRequest(
        request.prompts,
        request.maxTokens,
        request.temperature,
        request.topP,
        request.topK,
        request.seed,
        stop,
        false,
        request.stream,
        request.streamUsage);
  }

  private static GenerationRequest common(
      JsonNode root, List<Prompt> prompts, boolean echo, int maxTokens) throws ApiException {
    if (integer(root, "n", 1, 1) != 1) {
      throw ApiException.invalid("n", "n: only 1 answer per prompt is supported");
    }
    boolean stream = flag(root, "stream");
    JsonNode streamOptions = root.path("stream_options");
    if (present(root, "stream_options") && (!stream || !streamOptions.isObject())) {
      throw ApiException.invalid(
          "stream_options", "stream_options: an object, allowed only with \"stream\": true");
    }
    return new GenerationRequest(
        prompts,
        maxTokens,
        number(root, "temperature", 1, 0, 2),
        topP(root),
        integer(root, "top_k", 0, 0),
        present(root, "seed")
            ? (Long) integral(root, "seed", Long.MIN_VALUE, Long.MAX_VALUE)
            : null,
        stops(root.path("stop")),
        echo,
        stream,
        streamOptions.path("include_usage").asBoolean(false));
  }

  private static double topP(JsonNode root) throws ApiException {
    double value = number(root, "top_p", 1, 0, 1);
    if (value == 0) {
      throw ApiException.invalid(
          "top_p", "top_p: expected a number above 0 and at most 1, found 0");
    }
    return value;
  }

  private static JsonNode parse(byte[] body) throws ApiException {
    JsonNode root;
    try {
      root = JSON.readTree(body);
    } catch (JsonProcessingException e) {
      throw new ApiException(
          400,
          "invalid_json",
          null,
          "the body is not JSON: %s (line %d, column %d)"
              .formatted(
                  e.getOriginalMessage(),
                  e.getLocation().getLineNr(),
                  e.getLocation().getColumnNr()));
    } catch (IOException e) {
      throw new ApiException(
          400, "invalid_json", null, "the body is not UTF-8 JSON: " + e.getMessage());
    }
    if (!root.isObject()) {
      throw new ApiException(400, "invalid_json", null, "the body must be a JSON object");
    }
    return root;
  }

  private static void checkFields(JsonNode root, Set<String> own) throws ApiException {
    for (Iterator<String> names = root.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (own.contains(name) || COMMON.contains(name) || WITHOUT_EFFECT.contains(name)) {
        continue;
      }
      if (!ONLY_OFF.contains(name)) {
        Set<String> known = new TreeSet<>(COMMON);
        known.addAll(own);
        throw new ApiException(
            400,
            "unknown_parameter",
            name,
            "unknown field '" + name + "'; known: " + String.join(", ", known));
      }
      if (!isOff(name, root.path(name))) {
        throw new ApiException(
            400, "unsupported_parameter", name, "'" + name + "' is not supported by this server");
      }
    }
  }

  private static boolean isOff(String name, JsonNode value) {
    return switch (name) {
      case "best_of" -> value.isNull() || value.asInt(-1) == 1;
      case "tool_choice", "function_call" -> value.isNull() || value.asText().equals("none");
      case "response_format" -> value.isNull() || value.path("type").asText().equals("text");
      default ->
          value.isNull()
              || (value.isBoolean() && !value.booleanValue())
              || (value.isNumber() && value.doubleValue() == 0 && !name.equals("logprobs"))
              || (value.isTextual() && value.textValue().isEmpty())
              || (value.isContainerNode() && value.isEmpty());
    };
  }

  private static void checkModel(JsonNode root, String modelId) throws ApiException {
    if (present(root, "model") && !root.path("model").asText().equals(modelId)) {
      throw new ApiException(
          404,
          "model_not_found",
          "model",
          "no model '%s' here; this server has '%s'"
              .formatted(root.path("model").asText(), modelId));
    }
  }

  private static List<Prompt> prompts(JsonNode prompt) throws ApiException {
    if (prompt.isTextual()) {
      return List.of(new Prompt.Text(prompt.textValue()));
    }
    if (!prompt.isArray() || prompt.isEmpty()) {
      throw ApiException.invalid(
          "prompt", "prompt: expected a text, a list of texts, or token ids");
    }
    if (prompt.get(0).isNumber()) {
      return List.of(tokens(prompt));
    }
    if (prompt.size() > MOST_PROMPTS) {
      throw ApiException.invalid("prompt", "prompt: at most " + MOST_PROMPTS + " in one request");
    }
    List<Prompt> prompts = new ArrayList<>();
    for (JsonNode one : prompt) {
      prompts.add(one.isTextual() ? new Prompt.Text(one.textValue()) : tokens(one));
    }
    return prompts;
  }

  private static Prompt tokens(JsonNode list) throws ApiException {
    List<Integer> ids = new ArrayList<>();
    for (JsonNode id : list) {
      if (!id.isInt()) {
        throw ApiException.invalid("prompt", "prompt: expected token ids, found " + id);
      }
      ids.add(id.intValue());
    }
    if (!list.isArray() || ids.isEmpty()) {
      throw ApiException.invalid(
          "prompt", "prompt: expected a text or a list of token ids, found " + list);
    }
    return new Prompt.Tokens(ids);
  }

  private static List<ChatMessage> messages(JsonNode list) throws ApiException {
    if (!list.isArray() || list.isEmpty()) {
      throw ApiException.invalid("messages", "messages: expected a list of at least one message");
    }
    List<ChatMessage> messages = new ArrayList<>();
    for (JsonNode message : list) {
      messages.add(message(message, "messages[" + messages.size() + "]"));
    }
    if (messages.get(messages.size() - 1).role() != ChatMessage.Role.USER) {
      throw ApiException.invalid("messages", "messages: the last one must be the user's");
    }
    return messages;
  }

  private static ChatMessage message(JsonNode message, String where) throws ApiException {
    String role = message.path("role").asText();
    for (ChatMessage.Role known : ChatMessage.Role.values()) {
      if (known.name().toLowerCase(Locale.ROOT).equals(role)) {
        return new ChatMessage(known, content(message.path("content"), where + ".content"));
      }
    }
    throw ApiException.invalid(
        where + ".role", where + ".role: expected system, user or assistant, found '" + role + "'");
  }

  /** A text, or the list-of-parts form with text parts only. */
  private static String content(JsonNode content, String where) throws ApiException {
    if (content.isTextual()) {
      return content.textValue();
    }
    StringBuilder text = new StringBuilder();
    for (JsonNode part : content) {
      if (!part.path("type").asText().equals("text") || !part.path("text").isTextual()) {
        throw ApiException.invalid(where, where + ": only text is supported");
      }
      text.append(part.path("text").textValue());
    }
    if (!content.isArray()) {
      throw ApiException.invalid(where, where + ": expected a text");
    }
    return text.toString();
  }

  private static List<String> stops(JsonNode stop) throws ApiException {
    List<String> stops = new ArrayList<>();
    if (stop.isTextual()) {
      stops.add(stop.textValue());
    } else if (stop.isArray()) {
      for (JsonNode one : stop) {
        if (!one.isTextual()) {
          throw ApiException.invalid("stop", "stop: expected texts, found " + one);
        }
        stops.add(one.textValue());
      }
    } else if (!stop.isMissingNode() && !stop.isNull()) {
      throw ApiException.invalid("stop", "stop: expected a text or a list of texts");
    }
    if (stops.size() > MOST_STOPS || stops.contains("")) {
      throw ApiException.invalid(
          "stop", "stop: at most " + MOST_STOPS + " texts, none of them empty");
    }
    return stops;
  }

  private static boolean present(JsonNode root, String name) {
    return root.hasNonNull(name);
  }

  private static boolean flag(JsonNode root, String name) throws ApiException {
    if (present(root, name) && !root.path(name).isBoolean()) {
      throw ApiException.invalid(name, name + ": expected true or false, found " + root.path(name));
    }
    return root.path(name).asBoolean(false);
  }

  private static double number(
      JsonNode root, String name, double otherwise, double least, double most) throws ApiException {
    if (!present(root, name)) {
      return otherwise;
    }
    JsonNode value = root.path(name);
    if (!value.isNumber() || !(value.doubleValue() >= least && value.doubleValue() <= most)) {
      throw ApiException.invalid(
          name,
          "%s: expected a number between %s and %s, found %s".formatted(name, least, most, value));
    }
    return value.doubleValue();
  }

  private static int integer(JsonNode root, String name, int otherwise, int least)
      throws ApiException {
    return present(root, name) ? (int) integral(root, name, least, Integer.MAX_VALUE) : otherwise;
  }

  private static long integral(JsonNode root, String name, long least, long most)
      throws ApiException {
    JsonNode value = root.path(name);
    if (!value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < least
        || value.longValue() > most) {
      throw ApiException.invalid(
          name, "%s: expected an integer of at least %s, found %s".formatted(name, least, value));
    }
    return value.longValue();
  }
}
