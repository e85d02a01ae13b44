package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.bpe.Merger;
import io.github.pretrain4j.tokenizer.bpe.SegmentCache;
import java.util.List;
import java.util.Objects;

/**
 * Text to ids on one thread, see {@link Encoder}.
 *
 * <p>The text is copied as UTF-8 into a buffer that can be read eight bytes at a time behind its
 * end. Added tokens cut it into parts; a part is normalised, which mostly changes nothing, and cut
 * into pre-tokens. A pre-token of up to 15 bytes is a key of the cache as it is: two loads and two
 * masks. A longer one, or one in a script without spaces, is cut further where {@link Cuts} allows
 * it, and its pieces are looked up. What is not in the cache is merged.
 */
final class HuggingFaceEncoder implements Encoder {
  /** Keys of pieces that are no whole pre-tokens, where {@code ignore_merges} tells them apart. */
  private static final long PIECE = 1L << 60;

  /** A pre-token of at most so many bytes is looked up whole in any script. */
  private static final int WHOLE_BYTES = 6;

  private static final int MAX_KEY_BYTES = SegmentCache.MAX_KEY_BYTES;
  private static final int RESERVED_IDS = 1024;
  private static final int KEPT_SYMBOLS = 1 << 18;

  private final HuggingFaceTokenizer.Parts parts;
  private final BpeModel model;
  private final Cuts cuts;
  private final Merger merger;
  private final SegmentCache cache;
  private final boolean cacheable;
  private final Splitter onlySplitter;
  private final PlainSplitters.Nested nested;
  private final boolean isNested;
  private final long pieceBit;

  /** Of a key of n bytes, those that belong to the first long, and to the second. */
  private final long[] firstMask = new long[MAX_KEY_BYTES + 1];

  private final long[] secondMask = new long[MAX_KEY_BYTES + 1];

  private final Bytes input = new Bytes();
  private final Bytes[] normalized = {new Bytes(), new Bytes()};
  private final Bytes[] prepared = {new Bytes(), new Bytes()};
  private final AddedTokenMatcher.Match rawMatch = new AddedTokenMatcher.Match();
  private final AddedTokenMatcher.Match normalizedMatch = new AddedTokenMatcher.Match();
  private int[] symbols = new int[64];

  HuggingFaceEncoder(HuggingFaceTokenizer.Parts parts, int cacheSlots) {
    this.parts = parts;
    this.model = parts.model();
    this.cuts = model.cuts;
    this.merger = new Merger(model.merges);
    this.cache = new SegmentCache(cacheSlots);
    this.cacheable = parts.vocabulary().size() <= SegmentCache.MAX_ID;
    this.pieceBit = model.hasUnmerged() ? PIECE : 0;
    Splitter[] splitters = parts.pipeline().splitters().toArray(Splitter[]::new);
    this.isNested = splitters.length > 1;
    this.nested = new PlainSplitters.Nested(splitters);
    this.onlySplitter = splitters.length == 1 ? splitters[0] : new PlainSplitters.Whole();
    for (int n = 1; n <= MAX_KEY_BYTES; n++) {
      firstMask[n] = n >= 8 ? -1L : (1L << (8 * n)) - 1;
      secondMask[n] = n <= 8 ? 0 : (1L << (8 * (n - 8))) - 1;
    }
  }

  @Override
  public int encode(CharSequence text, TokenBuffer out) {
    input.clear();
    byte[] target = input.reserve(3L * text.length());
    input.length = Utf8.put(text, target, 0);
    return encodeInput(out);
  }

  @Override
  public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
    Objects.checkFromToIndex(from, to, utf8.length);
    input.clear();
    if (Utf8.malformed(utf8, from, to) == Utf8.NONE) {
      input.add(utf8, from, to);
    } else {
      byte[] target = input.reserve(3L * (to - from));
      input.length = Utf8.repair(utf8, from, to, target, 0);
    }
    return encodeInput(out);
  }

  private int encodeInput(TokenBuffer out) {
    int before = out.length();
    boolean done = false;
    try {
      addedTokensAndParts(out);
      done = true;
    } finally {
      if (!done) {
        out.setLength(before);
      }
      if (symbols.length > KEPT_SYMBOLS) {
        symbols = new int[64];
      }
    }
    return out.length() - before;
  }

  private void addedTokensAndParts(TokenBuffer out) {
    byte[] text = input.array;
    int to = input.length;
    int free = 0;
    AddedTokenMatcher matcher = parts.rawTokens();
    if (matcher != null) {
      int at = 0;
      while (matcher.find(text, 0, free, at, to, rawMatch)) {
        if (free < rawMatch.begin) {
          part(text, free, rawMatch.begin, out);
        }
        out.add(rawMatch.id);
        free = rawMatch.end;
        at = rawMatch.resume;
      }
    }
    if (free < to) {
      part(text, free, to, out);
    }
  }

  /** Normalises what is between two added tokens, and finds those that are normalised too. */
  private void part(byte[] original, int originalFrom, int originalTo, TokenBuffer out) {
    byte[] text = original;
    int from = originalFrom;
    int to = originalTo;
    boolean first = originalFrom == 0;
    List<TextStep> steps = parts.pipeline().normalization();
    for (int i = 0; i < steps.size(); i++) {
      if (from < to && steps.get(i).changes(text, from, to, first)) {
        Bytes target = apply(steps.get(i), text, from, to, normalized);
        text = target.array;
        from = 0;
        to = target.length;
      }
    }
    AddedTokenMatcher matcher = parts.normalizedTokens();
    int free = from;
    if (matcher != null) {
      int at = from;
      while (matcher.find(text, from, free, at, to, normalizedMatch)) {
        if (free < normalizedMatch.begin) {
          prepare(text, free, normalizedMatch.begin, first && free == from, out);
        }
        out.add(normalizedMatch.id);
        free = normalizedMatch.end;
        at = normalizedMatch.resume;
      }
    }
    if (free < to) {
      prepare(text, free, to, first && free == from, out);
    }
  }

  private static Bytes apply(TextStep step, byte[] text, int from, int to, Bytes[] targets) {
    Bytes target = text == targets[0].array ? targets[1] : targets[0];
    target.clear();
    step.apply(text, from, to, target);
    return target;
  }

  private void prepare(
      byte[] normalizedText, int partFrom, int partTo, boolean first, TokenBuffer out) {
    byte[] text = normalizedText;
    int from = partFrom;
    int to = partTo;
    List<TextStep> steps = parts.pipeline().preparation();
    for (int i = 0; i < steps.size(); i++) {
      if (steps.get(i).changes(text, from, to, first)) {
        Bytes target = apply(steps.get(i), text, from, to, prepared);
        text = target.array;
        from = 0;
        to = target.length;
      }
    }
    if (isNested) {
      nested.reset();
    }
    preTokens(text, from, to, out);
  }

  private void preTokens(byte[] text, int from, int to, TokenBuffer out) {
    int[] ids = out.reserve(RESERVED_IDS);
    int count = out.length();
    int at = from;
    while (at < to) {
      int end = isNested ? nested.next(text, at, to) : onlySplitter.next(text, at, to);
      if (count + SegmentCache.MAX_IDS > ids.length) {
        out.setLength(count);
        ids = out.reserve(RESERVED_IDS);
      }
      int length = end - at;
      if (length <= MAX_KEY_BYTES && !isLongWithoutSpaces(text, end, length)) {
        long key0 = (long) Utf8.LONG.get(text, at) & firstMask[length];
        long key1 =
            SegmentCache.secondKey((long) Utf8.LONG.get(text, at + 8) & secondMask[length], length);
        int place = cache.find(key0, key1);
        if (place >= 0) {
          count = cache.copyIds(place, ids, count);
        } else {
          out.setLength(count);
          encodeWhole(text, at, end, key0, key1, out);
          ids = out.reserve(SegmentCache.MAX_IDS);
          count = out.length();
        }
      } else {
        out.setLength(count);
        encodeLong(text, at, end, out);
        ids = out.reserve(SegmentCache.MAX_IDS);
        count = out.length();
      }
      at = end;
    }
    out.setLength(count);
  }

  /** Whether a pre-token of several characters ends in one of three bytes, as East Asian ones. */
  private static boolean isLongWithoutSpaces(byte[] text, int end, int length) {
    return text[end - 1] < 0 && length > WHOLE_BYTES && (text[end - 3] & 0xF0) == 0xE0;
  }

  /** Encodes a pre-token that was not in the cache and puts it there. */
  private void encodeWhole(byte[] text, int from, int to, long key0, long key1, TokenBuffer out) {
    int before = out.length();
    int unmerged = model.unmerged(text, from, to);
    if (unmerged >= 0) {
      out.add(unmerged);
    } else {
      merge(text, from, to, out);
    }
    remember(key0, key1, before, out);
  }

  private void remember(long key0, long key1, int before, TokenBuffer out) {
    int count = out.length() - before;
    if (cacheable && count > 0 && count <= SegmentCache.MAX_IDS) {
      cache.put(key0, key1, out.reserve(0), before, count, 0);
    }
  }

  private void encodeLong(byte[] text, int from, int to, TokenBuffer out) {
    int unmerged = model.unmerged(text, from, to);
    if (unmerged >= 0) {
      out.add(unmerged);
      return;
    }
    int begin = from;
    int first = from;
    int second = from + Utf8.length(text[from]);
    while (second < to) {
      int end = second + Utf8.length(text[second]);
      if (cuts.between(text, first, second, end) && model.mayCut(text, first, second)) {
        encodePiece(text, begin, second, out);
        begin = second;
      }
      first = second;
      second = end;
    }
    encodePiece(text, begin, to, out);
  }

  private void encodePiece(byte[] text, int from, int to, TokenBuffer out) {
    int length = to - from;
    if (length > MAX_KEY_BYTES) {
      merge(text, from, to, out);
      return;
    }
    long key0 = (long) Utf8.LONG.get(text, from) & firstMask[length];
    long key1 =
        SegmentCache.secondKey((long) Utf8.LONG.get(text, from + 8) & secondMask[length], length)
            | pieceBit;
    int place = cache.find(key0, key1);
    int before = out.length();
    if (place >= 0) {
      out.setLength(cache.copyIds(place, out.reserve(SegmentCache.MAX_IDS), before));
    } else {
      merge(text, from, to, out);
      remember(key0, key1, before, out);
    }
  }

  private void merge(byte[] text, int from, int to, TokenBuffer out) {
    int length = to - from;
    if (symbols.length < length) {
      symbols = new int[(int) Math.min(2L * length, Integer.MAX_VALUE - 8)];
    }
    int count = merger.merge(symbols, model.firstSymbols(text, from, to, symbols));
    int before = out.length();
    System.arraycopy(symbols, 0, out.reserve(count), before, count);
    out.setLength(before + count);
  }
}
