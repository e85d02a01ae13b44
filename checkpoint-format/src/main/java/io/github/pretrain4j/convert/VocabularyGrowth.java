package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * More rows for embedding and output layer, for a tokenizer that has been extended.
 *
 * @param vocabSize rows afterwards, padding aside; null for as many as {@link MeanOfPieces} makes
 * @param newRows what the new ones hold
 */
public record VocabularyGrowth(@Nullable Integer vocabSize, NewRows newRows) {

  /** What new rows hold. */
  public sealed interface NewRows {}

  /**
   * Each the mean of the rows of the tokens that its text was before, summed in fp64 and rounded to
   * the weights' type.
   *
   * @param firstNewId the id of the first, which must be the old vocabulary's size; null if nobody
   *     has said
   * @param oldIds for each new id in order the old ids, at least one
   */
  public record MeanOfPieces(@Nullable Integer firstNewId, List<List<Integer>> oldIds)
      implements NewRows {
    private static final long MAX_BYTES = 512L << 20;

    /** Copies and checks the lists. */
    public MeanOfPieces {
      oldIds = oldIds.stream().map(List::copyOf).toList();
      for (int i = 0; i < oldIds.size(); i++) {
        if (oldIds.get(i).isEmpty()) {
          throw new IllegalArgumentException("new token " + i + " has no old tokens");
        }
      }
    }

    /**
     * Reads them from JSON: {@code [[old ids of the first new token], [of the second], …]}, or an
     * object {@code {"new id": [old ids], …}} of consecutive new ids.
     */
    public static MeanOfPieces read(Path file) throws IOException {
      if (Files.size(file) > MAX_BYTES) {
        throw new CorruptCheckpointException(
            file, 0, "size", "at most " + MAX_BYTES + " bytes", Files.size(file));
      }
      JsonNode root;
      try {
        root = new ObjectMapper().readTree(Files.readAllBytes(file));
      } catch (JsonProcessingException e) {
        CorruptCheckpointException corrupt =
            new CorruptCheckpointException(
                file,
                Math.max(0, e.getLocation() == null ? 0 : e.getLocation().getByteOffset()),
                "content",
                "JSON",
                e.getOriginalMessage());
        corrupt.initCause(e);
        throw corrupt;
      }
      List<List<Integer>> oldIds = new ArrayList<>();
      if (root.isArray()) {
        for (JsonNode ids : root) {
          oldIds.add(ids(file, "new token " + oldIds.size(), ids));
        }
        return new MeanOfPieces(null, oldIds);
      }
      if (!root.isObject()) {
        throw new CorruptCheckpointException(
            file, 0, "content", "a list or an object of lists of ids", root.getNodeType());
      }
      TreeMap<Integer, JsonNode> byId = new TreeMap<>();
      for (Map.Entry<String, JsonNode> entry : root.properties()) {
        if (!entry.getKey().matches("\\d{1,9}")) {
          throw new CorruptCheckpointException(file, 0, "name", "a new id", entry.getKey());
        }
        byId.put(Integer.valueOf(entry.getKey()), entry.getValue());
      }
      int first = byId.isEmpty() ? 0 : byId.firstKey();
      for (Map.Entry<Integer, JsonNode> entry : byId.entrySet()) {
        if (entry.getKey() != first + oldIds.size()) {
          throw new CorruptCheckpointException(
              file, 0, "new id", first + oldIds.size(), entry.getKey());
        }
        oldIds.add(ids(file, "new token " + entry.getKey(), entry.getValue()));
      }
      return new MeanOfPieces(byId.isEmpty() ? null : (Integer) first, oldIds);
    }

    private static List<Integer> ids(Path file, String what, JsonNode node)
        throws CorruptCheckpointException {
      List<Integer> ids = new ArrayList<>();
      for (JsonNode id : node) {
        if (!id.isInt() || id.intValue() < 0) {
          throw new CorruptCheckpointException(file, 0, what, "old ids", id);
        }
        ids.add(id.intValue());
      }
      if (!node.isArray() || ids.isEmpty()) {
        throw new CorruptCheckpointException(file, 0, what, "a list of at least one old id", node);
      }
      return ids;
    }
  }

  /**
   * Each of independent normal numbers around 0, as fresh weights are initialised.
   *
   * @param seed the same seed gives the same rows, whatever the layout
   */
  public record Noise(long seed, double standardDeviation) implements NewRows {
    /** Validates the deviation. */
    public Noise {
      if (!(standardDeviation >= 0) || Double.isInfinite(standardDeviation)) {
        throw new IllegalArgumentException("standard deviation " + standardDeviation);
      }
    }
  }

  /** Validates the size. */
  public VocabularyGrowth {
    if (vocabSize == null && newRows instanceof Noise) {
      throw new IllegalArgumentException("noise for an unknown number of new tokens");
    }
    if (vocabSize != null && vocabSize < 1) {
      throw new IllegalArgumentException("vocabSize must be positive: " + vocabSize);
    }
  }

  /** Rows afterwards, if there were {@code oldVocabSize}. */
  int vocabSize(int oldVocabSize) {
    if (vocabSize != null) {
      return vocabSize;
    }
    return newRows instanceof MeanOfPieces mean
        ? Math.addExact(oldVocabSize, mean.oldIds().size())
        : oldVocabSize;
  }

  /** What is wrong with growing a vocabulary of {@code oldVocabSize} so; empty if nothing is. */
  List<String> problems(int oldVocabSize) {
    List<String> problems = new ArrayList<>();
    int added = vocabSize(oldVocabSize) - oldVocabSize;
    if (added < 0) {
      problems.add(
          "the new vocabulary of " + vocabSize + " is smaller than the old of " + oldVocabSize);
      return problems;
    }
    if (newRows instanceof MeanOfPieces mean) {
      if (mean.oldIds().size() != added) {
        problems.add(
            "pieces are given for "
                + mean.oldIds().size()
                + " new tokens, the vocabulary grows by "
                + added);
      }
      if (mean.firstNewId() != null && mean.firstNewId() != oldVocabSize) {
        problems.add(
            "the first new token is " + mean.firstNewId() + ", the vocabulary has " + oldVocabSize);
      }
      for (int i = 0; i < mean.oldIds().size(); i++) {
        for (int id : mean.oldIds().get(i)) {
          if (id < 0 || id >= oldVocabSize) {
            problems.add("new token " + (oldVocabSize + i) + " is made of " + id + ", no old id");
          }
        }
      }
    }
    return problems;
  }
}
