package io.github.pretrain4j.dataset.gpt;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.pretrain4j.dataset.CorruptDatasetException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which datasets a split is made of, and in which proportion.
 *
 * @param members at least one; all with a weight or all without
 */
public record Blend(List<Member> members) {
  /** What Python's {@code float} reads. */
  private static final Pattern NUMBER =
      Pattern.compile(
          "[+-]?((\\d+(_\\d+)*)(\\.(\\d+(_\\d+)*)?)?|\\.\\d+(_\\d+)*)([eE][+-]?\\d+(_\\d+)*)?");

  private static final Pattern NOT_FINITE = Pattern.compile("[+-]?(inf|infinity|nan)");

  /**
   * One dataset.
   *
   * @param prefix path of the dataset; as given, it is part of the cache files' names
   * @param weight its share of the samples, relative to the others' weights; null for a share in
   *     proportion to its size
   */
  public record Member(String prefix, @Nullable Double weight) {
    /** Checks the weight. */
    public Member {
      if (prefix.isEmpty()) {
        throw new IllegalArgumentException("an empty prefix in a blend");
      }
      if (weight != null && !(weight > 0 && weight < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException(
            "the weight of " + prefix + " must be positive: " + weight);
      }
    }
  }

  /** Blends of the three splits; a split without one has no samples. */
  public record PerSplit(@Nullable Blend train, @Nullable Blend valid, @Nullable Blend test) {}

  /** Checks that there are members, and that all or none have a weight. */
  public Blend {
    members = List.copyOf(members);
    if (members.isEmpty()) {
      throw new IllegalArgumentException("a blend without datasets");
    }
    long weights = members.stream().filter(member -> member.weight() != null).count();
    if (weights != 0 && weights != members.size()) {
      throw new IllegalArgumentException(
          weights + " of the " + members.size() + " datasets of a blend have a weight");
    }
  }

  /** One dataset. */
  public static Blend of(String prefix) {
    return new Blend(List.of(new Member(prefix, null)));
  }

  /**
   * Reads Megatron's {@code --data-path}: prefixes, or weights and prefixes by turns.
   *
   * <p>An odd number of arguments are prefixes. An even number are pairs if every other one is a
   * number, and prefixes if the first one that is no number is followed by none that is; what else
   * there may be is an error. So a dataset called {@code 30} needs a path: {@code ./30}.
   */
  public static Blend parse(List<String> arguments) {
    List<Member> members = new ArrayList<>();
    if (arguments.size() % 2 == 0 && !arguments.isEmpty()) {
      List<@Nullable Double> weights = new ArrayList<>();
      for (int i = 0; i < arguments.size(); i += 2) {
        weights.add(weight(arguments.get(i)));
      }
      int missing = weights.indexOf(null);
      if (missing < 0) {
        for (int i = 0; i < weights.size(); i++) {
          members.add(new Member(arguments.get(2 * i + 1).strip(), weights.get(i)));
        }
        return new Blend(members);
      }
      for (int i = missing + 1; i < weights.size(); i++) {
        if (weights.get(i) != null) {
          throw new IllegalArgumentException(
              "weights and prefixes by turns, or prefixes only: "
                  + arguments.get(2 * missing)
                  + " is no weight, "
                  + arguments.get(2 * i)
                  + " is one");
        }
      }
    }
    for (String prefix : arguments) {
      members.add(new Member(prefix.strip(), null));
    }
    return new Blend(members);
  }

  private static @Nullable Double weight(String text) {
    String stripped = text.strip();
    if (NUMBER.matcher(stripped).matches()) {
      return Double.valueOf(stripped.replace("_", ""));
    }
    return NOT_FINITE.matcher(stripped.toLowerCase(Locale.ROOT)).matches() ? Double.NaN : null;
  }

  /** Reads a file of {@code --data-args-path}: the arguments of {@link #parse}, between blanks. */
  public static Blend read(Path dataArguments) throws IOException {
    return parse(words(Files.readString(dataArguments)));
  }

  /**
   * Reads a file of {@code --per-split-data-args-path}: JSON with {@code train}, {@code valid} and
   * {@code test}, each the arguments of {@link #parse} as a list or in one string, or null.
   *
   * @throws CorruptDatasetException if it is something else
   */
  public static PerSplit readPerSplit(Path json) throws IOException {
    Map<String, @Nullable Blend> blends = new HashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(Files.readAllBytes(json))) {
      expect(json, parser, parser.nextToken() == JsonToken.START_OBJECT, "an object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String split = parser.currentName();
        expect(
            json,
            parser,
            List.of("train", "valid", "test").contains(split),
            "train, valid or test");
        blends.put(split, arguments(json, parser));
      }
    } catch (JacksonException e) {
      throw new CorruptDatasetException(
          json, e.getLocation().getByteOffset(), "JSON", "blends by split", e.getOriginalMessage());
    }
    for (String split : List.of("train", "valid", "test")) {
      if (!blends.containsKey(split)) {
        throw new CorruptDatasetException(json, 0, split, "a list, a string or null", "nothing");
      }
    }
    return new PerSplit(blends.get("train"), blends.get("valid"), blends.get("test"));
  }

  private static @Nullable Blend arguments(Path json, JsonParser parser) throws IOException {
    JsonToken token = parser.nextToken();
    if (token == JsonToken.VALUE_NULL) {
      return null;
    }
    if (token == JsonToken.VALUE_STRING) {
      return parse(words(parser.getText()));
    }
    expect(json, parser, token == JsonToken.START_ARRAY, "a list, a string or null");
    List<String> arguments = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(json, parser, parser.currentToken() == JsonToken.VALUE_STRING, "a string");
      arguments.add(parser.getText());
    }
    return parse(arguments);
  }

  private static void expect(Path json, JsonParser parser, boolean right, String expected)
      throws IOException {
    if (!right) {
      throw new CorruptDatasetException(
          json,
          parser.currentTokenLocation().getByteOffset(),
          "blends by split",
          expected,
          String.valueOf(parser.getText()));
    }
  }

  private static List<String> words(String text) {
    String stripped = text.strip();
    return stripped.isEmpty() ? List.of() : List.of(stripped.split("\\s+"));
  }

  /** What {@link #parse} reads as this. */
  public List<String> arguments() {
    List<String> arguments = new ArrayList<>();
    for (Member member : members) {
      if (member.weight() != null) {
        arguments.add(member.weight().toString());
      }
      arguments.add(member.prefix());
    }
    return arguments;
  }

  /** Whether the members have weights. */
  public boolean isWeighted() {
    return members.get(0).weight() != null;
  }

  /** The weights as given. */
  double[] weights() {
    double[] weights = new double[members.size()];
    for (int i = 0; i < weights.length; i++) {
      Double weight = members.get(i).weight();
      if (weight == null) {
        throw new IllegalStateException("no weights");
      }
      weights[i] = weight;
    }
    return weights;
  }
}
