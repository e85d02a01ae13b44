package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The tokenizer of a folder: which files it has, how many ids they define, what they lack. */
final class TokenizerFiles {
  private static final long MAX_BYTES = 256 << 20;
  private static final long MAX_SMALL_BYTES = 16 << 20;
  private static final List<String> SPECIAL =
      List.of("bos_token", "eos_token", "unk_token", "pad_token");

  private final ModelFolder folder;
  private @Nullable Long size;
  private boolean chatTemplate;

  private TokenizerFiles(ModelFolder folder) {
    this.folder = folder;
  }

  static TokenizerFiles check(ModelFolder folder) {
    TokenizerFiles tokenizer = new TokenizerFiles(folder);
    tokenizer.checkModel();
    tokenizer.checkCompanions();
    return tokenizer;
  }

  /** One more than the largest id, or null if that could not be read. */
  @Nullable Long size() {
    return size;
  }

  boolean chatTemplate() {
    return chatTemplate;
  }

  private void checkModel() {
    boolean fast = folder.has("tokenizer.json");
    boolean sentencePiece = folder.has("tokenizer.model");
    boolean pair = folder.has("vocab.json") && folder.has("merges.txt");
    if (!fast && !sentencePiece && !pair) {
      folder.error(
          "tokenizer", "", "no tokenizer.json, no tokenizer.model, no vocab.json with merges.txt");
    }
    Long fromModel = sentencePiece ? sentencePieceSize() : null;
    Long fromJson = fast ? fastSize() : null;
    if (fromModel != null && fromJson != null && fromJson < fromModel) {
      folder.warning(
          "tokenizer-pair",
          "tokenizer.json",
          "defines "
              + fromJson
              + " ids, tokenizer.model "
              + fromModel
              + ": they do not belong together");
    }
    size = fromJson == null ? fromModel : fromJson;
  }

  private @Nullable Long fastSize() {
    ObjectNode root = folder.object("tokenizer.json", MAX_BYTES);
    if (root == null) {
      return null;
    }
    JsonNode vocabulary = root.path("model").path("vocab");
    long last = -1;
    if (vocabulary.isArray()) { // Unigram: ids are positions
      last = vocabulary.size() - 1L;
    } else {
      for (JsonNode id : vocabulary) {
        last = Math.max(last, id.asLong(-1));
      }
    }
    if (last < 0) {
      folder.error("tokenizer", "tokenizer.json", "has no model.vocab");
      return null;
    }
    for (JsonNode token : root.path("added_tokens")) {
      last = Math.max(last, token.path("id").asLong(-1));
    }
    return last + 1;
  }

  /** Counts the pieces of a SentencePiece model: field 1 of the outermost protobuf message. */
  private @Nullable Long sentencePieceSize() {
    String file = "tokenizer.model";
    if (folder.size(file) > MAX_BYTES) {
      folder.error("tokenizer", file, "is longer than " + MAX_BYTES + " bytes");
      return null;
    }
    try {
      long pieces = countPieces(Files.readAllBytes(folder.resolve(file)));
      if (pieces > 0) {
        return pieces;
      }
      folder.error("tokenizer", file, "is not a SentencePiece model, or cut off");
    } catch (IOException e) {
      folder.error("unreadable", file, "cannot be read: " + e);
    }
    return null;
  }

  /** The count, or 0 if {@code bytes} is not a sequence of whole protobuf fields. */
  private static long countPieces(byte[] bytes) {
    long pieces = 0;
    int at = 0;
    while (at < bytes.length) {
      int tag = bytes[at++];
      if ((tag & 7) != 2
          || tag <= 0) { // every field of ModelProto is a message with a small number
        return 0;
      }
      long length = 0;
      int shift = 0;
      int digit;
      do {
        if (at == bytes.length || shift > 28) {
          return 0;
        }
        digit = bytes[at++];
        length |= (long) (digit & 0x7f) << shift;
        shift += 7;
      } while (digit < 0);
      if (length > bytes.length - at) {
        return 0;
      }
      at += (int) length;
      pieces += tag >> 3 == 1 ? 1 : 0;
    }
    return pieces;
  }

  private void checkCompanions() {
    chatTemplate = folder.has("chat_template.jinja") || folder.has("chat_template.json");
    ObjectNode config = null;
    if (folder.has("tokenizer_config.json")) {
      config = folder.object("tokenizer_config.json", MAX_SMALL_BYTES);
    } else {
      folder.error("tokenizer-config", "", "no tokenizer_config.json");
    }
    if (config != null) {
      chatTemplate |= config.hasNonNull("chat_template");
    }
    ObjectNode special = null;
    if (folder.has("special_tokens_map.json")) {
      special = folder.object("special_tokens_map.json", MAX_SMALL_BYTES);
    } else if (config == null || missingSpecial(config).contains("eos_token")) {
      folder.warning(
          "special-tokens",
          "",
          "no special_tokens_map.json, and tokenizer_config.json names no eos_token");
    }
    if (config != null && special != null) {
      compareSpecial(config, special);
    }
  }

  private static List<String> missingSpecial(ObjectNode config) {
    return SPECIAL.stream().filter(name -> text(config.get(name)) == null).toList();
  }

  private void compareSpecial(ObjectNode config, ObjectNode special) {
    List<String> different = new ArrayList<>();
    for (String name : SPECIAL) {
      String first = text(config.get(name));
      String second = text(special.get(name));
      if (first != null && second != null && !first.equals(second)) {
        different.add(name + " " + first + " and " + second);
      }
    }
    if (!different.isEmpty()) {
      folder.warning(
          "special-tokens",
          "special_tokens_map.json",
          "differs from tokenizer_config.json: " + ModelFolder.some(different));
    }
  }

  /** A special token is a string, or an object with its {@code content}. */
  private static @Nullable String text(@Nullable JsonNode token) {
    if (token == null || token.isNull()) {
      return null;
    }
    JsonNode content = token.isObject() ? token.path("content") : token;
    return content.isTextual() ? content.asText() : null;
  }
}
