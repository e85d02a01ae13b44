package io.github.pretrain4j.dataset.sentences;

import static io.github.pretrain4j.dataset.sentences.PythonText.isSpace;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Punkt's words and what their types say of sentence breaks. Thread-safe. */
final class PunktWords {
  private static final String NUMBER = "##number##";
  private static final String NO_WORD_STARTS_WITH = "(\"`{[:;&#*@)}]-,";

  private final PunktParameters parameters;
  private final PunktRules rules;

  PunktWords(PunktParameters parameters, PunktRules rules) {
    this.parameters = parameters;
    this.rules = rules;
  }

  /** Whether a word of the range, its last apart, ends a sentence. */
  boolean haveSentenceBreak(String text, int from, int to) {
    Word previous = null;
    int position = from;
    while (position < to) {
      int lineEnd = position;
      while (lineEnd < to && text.charAt(lineEnd) != '\n') {
        lineEnd++;
      }
      while (position < lineEnd) {
        if (isSpace(text.charAt(position))) {
          position++;
          continue;
        }
        int end = wordEnd(text, position, lineEnd);
        Word word = new Word(text, position, end);
        if (previous != null && previous.endsSentenceBefore(word)) {
          return true;
        }
        previous = word;
        position = end;
      }
      position = lineEnd + 1;
    }
    return false;
  }

  private int wordEnd(String text, int start, int to) {
    int several = severalMarksEnd(text, start, to);
    if (several > 0) {
      return several;
    }
    int end = start + 1;
    if (NO_WORD_STARTS_WITH.indexOf(text.charAt(start)) >= 0) {
      return end;
    }
    while (end < to && !endsWord(text, end, to)) {
      end++;
    }
    return end;
  }

  private boolean endsWord(String text, int at, int to) {
    char c = text.charAt(at);
    if (c == ',') {
      int next = at + 1;
      return next == to || startsNoWord(text, next, to);
    }
    return startsNoWord(text, at, to);
  }

  private boolean startsNoWord(String text, int at, int to) {
    char c = text.charAt(at);
    return isSpace(c) || rules.isNonWord(c) || startsSeveralMarks(text, at, to);
  }

  /** Whether {@link #severalMarksEnd} finds any here, in constant time. */
  private static boolean startsSeveralMarks(String text, int at, int to) {
    char c = text.charAt(at);
    if ((c != '-' && c != '.') || at + 1 >= to) {
      return false;
    }
    return text.charAt(at + 1) == c
        || (c == '.'
            && at + 4 < to
            && isSpace(text.charAt(at + 1))
            && text.charAt(at + 2) == '.'
            && isSpace(text.charAt(at + 3))
            && text.charAt(at + 4) == '.');
  }

  /** The end of hyphens, of dots, or of dots with one white space between each; or 0. */
  private static int severalMarksEnd(String text, int at, int to) {
    if (!startsSeveralMarks(text, at, to)) {
      return 0;
    }
    char c = text.charAt(at);
    int end = at + 1;
    if (text.charAt(end) == c) {
      while (end < to && text.charAt(end) == c) {
        end++;
      }
    } else {
      while (end + 1 < to && isSpace(text.charAt(end)) && text.charAt(end + 1) == '.') {
        end += 2;
      }
    }
    return end;
  }

  private final class Word {
    private final String text;
    private final int start;
    private final int end;
    private final boolean ellipsis;
    private final boolean abbreviation;
    private final boolean sentenceBreak;
    private @Nullable String type;

    /** Decides by the word alone ({@code _first_pass_annotation}). */
    Word(String text, int start, int end) {
      this.text = text;
      this.start = start;
      this.end = end;
      boolean single = end - start == 1;
      char last = text.charAt(end - 1);
      if (single && (last == '.' || last == '?' || last == '!')) {
        sentenceBreak = true;
        ellipsis = false;
        abbreviation = false;
      } else {
        boolean dots = last == '.' && text.charAt(end - 2) == '.';
        ellipsis = dots && text.charAt(start) == '.' && onlyDots();
        boolean full = last == '.' && !dots;
        abbreviation = full && isKnownAbbreviation();
        sentenceBreak = full && !abbreviation;
      }
    }

    private boolean onlyDots() {
      for (int i = start; i < end; i++) {
        if (text.charAt(i) != '.') {
          return false;
        }
      }
      return true;
    }

    private boolean isKnownAbbreviation() {
      String word = PythonText.lower(text, start, end - 1);
      return parameters.isAbbreviation(word)
          || parameters.isAbbreviation(word.substring(word.lastIndexOf('-') + 1));
    }

    /** Decides by the word that follows too ({@code _second_pass_annotation}). */
    boolean endsSentenceBefore(Word next) {
      if (text.charAt(end - 1) != '.') {
        return sentenceBreak;
      }
      String type = typeWithoutPeriod();
      String nextType = next.typeWithoutSentencePeriod();
      if (parameters.isCollocation(type, nextType)) {
        return false;
      }
      boolean initial = isInitial();
      boolean result = sentenceBreak;
      if ((abbreviation || ellipsis) && !initial) {
        if (next.startsSentence(nextType).orElse(false)
            || (next.isFirstUpper() && parameters.isSentenceStarter(nextType))) {
          return true;
        }
      }
      if (initial || type.equals(NUMBER)) {
        Optional<Boolean> starts = next.startsSentence(nextType);
        if (!starts.orElse(true)) {
          return false;
        }
        boolean neverLower =
            (parameters.orthographicContext(nextType) & PunktParameters.LOWER) == 0;
        if (starts.isEmpty() && initial && next.isFirstUpper() && neverLower) {
          return false;
        }
      }
      return result;
    }

    /** What the cases of the word say ({@code _ortho_heuristic}), or nothing. */
    private Optional<Boolean> startsSentence(String type) {
      if (end - start == 1 && ";:,.!?".indexOf(text.charAt(start)) >= 0) {
        return Optional.of(false);
      }
      int context = parameters.orthographicContext(type);
      if (isFirstUpper()
          && (context & PunktParameters.LOWER) != 0
          && (context & PunktParameters.UPPER_INSIDE) == 0) {
        return Optional.of(true);
      }
      if (Character.isLowerCase(first())
          && ((context & PunktParameters.UPPER) != 0
              || (context & PunktParameters.LOWER_AT_BEGINNING) == 0)) {
        return Optional.of(false);
      }
      return Optional.empty();
    }

    private int first() {
      return PythonText.codePointAt(text, start, end);
    }

    private boolean isFirstUpper() {
      return Character.isUpperCase(first());
    }

    /** A letter and a full stop. */
    private boolean isInitial() {
      int first = first();
      return end - start == Character.charCount(first) + 1
          && text.charAt(end - 1) == '.'
          && PythonText.isAlphabetic(first);
    }

    private String type() {
      if (type == null) {
        type = isNumber() ? NUMBER : PythonText.lower(text, start, end);
      }
      return type;
    }

    private String typeWithoutPeriod() {
      String type = type();
      return type.length() > 1 && type.endsWith(".") ? type.substring(0, type.length() - 1) : type;
    }

    private String typeWithoutSentencePeriod() {
      return sentenceBreak ? typeWithoutPeriod() : type();
    }

    /** {@code ^-?[\.,]?\d[\d,\.-]*\.?$}. */
    private boolean isNumber() {
      int i = start;
      if (text.charAt(i) == '-') {
        i++;
      }
      if (i < end && (text.charAt(i) == '.' || text.charAt(i) == ',')) {
        i++;
      }
      if (i == end || !PythonText.isDigit(PythonText.codePointAt(text, i, end))) {
        return false;
      }
      while (i < end) {
        int c = PythonText.codePointAt(text, i, end);
        if (c != ',' && c != '.' && c != '-' && !PythonText.isDigit(c)) {
          return false;
        }
        i += Character.charCount(c);
      }
      return true;
    }
  }
}
