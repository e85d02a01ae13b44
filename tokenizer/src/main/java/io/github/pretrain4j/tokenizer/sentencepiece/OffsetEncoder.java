package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Encodes one text with pieces and offsets: no cuts but at frozen symbols and no cache, so it is
 * also a second opinion on {@link SentencePieceEncoder}.
 */
final class OffsetEncoder {
  private final SentencePieceEngine engine;
  private final PieceTable pieces;
  private final ByteText input = ByteText.create();
  private final ByteText prepared = ByteText.withOrigin();
  private final Edges parts = new Edges();

  private final List<String> texts = new ArrayList<>();
  private int[] ids = new int[16];
  private int[] begins = new int[16];
  private int[] ends = new int[16];

  OffsetEncoder(SentencePieceEngine engine) {
    this.engine = engine;
    this.pieces = engine.pieces;
  }

  Encoding encode(String text, OffsetUnit unit) {
    input.append(text);
    engine.normalizer.normalize(input.bytes, 0, input.length, prepared);
    divide();
    int at = 0;
    for (int i = 0; i < parts.count; i++) {
      add(parts.ids[i], at, parts.ends[i], i > 0 && parts.ids[i - 1] == parts.ids[i]);
      at = parts.ends[i];
    }
    int count = texts.size();
    int[] places = places(unit);
    for (int i = 0; i < count; i++) {
      begins[i] = places[begins[i]];
      ends[i] = places[ends[i]];
    }
    return new Encoding(
        Arrays.copyOf(ids, count), texts, Arrays.copyOf(begins, count), Arrays.copyOf(ends, count));
  }

  private void divide() {
    SegmentEngine segments = engine.newSegments();
    segments.begin();
    PieceTrie symbols = engine.isUncut ? null : engine.frozenSymbols;
    int start = 0;
    for (int at = 0; symbols != null && at < prepared.length; ) {
      long symbol = symbols.longestPrefix(prepared.bytes, at, prepared.length);
      if (symbol == 0) {
        at += Utf8.lengthByLead(prepared.bytes[at]);
        continue;
      }
      segments.encode(prepared.bytes, start, at, parts);
      at += (int) (symbol >>> 32);
      parts.add(pieces.id(pieces.piece((int) symbol).text()), at);
      start = at;
    }
    segments.encode(prepared.bytes, start, prepared.length, parts);
  }

  private void add(int id, int from, int to, boolean again) {
    int[] origin = Objects.requireNonNull(prepared.origin, "made with origins");
    PieceType type = pieces.type(id);
    String text = engine.normalizer.asPieces(prepared.bytes, from, to);
    if (type == PieceType.CONTROL) {
      throw engine.notFromText(id);
    }
    if (type == PieceType.UNKNOWN && pieces.byteFallback()) {
      byte[] utf8 = PieceTexts.prepared(text, false);
      for (int i = 0; i < utf8.length; i++) {
        int byteId = pieces.byteId(utf8[i]);
        int end = i == utf8.length - 1 ? to : from;
        append(byteId, pieces.piece(byteId).text(), origin[from], origin[end]);
      }
    } else if (type == PieceType.UNKNOWN && again) {
      int last = texts.size() - 1;
      texts.set(last, texts.get(last) + text);
      ends[last] = origin[to];
    } else {
      append(id, text, origin[from], origin[to]);
    }
  }

  private void append(int id, String text, int begin, int end) {
    int count = texts.size();
    if (count == ids.length) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8, count * 2L);
      ids = Arrays.copyOf(ids, capacity);
      begins = Arrays.copyOf(begins, capacity);
      ends = Arrays.copyOf(ends, capacity);
    }
    ids[count] = id;
    begins[count] = begin;
    ends[count] = end;
    texts.add(text);
  }

  /** For each byte of the text and its end, its place in a unit. */
  private int[] places(OffsetUnit unit) {
    int[] places = new int[input.length + 1];
    int place = 0;
    for (int at = 0; at < input.length; ) {
      int length = Utf8.lengthByLead(input.bytes[at]);
      for (int i = 0; i < length; i++) {
        places[at + i] = unit == OffsetUnit.UTF8_BYTES ? at + i : place;
      }
      at += length;
      place += unit == OffsetUnit.UTF16_UNITS && length == 4 ? 2 : 1;
    }
    places[input.length] = unit == OffsetUnit.UTF8_BYTES ? input.length : place;
    return places;
  }
}
