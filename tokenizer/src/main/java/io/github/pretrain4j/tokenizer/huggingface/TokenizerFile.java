package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a {@code tokenizer.json} says, read in one pass. The vocabulary and the merges, almost all
 * of it, go into plain arrays; the other components stay JSON for {@link PipelineReader}.
 *
 * <p>Fields we do not know are refused in the model and at the top level, for they may change ids;
 * {@code truncation} and {@code padding} do not concern a corpus.
 */
final class TokenizerFile {
  /** Ids above this are no vocabulary's. */
  static final int MAX_IDS = 1 << 24;

  private static final int MAX_MERGES = 1 << 25;

  final Path file;
  final String sha256;

  JsonValue normalizer = JsonValue.nothing(0);
  JsonValue preTokenizer = JsonValue.nothing(0);
  JsonValue postProcessor = JsonValue.nothing(0);
  JsonValue decoder = JsonValue.nothing(0);
  final List<AddedToken> addedTokens = new ArrayList<>();

  /** The model's vocabulary, as written. */
  final ByteIndex vocabulary = new ByteIndex();

  /** Highest id of the vocabulary plus one. */
  int vocabularyIds;

  /** Of each merge three ids: left, right, merged. */
  int[] merges = new int[3 * 1024];

  int mergeCount;
  @Nullable String unkToken;
  boolean fuseUnk;
  boolean byteFallback;
  boolean ignoreMerges;

  private final JsonReader reader;
  private boolean hasModel;

  /** Of each part that was seen, where. */
  private final Map<String, Integer> seen = new HashMap<>();

  private TokenizerFile(byte[] bytes, Path file) throws CorruptTokenizerException {
    this.file = file;
    this.sha256 = sha256(bytes);
    this.reader = new JsonReader(bytes, file);
    int malformed = Utf8.malformed(bytes, 0, bytes.length);
    if (malformed != Utf8.NONE) {
      throw reader.corrupt(
          malformed, "text", "UTF-8", String.format("byte 0x%02X", bytes[malformed]));
    }
  }

  /**
   * Reads a file.
   *
   * @throws CorruptTokenizerException if it is no sound {@code tokenizer.json}
   * @throws UnsupportedTokenizerException if it has a model or a field that we do not know
   */
  static TokenizerFile read(Path file) throws IOException {
    TokenizerFile result = new TokenizerFile(Files.readAllBytes(file), file);
    result.read();
    return result;
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private void read() throws IOException {
    reader.beginObject();
    while (reader.nextMember()) {
      String name = member("");
      switch (name) {
        case "version" -> version();
        case "truncation", "padding" -> reader.value();
        case "added_tokens" -> addedTokens();
        case "normalizer" -> normalizer = reader.value();
        case "pre_tokenizer" -> preTokenizer = reader.value();
        case "post_processor" -> postProcessor = reader.value();
        case "decoder" -> decoder = reader.value();
        case "model" -> model();
        default -> throw unsupported("field " + name);
      }
    }
    reader.end();
    if (!hasModel) {
      throw missing("model");
    }
    checkAddedTokens();
  }

  /** The next member's name, which must be new among those of one object. */
  private String member(String path) throws CorruptTokenizerException {
    int at = reader.position();
    String name = reader.keyString();
    if (seen.putIfAbsent(path + name, at) != null) {
      throw reader.corrupt(at, "JSON object", "distinct names", "a second \"" + name + "\"");
    }
    return name;
  }

  private void version() throws IOException {
    JsonValue version = reader.value();
    if (!version.text().equals("1.0")) {
      throw unsupported("version " + version.describe());
    }
  }

  private void addedTokens() throws CorruptTokenizerException {
    reader.beginArray();
    while (reader.nextElement()) {
      int at = reader.position();
      JsonValue token = reader.value();
      int id = integer(token, "id", at);
      JsonValue content = token.members().get("content");
      if (content == null || content.kind() != JsonValue.Kind.STRING) {
        throw reader.corrupt(at, "added token", "a content", describe(content));
      }
      if (content.text().isEmpty()) {
        throw reader.corrupt(at, "added token " + id, "a content", "an empty one");
      }
      addedTokens.add(
          new AddedToken(
              id,
              content.text(),
              flag(token, "single_word"),
              flag(token, "lstrip"),
              flag(token, "rstrip"),
              flag(token, "normalized"),
              flag(token, "special")));
    }
  }

  private static String describe(@Nullable JsonValue value) {
    return value == null ? "none" : value.describe();
  }

  private int integer(JsonValue object, String name, int at) throws CorruptTokenizerException {
    JsonValue value = object.members().get(name);
    if (value == null || !value.text().matches("[0-9]{1,8}")) {
      throw reader.corrupt(at, "added token's " + name, "a number", describe(value));
    }
    int number = Integer.parseInt(value.text());
    if (number >= MAX_IDS) {
      throw reader.corrupt(at, "added token's " + name, "below " + MAX_IDS, number);
    }
    return number;
  }

  private boolean flag(JsonValue token, String name) throws CorruptTokenizerException {
    JsonValue value = token.members().get(name);
    if (value == null || value.kind() != JsonValue.Kind.BOOLEAN) {
      throw reader.corrupt(
          token.byteOffset(), "added token's " + name, "true or false", describe(value));
    }
    return value.isTrue();
  }

  private void model() throws IOException {
    hasModel = true;
    int mergesAt = -1;
    int vocabularyAt = -1;
    int modelAt = reader.position();
    JsonValue type = JsonValue.nothing(modelAt);
    reader.beginObject();
    while (reader.nextMember()) {
      String name = member("model.");
      switch (name) {
        case "type" -> {
          type = reader.value();
          requireBpe(type);
        }
        case "vocab" -> {
          vocabularyAt = reader.position();
          if (reader.peek() != '{') {
            throw type.isNull()
                ? unsupported("model Unigram")
                : reader.corrupt(vocabularyAt, "vocab", "an object", reader.value().describe());
          }
          vocabulary();
        }
        case "merges" -> {
          mergesAt = reader.position();
          if (vocabularyAt >= 0) {
            merges();
          } else {
            reader.value(); // to be read again when the vocabulary is known
          }
        }
        case "dropout" -> requireNone("dropout");
        case "continuing_subword_prefix" -> requireNone(name);
        case "end_of_word_suffix" -> requireNone(name);
        case "unk_token" -> unkToken();
        case "fuse_unk" -> fuseUnk = reader.bool(name);
        case "byte_fallback" -> byteFallback = reader.bool(name);
        case "ignore_merges" -> ignoreMerges = reader.bool(name);
        default -> throw unsupported("model field " + name);
      }
    }
    if (vocabularyAt < 0) {
      throw missing("model.vocab");
    }
    if (mergesAt < 0) {
      throw type.isNull() ? unsupported("model WordLevel or WordPiece") : missing("model.merges");
    }
    if (mergesAt < vocabularyAt) {
      int end = reader.position();
      reader.moveTo(mergesAt);
      merges();
      reader.moveTo(end);
    }
  }

  /** Files of the first versions have no type; what has merges is BPE. */
  private void requireBpe(JsonValue type) throws IOException {
    if (type.kind() != JsonValue.Kind.STRING) {
      throw reader.corrupt(type.byteOffset(), "model type", "a string", type.describe());
    }
    if (!type.text().equals("BPE")) {
      throw unsupported("model " + type.text());
    }
  }

  private void requireNone(String name) throws IOException {
    JsonValue value = reader.value();
    boolean none =
        value.isNull() || (value.kind() == JsonValue.Kind.STRING && value.text().isEmpty());
    if (!none && !(name.equals("dropout") && value.text().matches("0(\\.0*)?"))) {
      throw unsupported("model " + name + " " + value.describe());
    }
  }

  private void unkToken() throws CorruptTokenizerException {
    JsonValue value = reader.value();
    if (value.kind() == JsonValue.Kind.STRING) {
      unkToken = value.text();
    } else if (!value.isNull()) {
      throw reader.corrupt(value.byteOffset(), "unk_token", "a string or null", value.describe());
    }
  }

  private void vocabulary() throws CorruptTokenizerException {
    long[] taken = new long[1024];
    reader.beginObject();
    while (reader.nextMember()) {
      int at = reader.position();
      reader.key();
      int length = reader.textLength;
      int id = reader.integer("id of a token", MAX_IDS);
      if (id >> 6 >= taken.length) {
        taken = Arrays.copyOf(taken, Math.max(2 * taken.length, (id >> 6) + 1));
      }
      if ((taken[id >> 6] & 1L << id) != 0) {
        throw reader.corrupt(at, "vocab", "distinct ids", "a second " + id);
      }
      taken[id >> 6] |= 1L << id;
      if (!vocabulary.add(reader.text, 0, length, id)) {
        throw reader.corrupt(
            at, "vocab", "distinct tokens", "a second \"" + reader.textString() + "\"");
      }
      vocabularyIds = Math.max(vocabularyIds, id + 1);
    }
    if (vocabulary.size() == 0) {
      throw reader.corrupt(reader.position(), "vocab", "tokens", "none");
    }
  }

  private void merges() throws CorruptTokenizerException {
    reader.beginArray();
    byte[] both = new byte[256];
    while (reader.nextElement()) {
      int at = reader.position();
      int leftLength;
      int length;
      if (reader.peek() == '[') {
        reader.beginArray();
        leftLength = half(at);
        both = copy(both, 0, leftLength);
        int rightLength = half(at);
        both = copy(both, leftLength, rightLength);
        length = leftLength + rightLength;
        if (reader.nextElement()) {
          throw reader.corrupt(at, "merge", "two tokens", "more");
        }
      } else {
        reader.string();
        if (isVersionComment()) {
          continue;
        }
        leftLength = space(at);
        both = copy(both, 0, reader.textLength);
        length = reader.textLength - 1;
        System.arraycopy(both, leftLength + 1, both, leftLength, length - leftLength);
      }
      addMerge(both, leftLength, length, at);
    }
  }

  private int half(int at) throws CorruptTokenizerException {
    if (!reader.nextElement()) {
      throw reader.corrupt(at, "merge", "two tokens", "fewer");
    }
    reader.string();
    return reader.textLength;
  }

  private byte[] copy(byte[] target, int to, int length) {
    byte[] room = target.length < to + length ? Arrays.copyOf(target, 2 * (to + length)) : target;
    System.arraycopy(reader.text, 0, room, to, length);
    return room;
  }

  private boolean isVersionComment() {
    return reader.textLength >= 8
        && new String(reader.text, 0, 8, StandardCharsets.ISO_8859_1).equals("#version");
  }

  /** Where the one space of a merge written as a string is. */
  private int space(int at) throws CorruptTokenizerException {
    int found = -1;
    for (int i = 0; i < reader.textLength; i++) {
      if (reader.text[i] == ' ') {
        if (found >= 0) {
          throw badMerge(at);
        }
        found = i;
      }
    }
    if (found < 0) {
      throw badMerge(at);
    }
    return found;
  }

  private CorruptTokenizerException badMerge(int at) {
    return reader.corrupt(
        at, "merge", "two tokens with a space between", "\"" + reader.textString() + "\"");
  }

  private void addMerge(byte[] both, int leftLength, int length, int at)
      throws CorruptTokenizerException {
    if (mergeCount == MAX_MERGES) {
      throw reader.corrupt(at, "merges", "at most " + MAX_MERGES, "more");
    }
    if (3 * mergeCount == merges.length) {
      merges = Arrays.copyOf(merges, 2 * merges.length);
    }
    merges[3 * mergeCount] = token(both, 0, leftLength, at);
    merges[3 * mergeCount + 1] = token(both, leftLength, length, at);
    merges[3 * mergeCount + 2] = token(both, 0, length, at);
    mergeCount++;
  }

  private int token(byte[] bytes, int from, int to, int at) throws CorruptTokenizerException {
    int id = vocabulary.find(bytes, from, to);
    if (id < 0) {
      String text = new String(bytes, from, to - from, StandardCharsets.UTF_8);
      throw reader.corrupt(
          at, "merge " + mergeCount, "tokens of the vocabulary", "\"" + text + "\"");
    }
    return id;
  }

  /**
   * The reference program numbers added tokens itself: one that the vocabulary has keeps its id,
   * others follow the highest. A file that says otherwise would not give the ids it promises.
   */
  private void checkAddedTokens() throws CorruptTokenizerException {
    Map<String, Integer> known = new HashMap<>();
    int next = vocabulary.size();
    for (AddedToken token : addedTokens) {
      byte[] content = token.content().getBytes(StandardCharsets.UTF_8);
      int inVocabulary = vocabulary.find(content, 0, content.length);
      Integer before = known.get(token.content());
      int expected = before != null ? before : inVocabulary >= 0 ? inVocabulary : next;
      if (token.id() != expected) {
        throw reader.corrupt(
            seen.getOrDefault("added_tokens", 0),
            "id of added token \"" + token.content() + "\"",
            expected,
            token.id());
      }
      if (before != null) {
        throw reader.corrupt(
            seen.getOrDefault("added_tokens", 0),
            "added_tokens",
            "distinct tokens",
            "a second \"" + token.content() + "\"");
      }
      known.put(token.content(), token.id());
      next = Math.max(next, inVocabulary >= 0 ? next : expected + 1);
    }
  }

  private CorruptTokenizerException missing(String field) {
    return reader.corrupt(reader.position(), "tokenizer.json", "a field " + field, "none");
  }

  UnsupportedTokenizerException unsupported(String component) {
    return new UnsupportedTokenizerException(
        file, component, "what we know is listed in the package's documentation");
  }

  CorruptTokenizerException corrupt(JsonValue at, String what, String expected, String found) {
    return reader.corrupt(at.byteOffset(), what, expected, found);
  }
}
