package io.github.pretrain4j.inspect;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How the tensors of two checkpoints differ, whatever their formats, layouts and types of data.
 *
 * <p>Two Megatron checkpoints are compared as whole tensors under canonical names; a Hugging Face
 * directory and a Megatron checkpoint by the mapping of the family in config.json. Rows that pad
 * the vocabulary are left out, and so is a second copy of a tied embedding that equals the first.
 *
 * @param tensors one entry for each name on either side
 * @param notes what was left out or read as something else
 */
public record CheckpointDifference(
    String left, String right, List<Entry> tensors, List<String> notes) {

  /** What became of one name. */
  public enum Status {
    /** The same bytes. */
    IDENTICAL(true),
    /** Another type, and equal when the wider is rounded to the narrower. */
    ROUNDED(true),
    /** Not equal, and no further apart than was allowed. */
    CLOSE(true),
    /** Other values. */
    DIFFERENT(false),
    /** Another shape; values were not compared. */
    SHAPE(false),
    ONLY_LEFT(false),
    ONLY_RIGHT(false);

    private final boolean equal;

    Status(boolean equal) {
      this.equal = equal;
    }
  }

  /**
   * One name.
   *
   * @param left the tensor on the left; null if there is none
   * @param right as {@code left}
   * @param values how the values differ; null if they were not compared
   */
  public record Entry(
      String name,
      Status status,
      @Nullable TensorInfo left,
      @Nullable TensorInfo right,
      @Nullable ValueDifference values) {}

  private static final List<String> VOCABULARY =
      List.of("embedding.word_embeddings.weight", "output_layer.weight");

  /** Second copies of tied embeddings, and the first ones. */
  private static final Map<String, String> COPIES =
      Map.of(
          "output_layer.weight",
          "embedding.word_embeddings.weight",
          "lm_head.weight",
          "model.embed_tokens.weight");

  /** Copies the collections. */
  public CheckpointDifference {
    tensors = List.copyOf(tensors);
    notes = List.copyOf(notes);
  }

  /**
   * Compares two checkpoints.
   *
   * @param tolerance how far apart two values may be for {@link Status#CLOSE}; 0 for not at all
   * @param workers how many threads read, at least 1
   * @throws IOException if one is damaged or cannot be read, or the weights of a Hugging Face
   *     directory are not those its config.json describes
   */
  public static CheckpointDifference between(Path left, Path right, double tolerance, int workers)
      throws IOException {
    try (Subject leftSubject = Subject.open(left);
        Subject rightSubject = Subject.open(right)) {
      List<String> notes = new ArrayList<>();
      Side leftSide = Side.of(leftSubject, rightSubject, notes);
      Side rightSide = Side.of(rightSubject, leftSubject, notes);
      Pairing pairing = new Pairing(leftSide, rightSide, tolerance, notes);
      List<Entry> entries = new ArrayList<>();
      for (Entry entry : Workers.map(pairing.names(), workers, () -> pairing.comparison())) {
        if (!pairing.isSilentCopy(entry)) {
          entries.add(entry);
        }
      }
      return new CheckpointDifference(left.toString(), right.toString(), entries, notes);
    }
  }

  /**
   * The tensors of one checkpoint by name, model and optimizer together.
   *
   * @param padded whether the vocabulary may have rows of padding
   */
  private record Side(Map<String, TensorSource> sources, boolean padded) {
    static Side of(Subject subject, Subject other, List<String> notes) throws IOException {
      Map<String, TensorSource> sources = new LinkedHashMap<>();
      if (subject instanceof HuggingFaceSubject model && other instanceof MegatronSubject) {
        add(model.asMegatron(notes), sources);
        notes.add(subject.path() + ": read under Megatron's names");
      } else {
        add(subject.tensors(), sources);
      }
      TensorSource optimizer = subject.optimizerTensors();
      if (optimizer != null && other.optimizerTensors() != null) {
        add(optimizer, sources);
      } else if (optimizer != null) {
        notes.add(subject.path() + ": its optimizer state has nothing to be compared with");
      }
      return new Side(sources, subject instanceof MegatronSubject);
    }

    private static void add(TensorSource source, Map<String, TensorSource> sources) {
      source.tensors().forEach(info -> sources.put(info.name(), source));
    }

    @Nullable TensorInfo find(String name) {
      TensorSource source = sources.get(name);
      return source == null ? null : source.find(name);
    }

    TensorSource source(String name) {
      TensorSource source = sources.get(name);
      if (source == null) {
        throw new IllegalArgumentException("no tensor named " + name);
      }
      return source;
    }
  }

  private record Pairing(Side left, Side right, double tolerance, List<String> notes) {

    List<String> names() {
      List<String> names = new ArrayList<>(left.sources.keySet());
      right.sources.keySet().stream().filter(name -> left.find(name) == null).forEach(names::add);
      for (String name : VOCABULARY) {
        TensorInfo one = left.find(name);
        TensorInfo other = right.find(name);
        if (one != null && other != null && onlyPaddingDiffers(one, other)) {
          notes.add(
              name
                  + " has "
                  + one.shape().get(0)
                  + " rows on the left, "
                  + other.shape().get(0)
                  + " on the right: those in common are compared");
        }
      }
      return names;
    }

    /** Whether the side with more rows is one that may be padded. */
    private boolean onlyPaddingDiffers(TensorInfo one, TensorInfo other) {
      int rank = one.shape().size();
      return rank > 0
          && other.shape().size() == rank
          && one.shape().subList(1, rank).equals(other.shape().subList(1, rank))
          && (one.shape().get(0) > other.shape().get(0)
              ? left.padded
              : one.shape().get(0) < other.shape().get(0) && right.padded);
    }

    Workers.Operation<String, Entry> comparison() {
      ValueDifference.Comparer comparer = new ValueDifference.Comparer();
      return name -> compare(name, comparer);
    }

    private Entry compare(String name, ValueDifference.Comparer comparer) throws IOException {
      TensorInfo one = left.find(name);
      TensorInfo other = right.find(name);
      if (one == null || other == null) {
        return new Entry(
            name, one == null ? Status.ONLY_RIGHT : Status.ONLY_LEFT, one, other, null);
      }
      boolean padded = VOCABULARY.contains(parameter(name)) && onlyPaddingDiffers(one, other);
      if (!padded && !one.shape().equals(other.shape())) {
        return new Entry(name, Status.SHAPE, one, other, null);
      }
      long elements = Math.min(one.elementCount(), other.elementCount());
      ValueDifference values =
          comparer.compare(left.source(name), one, right.source(name), other, elements);
      return new Entry(name, status(one, other, values), one, other, values);
    }

    /** The parameter that a tensor {@code optimizer.state.exp_avg.NAME} belongs to. */
    private static String parameter(String name) {
      String prefix = "optimizer.state.";
      return name.startsWith(prefix)
          ? name.substring(name.indexOf('.', prefix.length()) + 1)
          : name;
    }

    private Status status(TensorInfo one, TensorInfo other, ValueDifference values) {
      if (values.differingCount() == 0) {
        return one.type() == other.type() ? Status.IDENTICAL : Status.ROUNDED;
      }
      return values.maxAbsolute() <= tolerance && tolerance > 0 ? Status.CLOSE : Status.DIFFERENT;
    }

    /** A copy of the embedding that one side stores and the other does not, as tied models may. */
    boolean isSilentCopy(Entry entry) throws IOException {
      String first = COPIES.get(entry.name());
      Side side = entry.status() == Status.ONLY_LEFT ? left : right;
      boolean alone = entry.status() == Status.ONLY_LEFT || entry.status() == Status.ONLY_RIGHT;
      if (!alone || first == null) {
        return false;
      }
      TensorInfo copy = side.find(entry.name());
      TensorInfo original = side.find(first);
      if (copy == null || original == null || !copy.shape().equals(original.shape())) {
        return false;
      }
      ValueDifference values =
          new ValueDifference.Comparer()
              .compare(
                  side.source(entry.name()),
                  copy,
                  side.source(first),
                  original,
                  copy.elementCount());
      if (values.differingCount() > 0) {
        return false;
      }
      notes.add(entry.name() + " is on one side only, a copy of " + first);
      return true;
    }
  }

  /** Whether every name is on both sides with equal values, rounding and tolerance granted. */
  public boolean isEqual() {
    return tensors.stream().allMatch(entry -> entry.status().equal);
  }

  /** The greatest absolute difference of two values; 0 if there is none. */
  public double maxAbsolute() {
    double max = 0;
    for (Entry entry : tensors) {
      if (entry.values() != null) {
        max = Math.max(max, entry.values().maxAbsolute());
      }
    }
    return max;
  }

  private Map<Status, Integer> counts() {
    Map<Status, Integer> counts = new EnumMap<>(Status.class);
    tensors.forEach(entry -> counts.merge(entry.status(), 1, Integer::sum));
    return counts;
  }

  /** As JSON, with every tensor. */
  public String toJson() {
    ObjectNode root = Json.object();
    root.put("left", left).put("right", right).put("equal", isEqual());
    root.put("maxAbsolute", maxAbsolute());
    ObjectNode counts = root.putObject("counts");
    counts().forEach((status, count) -> counts.put(status.name().toLowerCase(Locale.ROOT), count));
    ArrayNode list = root.putArray("tensors");
    for (Entry entry : tensors) {
      ObjectNode node = list.addObject();
      node.put("name", entry.name()).put("status", entry.status().name().toLowerCase(Locale.ROOT));
      if (entry.left() != null) {
        Json.describe(node.putObject("left"), entry.left());
      }
      if (entry.right() != null) {
        Json.describe(node.putObject("right"), entry.right());
      }
      ValueDifference values = entry.values();
      if (values != null) {
        node.put("compared", values.elementCount()).put("differing", values.differingCount());
        if (values.differingCount() > 0) {
          node.put("maxAbsolute", values.maxAbsolute()).put("firstIndex", values.firstIndex());
        }
      }
    }
    notes.forEach(root.putArray("notes")::add);
    return Json.text(root);
  }

  /** For people: what differs, then a summary. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    for (Entry entry : tensors) {
      if (entry.status().equal && entry.status() != Status.CLOSE) {
        continue;
      }
      text.append(entry.name())
          .append(": ")
          .append(entry.status().name().toLowerCase(Locale.ROOT).replace('_', ' '));
      ValueDifference values = entry.values();
      if (values != null) {
        text.append(
            String.format(
                Locale.ROOT,
                ", %,d of %,d elements, at most %.6g apart, first at %d",
                values.differingCount(),
                values.elementCount(),
                values.maxAbsolute(),
                values.firstIndex()));
      } else {
        text.append(", ")
            .append(entry.left() == null ? "none" : entry.left().shape())
            .append(" and ")
            .append(entry.right() == null ? "none" : entry.right().shape());
      }
      text.append('\n');
    }
    notes.forEach(note -> text.append("note: ").append(note).append('\n'));
    text.append(isEqual() ? "equal: " : "not equal: ");
    text.append(tensors.size()).append(" tensors");
    counts()
        .forEach(
            (status, count) ->
                text.append(", ")
                    .append(count)
                    .append(' ')
                    .append(status.name().toLowerCase(Locale.ROOT).replace('_', ' ')));
    return text.append('\n').toString();
  }
}
