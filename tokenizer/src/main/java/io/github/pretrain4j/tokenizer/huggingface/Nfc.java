package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;

/**
 * Unicode's normalisation form C, as the reference program has it, see {@link UnicodeTables}.
 *
 * <p>Almost all text is in it already, which {@link #changes} finds out at a few tenths of a
 * nanosecond a byte. Otherwise the text is cut before every starter that neither changes nor
 * composes with what is before it, and each stretch is decomposed, ordered and composed.
 */
final class Nfc implements TextStep {
  private static final long HIGH_BITS = 0x8080808080808080L;

  private final UnicodeTables unicode;

  Nfc(UnicodeTables unicode) {
    this.unicode = unicode;
  }

  @Override
  public boolean changes(byte[] text, int from, int to, boolean first) {
    int lastRank = 0;
    int at = from;
    while (at < to) {
      int b = text[at];
      if (b >= 0) {
        lastRank = 0;
        at++;
        while (at + 8 <= to && ((long) Utf8.LONG.get(text, at) & HIGH_BITS) == 0) {
          at += 8;
        }
        continue;
      }
      int length = Utf8.length(text[at]);
      if (length < 4 && unicode.isInertBlock(block(text, at, length))) {
        lastRank = 0;
      } else {
        int codePoint = Utf8.codePoint(text, at);
        int rank = 0;
        if (unicode.isActive(codePoint)) {
          rank = unicode.combiningRank(codePoint);
          if (unicode.changesOrMayChange(codePoint) || (rank != 0 && rank < lastRank)) {
            return true;
          }
        }
        lastRank = rank;
      }
      at += length;
    }
    return false;
  }

  /** The code point without its lowest six bits, which are those of the last byte. */
  private static int block(byte[] text, int at, int length) {
    return length == 2 ? text[at] & 0x1F : (text[at] & 0x0F) << 6 | (text[at + 1] & 0x3F);
  }

  @Override
  public void apply(byte[] text, int from, int to, Bytes out) {
    new Run(text, from, to) {
      @Override
      void emit(int codePoint, int change) {
        out.addCodePoint(codePoint);
      }
    }.run();
  }

  @Override
  public void apply(AlignedText text) {
    AlignedText.Rewriter rewriter = text.rewriter();
    new Run(text.bytes(), 0, text.length()) {
      @Override
      void emit(int codePoint, int change) {
        rewriter.emit(codePoint, change);
      }
    }.run();
    rewriter.finish();
  }

  /**
   * One text on its way. With each character goes what the reference program's alignment needs: how
   * many characters more (1) or fewer (negative) than the one it replaces.
   */
  private abstract class Run {
    private final byte[] text;
    private final int to;
    private int at;

    private int[] codePoints = new int[16];
    private int[] changes = new int[16];
    private int count;

    private final int[] held = new int[2];
    private int[] marks = new int[16];
    private int[] markChanges = new int[16];

    Run(byte[] text, int from, int to) {
      this.text = text;
      this.at = from;
      this.to = to;
    }

    abstract void emit(int codePoint, int change);

    void run() {
      while (at < to) {
        count = 0;
        boolean ordered = true;
        int lastRank = 0;
        do {
          int codePoint = Utf8.codePoint(text, at);
          at += Utf8.length(text[at]);
          int[] parts = unicode.decompose(codePoint);
          if (parts == null) {
            add(codePoint, 0);
          } else {
            for (int i = 0; i < parts.length; i++) {
              add(parts[i], i == 0 ? 0 : 1);
            }
          }
          int rank = unicode.combiningRank(codePoints[count - 1]);
          ordered &= parts == null && (rank == 0 || rank >= lastRank);
          lastRank = rank;
        } while (at < to && !beginsStretch());
        if (!ordered) {
          order();
        }
        compose();
      }
    }

    private boolean beginsStretch() {
      int codePoint = Utf8.codePoint(text, at);
      return !unicode.changesOrMayChange(codePoint) && unicode.combiningRank(codePoint) == 0;
    }

    private void add(int codePoint, int change) {
      if (count == codePoints.length) {
        codePoints = Arrays.copyOf(codePoints, 2 * count);
        changes = Arrays.copyOf(changes, 2 * count);
      }
      codePoints[count] = codePoint;
      changes[count++] = change;
    }

    /** Sorts each run of marks by rank, those of one rank staying in their order. */
    private void order() {
      int begin = 0;
      while (begin < count) {
        if (unicode.combiningRank(codePoints[begin]) == 0) {
          begin++;
          continue;
        }
        int end = begin;
        while (end < count && unicode.combiningRank(codePoints[end]) != 0) {
          end++;
        }
        long[] keys = new long[end - begin];
        for (int i = begin; i < end; i++) {
          keys[i - begin] = (long) unicode.combiningRank(codePoints[i]) << 32 | i;
        }
        Arrays.sort(keys);
        int[] oldCodePoints = Arrays.copyOfRange(codePoints, begin, end);
        int[] oldChanges = Arrays.copyOfRange(changes, begin, end);
        for (int i = 0; i < keys.length; i++) {
          codePoints[begin + i] = oldCodePoints[(int) keys[i] - begin];
          changes[begin + i] = oldChanges[(int) keys[i] - begin];
        }
        begin = end;
      }
    }

    private void compose() {
      boolean holds = false;
      int markCount = 0;
      int lastRank = 0;
      for (int i = 0; i < count; i++) {
        int codePoint = codePoints[i];
        int rank = unicode.combiningRank(codePoint);
        if (!holds) {
          if (rank != 0) {
            emit(codePoint, changes[i]);
          } else {
            hold(codePoint, changes[i]);
            holds = true;
          }
          continue;
        }
        boolean blocked = markCount > 0 && lastRank >= rank;
        int composed = blocked ? -1 : unicode.compose(held[0], codePoint);
        if (composed >= 0) {
          hold(composed, held[1] + changes[i] - 1);
        } else if (rank == 0) {
          emitHeld(markCount);
          hold(codePoint, changes[i]);
          markCount = 0;
        } else {
          if (markCount == marks.length) {
            marks = Arrays.copyOf(marks, 2 * markCount);
            markChanges = Arrays.copyOf(markChanges, 2 * markCount);
          }
          marks[markCount] = codePoint;
          markChanges[markCount++] = changes[i];
          lastRank = rank;
        }
      }
      if (holds) {
        emitHeld(markCount);
      }
    }

    private void hold(int codePoint, int change) {
      held[0] = codePoint;
      held[1] = change;
    }

    private void emitHeld(int markCount) {
      emit(held[0], held[1]);
      for (int i = 0; i < markCount; i++) {
        emit(marks[i], markChanges[i]);
      }
    }
  }
}
