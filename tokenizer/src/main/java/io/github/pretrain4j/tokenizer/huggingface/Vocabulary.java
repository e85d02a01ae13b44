package io.github.pretrain4j.tokenizer.huggingface;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * All tokens, those of the model and the added ones: text to id and back. Immutable.
 *
 * <p>Ids need not be dense: one below {@link #size} that no token has decodes to nothing.
 */
final class Vocabulary {
  private static final int NO_ENTRY = -1;

  private final ByteIndex model;

  /** Of each id its entry in {@link #model}. */
  private final int[] entryOf;

  private final Map<Integer, byte[]> added = new HashMap<>();
  private final Map<String, Integer> addedIds = new HashMap<>();
  private final BitSet special = new BitSet();
  private final int size;

  Vocabulary(TokenizerFile file) {
    model = file.vocabulary;
    int ids = file.vocabularyIds;
    for (AddedToken token : file.addedTokens) {
      ids = Math.max(ids, token.id() + 1);
      added.put(token.id(), token.content().getBytes(StandardCharsets.UTF_8));
      addedIds.put(token.content(), token.id());
      special.set(token.id(), token.special());
    }
    size = ids;
    entryOf = new int[ids];
    Arrays.fill(entryOf, NO_ENTRY);
    for (int entry = 0; entry < model.size(); entry++) {
      entryOf[model.id(entry)] = entry;
    }
  }

  /** Highest id plus one. */
  int size() {
    return size;
  }

  boolean has(int id) {
    return entryOf[id] >= 0 || added.containsKey(id);
  }

  /** The text of a token, which {@link #has}, in UTF-8. */
  byte[] bytes(int id) {
    byte[] content = added.get(id);
    if (content != null) {
      return content;
    }
    int entry = entryOf[id];
    return Arrays.copyOfRange(model.arena(), model.begin(entry), model.end(entry));
  }

  String text(int id) {
    return new String(bytes(id), StandardCharsets.UTF_8);
  }

  OptionalInt id(String text) {
    Integer id = addedIds.get(text);
    if (id != null) {
      return OptionalInt.of(id);
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int found = model.find(bytes, 0, bytes.length);
    return found < 0 ? OptionalInt.empty() : OptionalInt.of(found);
  }

  boolean isSpecial(int id) {
    return special.get(id);
  }

  void check(int id) {
    if (id < 0 || id >= size) {
      throw new IllegalArgumentException("id " + id + " is not in 0 to " + (size - 1));
    }
  }
}
