package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.bpe.Merger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One text to ids with their strings and places, the plain way: no cache, no cuts. The ids are
 * those of {@link HuggingFaceEncoder}.
 *
 * <p>Offsets are the reference program's, which counts code points. A byte-level token has the
 * places of all characters that a byte of it belongs to.
 */
final class AlignedEncoder {
  private final HuggingFaceTokenizer.Parts parts;
  private final Merger merger;
  private final List<String> pieces = new ArrayList<>();
  private int[] ids = new int[64];
  private int[] begins = new int[64];
  private int[] ends = new int[64];
  private int count;

  AlignedEncoder(HuggingFaceTokenizer.Parts parts) {
    this.parts = parts;
    this.merger = new Merger(parts.model().merges);
  }

  Encoding encode(String text, OffsetUnit unit) {
    Bytes input = new Bytes();
    byte[] bytes = input.reserve(3L * text.length());
    int to = Utf8.put(text, bytes, 0);
    int free = 0;
    AddedTokenMatcher matcher = parts.rawTokens();
    if (matcher != null) {
      AddedTokenMatcher.Match match = new AddedTokenMatcher.Match();
      int at = 0;
      while (matcher.find(bytes, 0, free, at, to, match)) {
        if (free < match.begin) {
          part(bytes, free, match.begin);
        }
        int begin = codePoints(bytes, 0, match.begin);
        int end = begin + codePoints(bytes, match.begin, match.end);
        addAdded(match, bytes, begin, end);
        free = match.end;
        at = match.resume;
      }
    }
    if (free < to) {
      part(bytes, free, to);
    }
    trim();
    convert(text, unit);
    return new Encoding(
        Arrays.copyOf(ids, count),
        pieces,
        Arrays.copyOf(begins, count),
        Arrays.copyOf(ends, count));
  }

  private static int codePoints(byte[] text, int from, int to) {
    int found = 0;
    for (int at = from; at < to; at++) {
      found += Utf8.isContinuation(text[at]) ? 0 : 1;
    }
    return found;
  }

  private void part(byte[] bytes, int from, int to) {
    AlignedText text = new AlignedText(bytes, from, to, codePoints(bytes, 0, from));
    boolean first = from == 0;
    apply(parts.pipeline().normalization(), text, first);
    int free = 0;
    AddedTokenMatcher matcher = parts.normalizedTokens();
    if (matcher != null) {
      AddedTokenMatcher.Match match = new AddedTokenMatcher.Match();
      int at = 0;
      while (matcher.find(text.bytes(), 0, free, at, text.length(), match)) {
        if (free < match.begin) {
          prepare(text.slice(free, match.begin), first && free == 0);
        }
        addAdded(match, text.bytes(), text.begin(match.begin), text.end(match.end - 1));
        free = match.end;
        at = match.resume;
      }
    }
    if (free < text.length()) {
      prepare(text.slice(free, text.length()), first && free == 0);
    }
  }

  private static void apply(List<TextStep> steps, AlignedText text, boolean first) {
    for (TextStep step : steps) {
      if (text.length() > 0 && step.changes(text.bytes(), 0, text.length(), first)) {
        step.apply(text);
      }
    }
  }

  private void prepare(AlignedText text, boolean first) {
    apply(parts.pipeline().preparation(), text, first);
    List<Splitter> splitters = parts.pipeline().splitters();
    PlainSplitters.Nested nested =
        new PlainSplitters.Nested(
            splitters.isEmpty()
                ? new Splitter[] {new PlainSplitters.Whole()}
                : splitters.toArray(Splitter[]::new));
    nested.reset();
    for (int at = 0; at < text.length(); ) {
      int end = nested.next(text.bytes(), at, text.length());
      preToken(text, at, end);
      at = end;
    }
  }

  private void preToken(AlignedText text, int from, int to) {
    int unmerged = parts.model().unmerged(text.bytes(), from, to);
    if (unmerged >= 0) {
      add(unmerged, parts.vocabulary().text(unmerged), text.begin(from), text.end(to - 1));
      return;
    }
    int[] symbols = new int[to - from];
    int[] lengths = new int[to - from];
    int symbolCount = parts.model().firstSymbols(text.bytes(), from, to, symbols, lengths);
    int[] first = Arrays.copyOf(symbols, symbolCount);
    int merged = merger.merge(symbols, symbolCount);
    int symbol = 0;
    int at = from;
    for (int i = 0; i < merged; i++) {
      // A symbol that was merged has the bytes of its token; others stand for what they stood for.
      int length = lengths[symbol];
      boolean whole = first[symbol++] == symbols[i];
      int wanted = whole ? length : parts.model().textLength(parts.vocabulary().bytes(symbols[i]));
      while (length < wanted) {
        length += lengths[symbol++];
      }
      String piece = parts.vocabulary().text(symbols[i]);
      add(symbols[i], piece, text.begin(at), text.end(at + length - 1));
      at += length;
    }
  }

  /** An added token is printed as it stood in the text, with the white space it took. */
  private void addAdded(AddedTokenMatcher.Match match, byte[] text, int begin, int end) {
    String piece = new String(text, match.begin, match.end - match.begin, StandardCharsets.UTF_8);
    add(match.id, piece, begin, end);
  }

  private void add(int id, String piece, int begin, int end) {
    if (count == ids.length) {
      ids = Arrays.copyOf(ids, 2 * count);
      begins = Arrays.copyOf(begins, 2 * count);
      ends = Arrays.copyOf(ends, 2 * count);
    }
    ids[count] = id;
    begins[count] = begin;
    ends[count++] = end;
    pieces.add(piece);
  }

  /** Leaves out white space at the ends of tokens, if the post-processor does. */
  private void trim() {
    Pipeline.Trim trim = parts.pipeline().trim();
    if (trim == Pipeline.Trim.NO) {
      return;
    }
    int space = parts.alphabet().character(' ');
    for (int i = 0; i < count; i++) {
      int[] characters = pieces.get(i).codePoints().toArray();
      int leading = 0;
      while (leading < characters.length && isSpace(characters[leading], space)) {
        leading++;
      }
      int trailing = 0;
      while (trailing < characters.length
          && isSpace(characters[characters.length - 1 - trailing], space)) {
        trailing++;
      }
      if (leading > 0) {
        boolean inserted = trim == Pipeline.Trim.YES_BUT_FIRST_SPACE && begins[i] == 0;
        begins[i] = Math.min(begins[i] + leading - (inserted ? 1 : 0), ends[i]);
      }
      if (trailing > 0 && ends[i] >= trailing) {
        ends[i] = Math.max(ends[i] - trailing, begins[i]);
      }
    }
  }

  private boolean isSpace(int character, int byteLevelSpace) {
    return character == byteLevelSpace || parts.unicode().isWhiteSpace(character);
  }

  /** Code points to what was asked for. */
  private void convert(String text, OffsetUnit unit) {
    if (unit == OffsetUnit.CODE_POINTS) {
      return;
    }
    int[] places = new int[text.codePointCount(0, text.length()) + 1];
    int place = 0;
    int at = 0;
    for (int i = 0; i < text.length(); ) {
      int codePoint = text.codePointAt(i);
      places[at++] = place;
      int units = Character.charCount(codePoint);
      int utf8 = codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
      place += unit == OffsetUnit.UTF16_UNITS ? units : utf8;
      i += units;
    }
    places[at] = place;
    for (int i = 0; i < count; i++) {
      begins[i] = places[begins[i]];
      ends[i] = places[ends[i]];
    }
  }
}
