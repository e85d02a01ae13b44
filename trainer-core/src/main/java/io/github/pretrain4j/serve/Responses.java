package io.github.pretrain4j.serve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.generate.FinishReason;
import io.github.pretrain4j.generate.Generation;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The JSON objects of OpenAI's interface, for one answer: completion or chat, whole or in chunks.
 */
final class Responses {

  private static final JsonMapper JSON = new JsonMapper();

  /** The two kinds of answer: the names that differ. */
  enum Kind {
    COMPLETION("cmpl-", "text_completion", "text_completion"),
    CHAT("chatcmpl-", "chat.completion", "chat.completion.chunk");

    private final String idPrefix;
    private final String whole;
    private final String chunk;

    Kind(String idPrefix, String whole, String chunk) {
      this.idPrefix = idPrefix;
      this.whole = whole;
      this.chunk = chunk;
    }
  }

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Kind kind;
  private final String id;
  private final String modelId;
  private final long createdSeconds;

  Responses(Kind kind, String id, String modelId, long createdSeconds) {
    this.kind = kind;
    this.id = kind.idPrefix + id;
    this.modelId = modelId;
    this.createdSeconds = createdSeconds;
  }

  /** The whole answer. */
  ObjectNode whole(List<String> texts, List<Generation> generations, int promptTokens) {
    ObjectNode root = root(kind.whole);
    for (int i = 0; i < generations.size(); i++) {
      ObjectNode choice = root.withArray("choices").addObject();
      if (kind == Kind.CHAT) {
        choice.putObject("message").put("role", "assistant").put("content", texts.get(i));
      } else {
        choice.put("text", texts.get(i));
      }
      endChoice(choice, i, generations.get(i).finishReason());
    }
    root.set("usage", usage(generations, promptTokens));
    return root;
  }

  /** A piece of one choice; the first of a chat also names the role. */
  ObjectNode chunk(int index, String text, boolean first, @Nullable FinishReason reason) {
    ObjectNode root = root(kind.chunk);
    ObjectNode choice = root.withArray("choices").addObject();
    if (kind == Kind.CHAT) {
      ObjectNode delta = choice.putObject("delta");
      if (first) {
        delta.put("role", "assistant");
      }
      if (first || !text.isEmpty()) {
        delta.put("content", text);
      }
    } else {
      choice.put("text", text);
    }
    endChoice(choice, index, reason);
    return root;
  }

  /** The last chunk of a stream whose client asked for the counts. */
  ObjectNode usageChunk(List<Generation> generations, int promptTokens) {
    ObjectNode root = root(kind.chunk);
    root.putArray("choices");
    root.set("usage", usage(generations, promptTokens));
    return root;
  }

  private ObjectNode root(String object) {
    return NODES
        .objectNode()
        .put("id", id)
        .put("object", object)
        .put("created", createdSeconds)
        .put("model", modelId);
  }

  private static void endChoice(ObjectNode choice, int index, @Nullable FinishReason reason) {
    choice.put("index", index).putNull("logprobs");
    choice.put("finish_reason", reason == null ? null : reason.name().toLowerCase(Locale.ROOT));
  }

  private static ObjectNode usage(List<Generation> generations, int promptTokens) {
    int completionTokens =
        generations.stream().mapToInt(generation -> generation.tokens().size()).sum();
    return NODES
        .objectNode()
        .put("prompt_tokens", promptTokens)
        .put("completion_tokens", completionTokens)
        .put("total_tokens", promptTokens + completionTokens);
  }

  static ObjectNode error(ApiException e) {
    ObjectNode root = NODES.objectNode();
    root.putObject("error")
        .put("message", e.getMessage())
        .put("type", e.type())
        .put("param", e.parameter())
        .put("code", e.code());
    return root;
  }

  static ObjectNode model(
      String modelId, long createdSeconds, ChatFormat chat, @Nullable Integer contextLength) {
    ObjectNode model =
        NODES
            .objectNode()
            .put("id", modelId)
            .put("object", "model")
            .put("created", createdSeconds)
            .put("owned_by", "pretrain4j")
            .put("max_model_len", contextLength);
    ObjectNode template =
        model
            .putObject("chat_template")
            .put("applied", chat.template().name().toLowerCase(Locale.ROOT));
    if (chat.ignoredTemplate() != null) {
      template
          .put("ignored_sha256", chat.ignoredTemplate())
          .put("warning", "the model brings its own chat template, which this server does not run");
    }
    return model;
  }

  static byte[] bytes(ObjectNode node) {
    try {
      return JSON.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of plain values must be writable", e);
    }
  }
}
