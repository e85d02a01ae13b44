package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The USER_DEFINED pieces of a model as a trie over UTF-16. Immutable. */
final class UserSymbols {
  private static final long NO_MATCH = 0;

  private final LongIntMap children = new LongIntMap(64);

  /** Piece id at each node, or -1; node 0 is the root. */
  private final int[] idAt;

  private final long[] beginsSymbol = new long[1 << 10];

  private UserSymbols(int nodeLimit) {
    idAt = new int[nodeLimit];
  }

  /** The user symbols among {@code pieces}, or null if there is none. */
  static @Nullable UserSymbols of(List<SentencePieceModel.Piece> pieces) {
    int nodeLimit = 1;
    for (SentencePieceModel.Piece piece : pieces) {
      if (piece.type() == PieceType.USER_DEFINED) {
        nodeLimit += piece.text().length();
      }
    }
    if (nodeLimit == 1) {
      return null;
    }
    UserSymbols symbols = new UserSymbols(nodeLimit);
    Arrays.fill(symbols.idAt, -1);
    int nodes = 1;
    for (int id = 0; id < pieces.size(); id++) {
      if (pieces.get(id).type() == PieceType.USER_DEFINED) {
        nodes = symbols.add(pieces.get(id).text(), id, nodes);
      }
    }
    return symbols;
  }

  private int add(String text, int id, int nodeCount) {
    int nodes = nodeCount;
    int node = 0;
    beginsSymbol[text.charAt(0) >> 6] |= 1L << text.charAt(0);
    for (int i = 0; i < text.length(); i++) {
      long edge = LongIntMap.pair(node, text.charAt(i));
      int child = children.get(edge);
      if (child == LongIntMap.ABSENT) {
        child = nodes++;
        children.put(edge, child);
      }
      node = child;
    }
    idAt[node] = id;
    return nodes;
  }

  /**
   * The longest symbol that is a prefix of {@code text[from, to)}.
   *
   * @return its length in the upper half and its id in the lower half; 0 if there is none
   */
  long longestPrefix(char[] text, int from, int to) {
    char first = text[from];
    if ((beginsSymbol[first >> 6] & (1L << first)) == 0) {
      return NO_MATCH;
    }
    long found = NO_MATCH;
    int node = 0;
    for (int i = from; i < to; i++) {
      node = children.get(LongIntMap.pair(node, text[i]));
      if (node == LongIntMap.ABSENT) {
        break;
      }
      if (idAt[node] >= 0) {
        found = (long) (i + 1 - from) << 32 | idAt[node];
      }
    }
    return found;
  }
}
