package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.bpe.SegmentCache;
import io.github.pretrain4j.tokenizer.bpe.WideSegmentCache;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Encodes texts of one model, one after the other.
 *
 * <p>A text is prepared (usually a copy with a space before it) and cut into <i>segments</i> where
 * {@link CharacterTable} says that no piece can cross. One-character segments are looked up in a
 * table; most of Chinese is that. Others of up to 31 bytes are looked up in a cache by their bytes,
 * loaded as two or four words; what the cache does not know goes to the {@link SegmentEngine}.
 *
 * <p>English is mostly a space and letters. The end of such a run is found eight bytes at a time,
 * without looking at the characters: cuts inside it do not matter to a cached result.
 *
 * <p>Unigram sums up scores along the text. A cached division is used if it is certain at the
 * present sum, see {@link UnigramSegments}; then only the additions are repeated, in their order.
 */
final class SentencePieceEncoder implements Encoder {
  private static final VarHandle WORD =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final VarHandle HALF_WORD =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private static final long EACH_BYTE = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;

  /** Bytes of a text above which buffers are not kept for the next. */
  private static final int LARGE_TEXT = 1 << 22;

  private static final int MIN_WIDE_SLOTS = 16;
  private static final int[] NO_IDS = new int[0];

  /** Marks text that turned out not to be well formed. */
  private static final int MALFORMED = -1;

  private final SentencePieceEngine engine;
  private final PieceTable pieces;
  private final Normalizer normalizer;
  private final CharacterTable characters;
  private SegmentEngine segments;
  private final SegmentCache cache;
  private final WideSegmentCache wideCache;

  /** Remembered ids hold wherever the segment stands. */
  private final boolean fitsAnywhere;

  /** The same as {@link #segments} if they sum up scores. */
  private @Nullable UnigramSegments sums;

  /** Most ids that a byte of prepared text gives. */
  private final int idsPerByte;

  private final boolean byteFallback;
  private final int unknownId;

  /** The id of each byte that a character may fall back to. */
  private final int[] byteIds;

  private ByteText input = ByteText.create();
  private ByteText prepared = ByteText.create();
  private Edges parts = new Edges();

  /** Where ids go while a text is encoded; {@link #firstId} is the text's first. */
  private int[] out = NO_IDS;

  private int firstId;

  /** Where {@link #encodeLoneCharacters} stopped. */
  private int loneEnd;

  /* What encodeAndLearn found worth remembering: learnedCount ids of an array, none if zero. */

  private int[] learned = NO_IDS;
  private int learnedFrom;
  private int learnedCount;
  private int learnedExtra;

  SentencePieceEncoder(SentencePieceEngine engine, int cacheSlots) {
    this.engine = engine;
    this.pieces = engine.pieces;
    this.normalizer = engine.normalizer;
    this.characters = engine.characters;
    this.segments = engine.newSegments();
    this.cache = new SegmentCache(cacheSlots);
    this.wideCache = new WideSegmentCache(Math.max(MIN_WIDE_SLOTS, cacheSlots >> 6));
    this.byteFallback = pieces.byteFallback();
    this.unknownId = pieces.unknownId();
    this.byteIds = pieces.byteIds();
    boolean spaceMayFallBack =
        normalizer.escapesSpaces() && (characters.info(' ') & CharacterTable.IS_SPECIAL) != 0;
    this.idsPerByte = spaceMayFallBack ? Normalizer.ESCAPED.length : 1;
    this.sums = segments instanceof UnigramSegments unigram ? unigram : null;
    this.fitsAnywhere = sums == null && byteFallback;
  }

  @Override
  public int encode(CharSequence text, TokenBuffer target) {
    input.clear();
    input.append(text);
    return encodeUtf8(input.bytes, 0, input.length, target);
  }

  @Override
  public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer target) {
    Objects.checkFromToIndex(from, to, utf8.length);
    int before = target.length();
    if (engine.takesFramedText) {
      normalizer.frame(utf8, from, to, prepared);
    } else {
      normalizer.normalize(utf8, from, to, prepared);
    }
    int after = encodePrepared(target, before);
    if (after == MALFORMED) {
      normalizer.normalize(utf8, from, to, prepared);
      after = encodePrepared(target, before);
    }
    out = NO_IDS;
    learned = NO_IDS;
    target.setLength(after);
    if (prepared.length > LARGE_TEXT) {
      forgetBuffers();
    }
    return after - before;
  }

  /** A giant among the texts must not cost its memory for ever. */
  private void forgetBuffers() {
    input = ByteText.create();
    prepared = ByteText.create();
    parts = new Edges();
    segments = engine.newSegments();
    sums = segments instanceof UnigramSegments unigram ? unigram : null;
  }

  /** Encodes {@link #prepared} and returns where the ids end, or {@link #MALFORMED}. */
  private int encodePrepared(TokenBuffer target, int before) {
    int length = prepared.length;
    long most = (long) length * idsPerByte + SegmentCache.MAX_IDS;
    out = target.reserve((int) Math.min(Integer.MAX_VALUE - 8, most));
    firstId = before;
    segments.begin();
    if (engine.isUncut) {
      return isWellFormed() ? encodeSegment(0, length, before) : MALFORMED;
    }
    PieceTrie symbols = engine.frozenSymbols;
    if (symbols == null) {
      return encodeRange(0, length, before);
    }
    byte[] text = prepared.bytes;
    int n = before;
    int start = 0;
    for (int at = 0; at < length && n != MALFORMED; ) {
      long symbol = symbols.longestPrefix(text, at, length);
      if (symbol == 0) {
        at += Utf8.lengthByLead(text[at]);
        continue;
      }
      n = encodeRange(start, at, n);
      if (n != MALFORMED) {
        int end = at + (int) (symbol >>> 32);
        parts.clear();
        parts.add(frozenId((int) symbol), end);
        n = emit(at, n);
        at = end;
        start = end;
      }
    }
    return n == MALFORMED ? n : encodeRange(start, length, n);
  }

  /** A reserved piece of the same text comes first. */
  private int frozenId(int symbol) {
    return pieces.id(pieces.piece(symbol).text());
  }

  private boolean isWellFormed() {
    for (int at = 0; at < prepared.length; ) {
      int length = Utf8.sequenceLength(prepared.bytes, at, prepared.length);
      if (length <= 0) {
        return false;
      }
      at += length;
    }
    return true;
  }

  /** Encodes a range that no piece crosses; returns where the ids end, or {@link #MALFORMED}. */
  private int encodeRange(int from, int to, int firstFree) {
    byte[] text = prepared.bytes;
    CharacterTable table = characters;
    int n = firstFree;
    int at = from;
    while (at < to) {
      int lead = text[at];
      if (isSpaceOrLetter(lead)) {
        int length = runLength(text, at);
        int end = at + length;
        if (length > 1
            && length < 16
            && end <= to
            && (end == to || isCut(text[end - 1], text, end, to))) {
          n = encodeKeyed(text, at, length, n);
          at = end;
          continue;
        }
      }
      if ((lead & 0xF0) == 0xE0 && sums == null) {
        int begin = at;
        n = encodeLoneCharacters(text, at, to, n);
        at = loneEnd;
        if (at > begin) {
          continue;
        }
      }
      long decoded = decode(text, at, to);
      if (decoded == MALFORMED) {
        return MALFORMED;
      }
      int c = (int) decoded;
      int end = at + (int) (decoded >>> 32);
      int info = table.info(c);
      boolean alone = true;
      int first = info;
      while (end < to && (info & CharacterTable.JOINS_NEXT) != 0) {
        decoded = decode(text, end, to);
        if (decoded == MALFORMED) {
          return MALFORMED;
        }
        int next = (int) decoded;
        int nextInfo = table.info(next);
        if (!table.joined(c, info, next, nextInfo)) {
          break;
        }
        alone = false;
        end += (int) (decoded >>> 32);
        c = next;
        info = nextInfo;
      }
      if (!alone) {
        n = encodeKeyed(text, at, end - at, n);
      } else if ((first & CharacterTable.IS_SPECIAL) == 0) {
        int id = first & CharacterTable.ID_MASK;
        out[n++] = id;
        if (sums != null) {
          sums.add(id);
        }
      } else {
        n = emitSpecial(first & CharacterTable.ID_MASK, at, end, n);
      }
      at = end;
    }
    return n;
  }

  /** Writes a character that is unknown, or not to be produced from text. */
  private int emitSpecial(int id, int from, int to, int firstFree) {
    if (id != unknownId) {
      throw engine.notFromText(id);
    }
    if (sums != null) {
      sums.add(id);
    }
    if (byteFallback) {
      return fallBack(from, to, firstFree);
    }
    int n = firstFree;
    if (!followsUnknown(n)) {
      out[n++] = id;
    }
    return n;
  }

  /**
   * Encodes characters of three bytes, most of Chinese, as long as no piece has another character
   * after one; {@link #loneEnd} is then the first byte of what follows.
   */
  private int encodeLoneCharacters(byte[] text, int from, int to, int firstFree) {
    int[] ids = out;
    int n = firstFree;
    int at = from;
    while (at + 2 < to) {
      int c = threeByteCharacter((int) HALF_WORD.get(text, at));
      if (c < 0) {
        break;
      }
      int info = characters.basicInfo(c);
      if ((info & (CharacterTable.JOINS_NEXT | CharacterTable.IS_SPECIAL)) == 0) {
        ids[n++] = info & CharacterTable.ID_MASK;
      } else if (byteFallback && info == unknownId + CharacterTable.IS_SPECIAL) {
        ids[n] = byteIds[text[at] & 0xFF];
        ids[n + 1] = byteIds[text[at + 1] & 0xFF];
        ids[n + 2] = byteIds[text[at + 2] & 0xFF];
        n += 3;
      } else {
        break;
      }
      at += 3;
    }
    loneEnd = at;
    return n;
  }

  /** The character in the first three of four bytes, little-endian; -1 if it is not one. */
  private static int threeByteCharacter(int bytes) {
    int c = (bytes & 0x0F) << 12 | (bytes >>> 2 & 0x0FC0) | (bytes >>> 16 & 0x3F);
    return (bytes & 0xC0C0F0) == 0x8080E0 && c >= 0x800 && c >>> 11 != 0x1B ? c : -1;
  }

  private static boolean isSpaceOrLetter(int c) {
    return c == ' ' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  }

  /**
   * Bytes from {@code at} to the first that is no ASCII letter, not counting the one at {@code at};
   * 16 if there is none before.
   */
  private static int runLength(byte[] text, int at) {
    long ends = nonLetters((long) WORD.get(text, at)) & -0x100L;
    if (ends != 0) {
      return Long.numberOfTrailingZeros(ends) >>> 3;
    }
    ends = nonLetters((long) WORD.get(text, at + 8));
    return ends != 0 ? 8 + (Long.numberOfTrailingZeros(ends) >>> 3) : 16;
  }

  /** The high bit of every byte that is no ASCII letter, up to and including the first. */
  private static long nonLetters(long word) {
    long lower = word | 0x20 * EACH_BYTE;
    long ascii = lower & ~HIGH_BITS;
    long fromA = ascii + (0x80 - 'a') * EACH_BYTE;
    long aboveZ = ascii + (0x80 - 'z' - 1) * EACH_BYTE;
    return ~(fromA & ~aboveZ & ~word) & HIGH_BITS;
  }

  /** Whether no piece holds an ASCII character and the one at {@code at} after it. */
  private boolean isCut(int previous, byte[] text, int at, int to) {
    int next = text[at];
    if (next >= 0) {
      return !characters.joinedAscii(previous, next);
    }
    long decoded = decode(text, at, to);
    int c = (int) decoded;
    return decoded != MALFORMED
        && !characters.joined(previous, characters.info(previous), c, characters.info(c));
  }

  /** Code point in the lower half, number of bytes in the upper half, or {@link #MALFORMED}. */
  private static long decode(byte[] text, int at, int to) {
    int lead = text[at];
    if (lead >= 0) {
      return 1L << 32 | lead;
    }
    if ((lead & 0xF0) == 0xE0 && at + 2 < to) {
      int c = threeByteCharacter((int) HALF_WORD.get(text, at));
      return c < 0 ? MALFORMED : 3L << 32 | c;
    }
    int length = Utf8.sequenceLength(text, at, to);
    return length <= 0 ? MALFORMED : (long) length << 32 | Utf8.codePoint(text, at, length);
  }

  /** Encodes a segment of more than one character. */
  private int encodeKeyed(byte[] text, int at, int length, int firstFree) {
    if (length > SegmentCache.MAX_KEY_BYTES) {
      return length <= WideSegmentCache.MAX_KEY_BYTES
          ? encodeWide(text, at, length, firstFree)
          : encodeSegment(at, at + length, firstFree);
    }
    long key0 = (long) WORD.get(text, at);
    long key1 = (long) WORD.get(text, at + 8);
    if (length < 8) {
      key0 &= (1L << (length << 3)) - 1;
      key1 = 0;
    } else {
      key1 &= (1L << ((length - 8) << 3)) - 1;
    }
    key1 = SegmentCache.secondKey(key1, length);
    int place = cache.find(key0, key1);
    if (place >= 0) {
      int end = cache.copyIds(place, out, firstFree);
      return fitsAnywhere ? end : fit(cache.extra(place), at, length, firstFree, end);
    }
    int n = encodeAndLearn(at, length, firstFree);
    if (learnedCount > 0 && learnedCount <= SegmentCache.MAX_IDS) {
      cache.put(key0, key1, learned, learnedFrom, learnedCount, learnedExtra);
    }
    return n;
  }

  private int encodeWide(byte[] text, int at, int length, int firstFree) {
    long key0 = (long) WORD.get(text, at);
    long key1 = (long) WORD.get(text, at + 8);
    long key2 = (long) WORD.get(text, at + 16);
    long key3 = (long) WORD.get(text, at + 24);
    if (length < 24) {
      key2 &= (1L << ((length - 16) << 3)) - 1;
      key3 = 0;
    } else {
      key3 &= (1L << ((length - 24) << 3)) - 1;
    }
    key3 = WideSegmentCache.lastKey(key3, length);
    int place = wideCache.find(key0, key1, key2, key3);
    if (place >= 0) {
      int end = wideCache.copyIds(place, out, firstFree);
      return fitsAnywhere ? end : fit(wideCache.extra(place), at, length, firstFree, end);
    }
    int n = encodeAndLearn(at, length, firstFree);
    if (learnedCount > 0 && learnedCount <= WideSegmentCache.MAX_IDS) {
      wideCache.put(key0, key1, key2, key3, learned, learnedFrom, learnedCount, learnedExtra);
    }
    return n;
  }

  /** Puts remembered ids, just copied, into the place they have in this text. */
  private int fit(int extra, int at, int length, int from, int to) {
    if (sums != null) {
      return replay(sums, Float.intBitsToFloat(extra << 8), at, length, from, to);
    }
    boolean joinsUnknown = followsUnknown(from) && out[from] == unknownId;
    return joinsUnknown ? dropFirst(from, to) : to;
  }

  private boolean followsUnknown(int n) {
    return n > firstId && out[n - 1] == unknownId;
  }

  /** Unknown characters in a row are one id, across segments too. */
  private int dropFirst(int from, int end) {
    System.arraycopy(out, from + 1, out, from, end - from - 1);
    return end - 1;
  }

  /** Repeats the additions along a remembered division, if it is certain to be the right one. */
  private int replay(
      UnigramSegments scores, float safeBelow, int at, int length, int from, int to) {
    float before = scores.total();
    boolean unknown = false;
    for (int i = from; i < to; i++) {
      scores.add(out[i]);
      unknown |= out[i] == unknownId;
    }
    if (!(Math.abs(scores.total()) < safeBelow)) {
      scores.setTotal(before);
      return encodeSegment(at, at + length, from);
    }
    return unknown ? mergeUnknown(from, to) : to;
  }

  private int mergeUnknown(int from, int to) {
    int n = from;
    for (int i = from; i < to; i++) {
      int id = out[i];
      if (id != unknownId || !followsUnknown(n)) {
        out[n++] = id;
      }
    }
    return n;
  }

  /**
   * Encodes a segment that no cache knows. {@link #learned} and its companions then say what to
   * remember of it: BPE its ids, unigram its parts and how far they are certain.
   */
  private int encodeAndLearn(int at, int length, int firstFree) {
    parts.clear();
    segments.encode(prepared.bytes, at, at + length, parts);
    int n = emit(at, firstFree);
    learnedCount = 0;
    if (sums == null) {
      // What was dropped because an unknown went before is part of the segment all the same.
      boolean dropped = !byteFallback && parts.ids[0] == unknownId && followsUnknown(firstFree);
      learned = out;
      learnedFrom = firstFree;
      learnedCount = dropped ? 0 : n - firstFree;
      learnedExtra = 0;
    } else if (Math.abs(sums.total()) < sums.safeBelow() && !(byteFallback && hasUnknown())) {
      learned = parts.ids;
      learnedFrom = 0;
      learnedCount = parts.count;
      learnedExtra = Float.floatToRawIntBits(sums.safeBelow()) >>> 8;
    }
    return n;
  }

  private boolean hasUnknown() {
    for (int i = 0; i < parts.count; i++) {
      if (parts.ids[i] == unknownId) {
        return true;
      }
    }
    return false;
  }

  private int encodeSegment(int from, int to, int firstFree) {
    parts.clear();
    segments.encode(prepared.bytes, from, to, parts);
    return emit(from, firstFree);
  }

  /** Writes the ids of {@link #parts}, which begin at {@code from}; returns where they end. */
  private int emit(int from, int firstFree) {
    int n = firstFree;
    int at = from;
    for (int i = 0; i < parts.count; i++) {
      int id = parts.ids[i];
      int end = parts.ends[i];
      if (id == unknownId) {
        if (byteFallback) {
          n = fallBack(at, end, n);
        } else if (!followsUnknown(n)) {
          out[n++] = id;
        }
      } else if (pieces.type(id) != PieceType.CONTROL) {
        out[n++] = id;
      } else {
        throw engine.notFromText(id);
      }
      at = end;
    }
    return n;
  }

  private int fallBack(int from, int to, int firstFree) {
    byte[] text = prepared.bytes;
    int n = firstFree;
    for (int i = from; i < to; i++) {
      if (text[i] == ' ' && idsPerByte > 1) {
        for (byte escaped : Normalizer.ESCAPED) {
          out[n++] = byteIds[escaped & 0xFF];
        }
      } else {
        out[n++] = byteIds[text[i] & 0xFF];
      }
    }
    return n;
  }
}
