package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import io.github.pretrain4j.tokenizer.huggingface.PlainSplitters.Behavior;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Understands the components of a {@code tokenizer.json} other than its model, or refuses them by
 * name. A field that a component should not have is refused as well: it may change ids.
 */
final class PipelineReader {
  private final TokenizerFile file;
  private final UnicodeTables unicode;
  private final TextScanner scanner;
  private final KnownPatterns patterns;

  private final List<TextStep> normalization = new ArrayList<>();
  private final List<TextStep> preparation = new ArrayList<>();
  private final List<Splitter> splitters = new ArrayList<>();
  private final List<Integer> prefix = new ArrayList<>();
  private final List<Integer> suffix = new ArrayList<>();
  private final List<String> replacements = new ArrayList<>();
  private boolean byteLevel;
  private Pipeline.Trim trim = Pipeline.Trim.NO;

  private PipelineReader(TokenizerFile file, UnicodeTables unicode) {
    this.file = file;
    this.unicode = unicode;
    this.scanner = new TextScanner(unicode);
    this.patterns = new KnownPatterns(unicode);
  }

  /**
   * Reads the components.
   *
   * @throws CorruptTokenizerException if one is malformed
   * @throws UnsupportedTokenizerException if we do not know one
   */
  static Pipeline read(TokenizerFile file, UnicodeTables unicode) throws IOException {
    PipelineReader reader = new PipelineReader(file, unicode);
    if (!file.normalizer.isNull()) {
      reader.normalizer(file.normalizer);
    }
    if (!file.preTokenizer.isNull()) {
      reader.preTokenizer(file.preTokenizer);
    }
    if (!file.postProcessor.isNull()) {
      reader.postProcessor(file.postProcessor);
    }
    Pipeline.Decoding decoding = reader.decoder(file.decoder);
    return new Pipeline(
        List.copyOf(reader.normalization),
        List.copyOf(reader.preparation),
        List.copyOf(reader.splitters),
        reader.byteLevel,
        List.copyOf(reader.prefix),
        List.copyOf(reader.suffix),
        reader.trim,
        decoding);
  }

  private void normalizer(JsonValue json) throws IOException {
    Fields fields = new Fields(json, "normalizer");
    switch (fields.type) {
      case "Sequence" -> {
        for (JsonValue part : fields.array("normalizers")) {
          normalizer(part);
        }
      }
      case "NFC" -> normalization.add(new Nfc(unicode));
      case "Prepend" -> {
        byte[] text = fields.string("prepend").getBytes(StandardCharsets.UTF_8);
        if (text.length > 0) {
          normalization.add(new TextStep.Prepend(text, TextStep.Prepend.Condition.ALWAYS));
        }
      }
      case "Replace" ->
          normalization.add(
              new TextStep.Replace(
                  fields.plainPattern(),
                  fields.string("content").getBytes(StandardCharsets.UTF_8)));
      default -> throw fields.unsupported("");
    }
    fields.end();
  }

  private void preTokenizer(JsonValue json) throws IOException {
    Fields fields = new Fields(json, "pre_tokenizer");
    if (byteLevel) {
      // What follows would see the bytes' characters instead of the text.
      throw fields.unsupported(" after ByteLevel");
    }
    switch (fields.type) {
      case "Sequence" -> {
        for (JsonValue part : fields.array("pretokenizers")) {
          preTokenizer(part);
        }
      }
      case "Split" -> split(fields);
      case "Digits" ->
          splitters.add(
              new PlainSplitters.Digits(scanner, fields.bool("individual_digits", false)));
      case "ByteLevel" -> {
        boolean addPrefixSpace = fields.bool("add_prefix_space", true);
        fields.ignore("trim_offsets"); // that of the post-processor counts
        if (addPrefixSpace) {
          requireFirst(fields, "add_prefix_space");
          preparation.add(
              new TextStep.Prepend(new byte[] {' '}, TextStep.Prepend.Condition.UNLESS_THERE));
        }
        if (fields.bool("use_regex", true)) {
          splitters.add(patterns.gpt2());
        }
        byteLevel = true;
      }
      case "Metaspace" -> metaspace(fields);
      default -> throw fields.unsupported("");
    }
    fields.end();
  }

  /** A change of the text that would be made in each pre-token, were there any. */
  private void requireFirst(Fields fields, String what) throws UnsupportedTokenizerException {
    if (!splitters.isEmpty() || !preparation.isEmpty()) {
      throw fields.unsupported(" " + what + " after another");
    }
  }

  private void split(Fields fields) throws IOException {
    JsonValue pattern = fields.object("pattern");
    String behavior = fields.string("behavior");
    boolean invert = fields.bool("invert", false);
    Map.Entry<String, String> only = fields.single(pattern);
    if (only.getKey().equals("Regex")) {
      Splitter known = patterns.find(only.getValue());
      if (known == null) {
        throw fields.unsupported(" pattern \"" + only.getValue() + "\"");
      }
      boolean isolates =
          behavior.equals("Isolated")
              || (behavior.equals("Removed") && invert && KnownPatterns.coversAll(only.getValue()));
      if (!isolates) {
        throw fields.unsupported(" behavior " + behavior + (invert ? " inverted" : ""));
      }
      splitters.add(known);
      return;
    }
    byte[] text = only.getValue().getBytes(StandardCharsets.UTF_8);
    if (text.length == 0) {
      throw fields.unsupported(" at an empty text");
    }
    if (invert) {
      throw fields.unsupported(" behavior " + behavior + " inverted");
    }
    Behavior known =
        switch (behavior) {
          case "Isolated" -> Behavior.ISOLATED;
          case "MergedWithPrevious" -> Behavior.MERGED_WITH_PREVIOUS;
          case "MergedWithNext" -> Behavior.MERGED_WITH_NEXT;
          default -> throw fields.unsupported(" behavior " + behavior);
        };
    splitters.add(new PlainSplitters.AtText(text, known));
  }

  private void metaspace(Fields fields) throws IOException {
    requireFirst(fields, "replacement");
    String scheme = fields.string("prepend_scheme", "always");
    String replacement = fields.string("replacement");
    boolean split = fields.bool("split", true);
    JsonValue old = fields.optional("add_prefix_space");
    if (old != null && old.isTrue() == scheme.equals("never")) {
      throw fields.unsupported(" with add_prefix_space against prepend_scheme");
    }
    fields.ignore("str_rep"); // of old files; the replacement once more
    if (replacement.codePointCount(0, replacement.length()) != 1) {
      throw fields.unsupported(" replacement \"" + replacement + "\"");
    }
    byte[] text = replacement.getBytes(StandardCharsets.UTF_8);
    preparation.add(new TextStep.Replace(new byte[] {' '}, text));
    switch (scheme) {
      case "always" ->
          preparation.add(new TextStep.Prepend(text, TextStep.Prepend.Condition.UNLESS_THERE));
      case "first" ->
          preparation.add(
              new TextStep.Prepend(text, TextStep.Prepend.Condition.FIRST_UNLESS_THERE));
      case "never" -> {}
      default -> throw fields.unsupported(" prepend_scheme " + scheme);
    }
    if (split) {
      splitters.add(new PlainSplitters.AtText(text, Behavior.MERGED_WITH_NEXT));
    }
  }

  private void postProcessor(JsonValue json) throws IOException {
    Fields fields = new Fields(json, "post_processor");
    switch (fields.type) {
      case "Sequence" -> {
        for (JsonValue part : fields.array("processors")) {
          postProcessor(part);
        }
      }
      case "ByteLevel" -> {
        trim(fields);
        fields.ignore("use_regex"); // of the pre-tokenizer of that name
      }
      case "TemplateProcessing" -> template(fields);
      case "RobertaProcessing" -> {
        trim(fields);
        surround(fields);
      }
      case "BertProcessing" -> surround(fields);
      default -> throw fields.unsupported("");
    }
    fields.end();
  }

  private void trim(Fields fields) throws IOException {
    boolean addPrefixSpace = fields.bool("add_prefix_space", true);
    if (fields.bool("trim_offsets", true)) {
      if (trim != Pipeline.Trim.NO) {
        throw fields.unsupported(" trim_offsets a second time");
      }
      trim = addPrefixSpace ? Pipeline.Trim.YES_BUT_FIRST_SPACE : Pipeline.Trim.YES;
    }
  }

  private void surround(Fields fields) throws IOException {
    prefix.add(0, pairId(fields, "cls"));
    suffix.add(pairId(fields, "sep"));
  }

  private static int pairId(Fields fields, String name) throws IOException {
    List<JsonValue> pair = fields.array(name);
    if (pair.size() != 2) {
      throw fields.corrupt(name, "a token and its id");
    }
    return fields.id(pair.get(1));
  }

  private void template(Fields fields) throws IOException {
    JsonValue ids = fields.object("special_tokens");
    fields.ignore("pair"); // pairs of texts are nothing we encode
    List<Integer> before = new ArrayList<>();
    List<Integer> after = new ArrayList<>();
    boolean hasText = false;
    for (JsonValue piece : fields.array("single")) {
      JsonValue sequence = piece.members().get("Sequence");
      JsonValue special = piece.members().get("SpecialToken");
      if (sequence != null && !hasText) {
        hasText = true;
      } else if (special != null && special.members().containsKey("id")) {
        String name = special.members().get("id").text();
        (hasText ? after : before).addAll(templateIds(fields, ids, name));
      } else {
        throw fields.corrupt("single", "special tokens around one sequence");
      }
    }
    if (!hasText) {
      throw fields.unsupported(" without the text");
    }
    prefix.addAll(0, before);
    suffix.addAll(after);
  }

  private static List<Integer> templateIds(Fields fields, JsonValue all, String name)
      throws IOException {
    JsonValue entry = all.members().get(name);
    JsonValue ids = entry == null ? null : entry.members().get("ids");
    if (ids == null || ids.kind() != JsonValue.Kind.ARRAY) {
      throw fields.corrupt("special_tokens", "the ids of \"" + name + "\"");
    }
    List<Integer> result = new ArrayList<>();
    for (JsonValue id : ids.elements()) {
      result.add(fields.id(id));
    }
    return result;
  }

  private Pipeline.Decoding decoder(JsonValue json) throws IOException {
    if (json.isNull()) {
      return new Pipeline.Decoding(Pipeline.Decoding.Kind.SPACED, List.of(), false, "", 0);
    }
    Fields fields = new Fields(json, "decoder");
    Pipeline.Decoding decoding =
        switch (fields.type) {
          case "Sequence" -> decoderSequence(fields);
          case "ByteLevel" -> {
            fields.ignore("add_prefix_space");
            fields.ignore("trim_offsets");
            fields.ignore("use_regex");
            yield new Pipeline.Decoding(Pipeline.Decoding.Kind.BYTE_LEVEL, List.of(), false, "", 0);
          }
          case "Metaspace" -> metaspaceDecoder(fields);
          default -> throw fields.unsupported("");
        };
    fields.end();
    return decoding;
  }

  private static Pipeline.Decoding metaspaceDecoder(Fields fields) throws IOException {
    String replacement = fields.string("replacement");
    String scheme = fields.string("prepend_scheme", "always");
    JsonValue old = fields.optional("add_prefix_space");
    if (old != null && old.isTrue() == scheme.equals("never")) {
      throw fields.unsupported(" with add_prefix_space against prepend_scheme");
    }
    fields.ignore("split");
    fields.ignore("str_rep");
    return new Pipeline.Decoding(
        scheme.equals("never") ? Pipeline.Decoding.Kind.TEXT : Pipeline.Decoding.Kind.METASPACE,
        List.of(replacement, " "),
        false,
        "",
        0);
  }

  /** {@code Replace*, ByteFallback?, Fuse?, Strip?} in this order, or {@code ByteLevel} alone. */
  private Pipeline.Decoding decoderSequence(Fields sequence) throws IOException {
    List<JsonValue> parts = sequence.array("decoders");
    if (parts.size() == 1) {
      return decoder(parts.get(0));
    }
    boolean byteFallback = false;
    boolean fused = false;
    String stripped = "";
    int stripCount = 0;
    for (JsonValue part : parts) {
      Fields fields = new Fields(part, "decoder");
      switch (fields.type) {
        case "Replace" -> {
          fields.require(!byteFallback && !fused);
          replacements.add(new String(fields.plainPattern(), StandardCharsets.UTF_8));
          replacements.add(fields.string("content"));
        }
        case "ByteFallback" -> {
          fields.require(!byteFallback && !fused);
          byteFallback = true;
        }
        case "Fuse" -> fused = true;
        case "Strip" -> {
          fields.require(fused && stripCount == 0);
          stripped = fields.string("content");
          stripCount = fields.number("start");
          fields.require(fields.number("stop") == 0);
        }
        default -> throw fields.unsupported(" in a Sequence");
      }
      fields.end();
    }
    return new Pipeline.Decoding(
        Pipeline.Decoding.Kind.TEXT,
        List.copyOf(replacements),
        byteFallback,
        stripCount == 0 ? "" : stripped,
        stripCount);
  }

  /** The fields of one component; each must be asked for. */
  private final class Fields {
    private final JsonValue json;
    private final String component;
    private final String type;
    private final Set<String> asked = new HashSet<>();

    Fields(JsonValue json, String component) throws CorruptTokenizerException {
      this.json = json;
      this.component = component;
      JsonValue found = json.members().get("type");
      if (found == null || found.kind() != JsonValue.Kind.STRING) {
        throw file.corrupt(json, component, "an object with a type", json.describe());
      }
      asked.add("type");
      type = found.text();
    }

    private @Nullable JsonValue optional(String name) {
      asked.add(name);
      return json.members().get(name);
    }

    private JsonValue get(String name, JsonValue.Kind kind, String expected)
        throws CorruptTokenizerException {
      JsonValue value = optional(name);
      if (value == null || value.kind() != kind) {
        throw corrupt(name, expected);
      }
      return value;
    }

    private String string(String name) throws CorruptTokenizerException {
      return get(name, JsonValue.Kind.STRING, "a string").text();
    }

    private String string(String name, String absent) throws CorruptTokenizerException {
      return optional(name) == null ? absent : string(name);
    }

    private boolean bool(String name, boolean absent) throws CorruptTokenizerException {
      return optional(name) == null
          ? absent
          : get(name, JsonValue.Kind.BOOLEAN, "true or false").isTrue();
    }

    private int number(String name) throws CorruptTokenizerException {
      JsonValue value = get(name, JsonValue.Kind.NUMBER, "a number");
      if (!value.text().matches("[0-9]{1,6}")) {
        throw corrupt(name, "a small number");
      }
      return Integer.parseInt(value.text());
    }

    private List<JsonValue> array(String name) throws CorruptTokenizerException {
      return get(name, JsonValue.Kind.ARRAY, "an array").elements();
    }

    private JsonValue object(String name) throws CorruptTokenizerException {
      return get(name, JsonValue.Kind.OBJECT, "an object");
    }

    private int id(JsonValue value) throws CorruptTokenizerException {
      if (!value.text().matches("[0-9]{1,8}")) {
        throw file.corrupt(value, component + " " + type, "an id", value.describe());
      }
      return Integer.parseInt(value.text());
    }

    /** The text of {@code "pattern": {"String": text}}. */
    private byte[] plainPattern() throws IOException {
      Map.Entry<String, String> only = single(object("pattern"));
      if (!only.getKey().equals("String") || only.getValue().isEmpty()) {
        throw unsupported(" pattern " + only.getKey() + " \"" + only.getValue() + "\"");
      }
      return only.getValue().getBytes(StandardCharsets.UTF_8);
    }

    private Map.Entry<String, String> single(JsonValue pattern) throws CorruptTokenizerException {
      for (Map.Entry<String, JsonValue> entry : pattern.members().entrySet()) {
        String kind = entry.getKey();
        if (pattern.members().size() == 1
            && entry.getValue().kind() == JsonValue.Kind.STRING
            && (kind.equals("Regex") || kind.equals("String"))) {
          return Map.entry(kind, entry.getValue().text());
        }
      }
      throw corrupt("pattern", "one of Regex and String");
    }

    /** Says that a field does not matter here. */
    private void ignore(String name) {
      asked.add(name);
    }

    private void require(boolean inOrder) throws UnsupportedTokenizerException {
      if (!inOrder) {
        throw unsupported(" at this place of a Sequence");
      }
    }

    private void end() throws UnsupportedTokenizerException {
      for (String name : json.members().keySet()) {
        if (!asked.contains(name)) {
          throw unsupported(" field " + name);
        }
      }
    }

    private CorruptTokenizerException corrupt(String name, String expected) {
      JsonValue value = json.members().get(name);
      return file.corrupt(
          value == null ? json : value,
          component + " " + type + " " + name,
          expected,
          value == null ? "none" : value.describe());
    }

    private UnsupportedTokenizerException unsupported(String more) {
      return file.unsupported(component + " " + type + more);
    }
  }
}
