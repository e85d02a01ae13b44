package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The ids with a role: from {@code tokenizer_config.json} beside the tokenizer, of what that does
 * not mention from {@code special_tokens_map.json}. Without either there are none.
 *
 * @param bos begin of a sequence
 * @param eos end of a sequence
 * @param pad padding
 * @param unk what the model cannot represent
 */
record SpecialIds(OptionalInt bos, OptionalInt eos, OptionalInt pad, OptionalInt unk) {
  private static final List<String> FILES =
      List.of("tokenizer_config.json", "special_tokens_map.json");

  /** Reads the files beside {@code tokenizer}. */
  static SpecialIds read(Path tokenizer, Vocabulary vocabulary, @Nullable String unkToken)
      throws IOException {
    List<Config> configs = new ArrayList<>();
    for (String name : FILES) {
      Path file = tokenizer.resolveSibling(name);
      if (Files.isRegularFile(file)) {
        configs.add(Config.read(file));
      }
    }
    OptionalInt unk = find("unk_token", configs, vocabulary);
    if (unk.isEmpty() && unkToken != null) {
      unk = vocabulary.id(unkToken);
    }
    return new SpecialIds(
        find("bos_token", configs, vocabulary),
        find("eos_token", configs, vocabulary),
        find("pad_token", configs, vocabulary),
        unk);
  }

  private static OptionalInt find(String role, List<Config> configs, Vocabulary vocabulary)
      throws CorruptTokenizerException {
    for (Config config : configs) {
      JsonValue value = config.json.members().get(role);
      if (value != null) {
        return value.isNull() ? OptionalInt.empty() : id(role, value, config.file, vocabulary);
      }
    }
    return OptionalInt.empty();
  }

  /** A token is a string, or an object that has it as {@code content}. */
  private static OptionalInt id(String role, JsonValue value, Path file, Vocabulary vocabulary)
      throws CorruptTokenizerException {
    JsonValue content = value.members().getOrDefault("content", value);
    OptionalInt id =
        content.kind() == JsonValue.Kind.STRING
            ? vocabulary.id(content.text())
            : OptionalInt.empty();
    if (id.isEmpty()) {
      throw new CorruptTokenizerException(
          file, value.byteOffset(), role, "a token of the tokenizer", content.describe());
    }
    return id;
  }

  private record Config(Path file, JsonValue json) {
    static Config read(Path file) throws IOException {
      byte[] bytes = Files.readAllBytes(file);
      JsonReader reader = new JsonReader(bytes, file);
      int malformed = Utf8.malformed(bytes, 0, bytes.length);
      if (malformed != Utf8.NONE) {
        throw reader.corrupt(malformed, "text", "UTF-8", "a malformed byte");
      }
      JsonValue json = reader.value();
      reader.end();
      return new Config(file, json);
    }
  }
}
