package io.github.pretrain4j.dataset.sentences;

import static io.github.pretrain4j.dataset.sentences.PythonText.isAsciiSpace;
import static io.github.pretrain4j.dataset.sentences.PythonText.isSpace;

import java.util.ArrayList;
import java.util.List;

/**
 * NLTK's Punkt sentence tokenizer the way {@code preprocess_data.py --split-sentences} calls it: on
 * pieces of 1,000,000 characters (code points), so that a longer text is also cut there. Immutable
 * and thread-safe; time is linear in the text, memory beyond it that of its sentences.
 *
 * @see <a href="https://www.nltk.org/api/nltk.tokenize.punkt.html">NLTK's</a>
 */
public final class PunktSentenceSplitter implements SentenceSplitter {
  private static final int PIECE_CODE_POINTS = 1_000_000;

  private final PunktRules rules;
  private final boolean keepNewlines;
  private final PunktWords words;

  private PunktSentenceSplitter(
      PunktParameters parameters, PunktRules rules, boolean keepNewlines) {
    this.rules = rules;
    this.keepNewlines = keepNewlines;
    this.words = new PunktWords(parameters, rules);
  }

  /**
   * Makes a splitter.
   *
   * @param keepNewlines {@code --keep-newlines}: white space after a sentence stays with it, so
   *     that the sentences of a piece joined are the piece, but for the white space at its end
   */
  public static PunktSentenceSplitter create(
      PunktParameters parameters, PunktRules rules, boolean keepNewlines) {
    return new PunktSentenceSplitter(parameters, rules, keepNewlines);
  }

  @Override
  public List<String> split(String text) {
    List<String> sentences = new ArrayList<>();
    int start = 0;
    while (text.length() - start > PIECE_CODE_POINTS) {
      int end = start;
      for (int i = 0; i < PIECE_CODE_POINTS && end < text.length(); i++) {
        end += Character.charCount(text.codePointAt(end));
      }
      new Piece(text.substring(start, end)).split(sentences);
      start = end;
    }
    if (start < text.length()) {
      new Piece(text.substring(start)).split(sentences);
    }
    return sentences;
  }

  /*
   * NLTK finds each '.', '?' or '!' that might end a sentence: a closing character or white space
   * and a word follow. Its context is [contextStart, contextEnd), from the word before it to the
   * word after it; what ends inside a context is no further candidate of its own. Where the words
   * of a context have a sentence break before the last, a sentence ends with the match.
   *
   * _match_potential_end_contexts, _slices_from_text and _realign_boundaries of
   * nltk/tokenize/punkt.py are the reference, down to their use of index 0 for "no white space".
   */
  private final class Piece {
    private final String text;

    // the candidate at hand, [matchStart, matchEnd), and the end of what follows it
    private int matchStart;
    private int matchEnd;
    private int afterEnd;
    private int nextStart;

    // sentences before realignment; a sentence is what lies between a start and its end
    private int lastBreak;
    private int pendingStart = -1;
    private int pendingEnd;
    private int realign;

    Piece(String text) {
      this.text = text;
    }

    void split(List<String> out) {
      int previousSliceStart = 0;
      int previousSliceEnd = 0;
      int previousMatchEnd = -1;
      int previousAfterEnd = 0;
      int previousNextStart = 0;
      matchEnd = 0;
      while (find()) {
        int sliceStart = wordStart(previousSliceStart, previousSliceEnd);
        if (previousMatchEnd >= 0 && previousSliceEnd <= sliceStart) {
          candidate(previousSliceStart, previousMatchEnd, previousAfterEnd, previousNextStart, out);
        }
        previousSliceStart = sliceStart;
        previousSliceEnd = matchStart;
        previousMatchEnd = matchEnd;
        previousAfterEnd = afterEnd;
        previousNextStart = nextStart;
      }
      if (previousMatchEnd >= 0) {
        candidate(previousSliceStart, previousMatchEnd, previousAfterEnd, previousNextStart, out);
      }
      int end = text.length();
      while (end > 0 && isSpace(text.charAt(end - 1))) {
        end--;
      }
      slice(lastBreak, end, out);
      if (pendingEnd > pendingStart) {
        out.add(text.substring(pendingStart, pendingEnd));
      }
    }

    /** The start of the word before the match: after the last white space since the last match. */
    private int wordStart(int previousSliceStart, int previousSliceEnd) {
      for (int i = matchStart - 1; i > previousSliceEnd; i--) {
        if (isAsciiSpace(text.charAt(i))) {
          return i + 1;
        }
      }
      return previousSliceStart;
    }

    private void candidate(
        int contextStart, int sentenceEnd, int contextEnd, int nextSentence, List<String> out) {
      if (words.haveSentenceBreak(text, contextStart, contextEnd)) {
        slice(lastBreak, sentenceEnd, out);
        lastBreak = nextSentence;
      }
    }

    /** Moves closing quotes and brackets at the start of a sentence to the one before it. */
    private void slice(int start, int end, List<String> out) {
      if (pendingStart >= 0) {
        int closing = closingLength(start, end);
        if (closing > 0) {
          out.add(text.substring(pendingStart, start + closing));
          int next = start + closing;
          while (next < end && isSpace(text.charAt(next))) {
            next++;
          }
          realign = next - start;
        } else {
          realign = 0;
          if (pendingEnd > pendingStart) {
            out.add(text.substring(pendingStart, pendingEnd));
          }
        }
      }
      pendingStart = start + realign;
      pendingEnd = end;
    }

    /** The closing characters that white space, two hyphens or the sentence's end follow, or 0. */
    private int closingLength(int start, int end) {
      for (int i = start; i < end && rules.isClosing(text.charAt(i)); i++) {
        int next = i + 1;
        if (next == end
            || isSpace(text.charAt(next))
            || (next + 2 <= end && text.startsWith("--", next))) {
          return next - start;
        }
      }
      return 0;
    }

    private boolean find() {
      return keepNewlines ? findWithSpace(matchEnd) : findMark(matchEnd);
    }

    /** {@code [.?!](?=NonWord|\s+(?P<next_tok>\S+))}. */
    private boolean findMark(int from) {
      int length = text.length();
      for (int i = from; i + 1 < length; i++) {
        if (isMark(text.charAt(i))) {
          char next = text.charAt(i + 1);
          if (rules.isNonWord(next)) {
            return found(i, i + 1, i + 2, i + 1);
          }
          if (isSpace(next)) {
            int word = skipSpace(i + 1);
            if (word < length) {
              return found(i, i + 1, skipWord(word), word);
            }
          }
        }
      }
      return false;
    }

    /**
     * {@code \S*[.?!]\s*(?=NonWord|(?P<next_tok>\S+))}: of each run without white space the last
     * mark that something follows.
     */
    private boolean findWithSpace(int from) {
      int length = text.length();
      for (int start = skipSpace(from); start < length; ) {
        int end = skipWord(start);
        int following = skipSpace(end);
        for (int i = end - 1; i >= start; i--) {
          if (isMark(text.charAt(i))) {
            int next = i + 1 == end ? following : i + 1;
            if (next < length) {
              int after = rules.isNonWord(text.charAt(next)) ? next + 1 : skipWord(next);
              return found(start, next, after, next);
            }
          }
        }
        start = following;
      }
      return false;
    }

    private boolean found(int start, int end, int after, int next) {
      matchStart = start;
      matchEnd = end;
      afterEnd = after;
      nextStart = next;
      return true;
    }

    private int skipSpace(int from) {
      int i = from;
      while (i < text.length() && isSpace(text.charAt(i))) {
        i++;
      }
      return i;
    }

    private int skipWord(int from) {
      int i = from;
      while (i < text.length() && !isSpace(text.charAt(i))) {
        i++;
      }
      return i;
    }
  }

  private static boolean isMark(char c) {
    return c == '.' || c == '?' || c == '!';
  }
}
