package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.bpe.Merger;
import io.github.pretrain4j.tokenizer.bpe.SegmentCache;
import io.github.pretrain4j.tokenizer.bpe.WideSegmentCache;
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

  private static final int NARROW = SegmentCache.MAX_KEY_BYTES;
  private static final int WIDE = WideSegmentCache.MAX_KEY_BYTES;

  /** One slot of the wide cache for so many of the other. */
  private static final int SLOTS_PER_WIDE_SLOT = 8;

  /** How many stretches are found before the first is looked up. */
  private static final int BATCH = 64;

  private static final int ABSENT = -1;

  // Instead of a bucket: a stretch of more than NARROW bytes, a whole pre-token or a piece of one.
  private static final int OF_WHOLE = -1;
  private static final int OF_PIECE = -2;

  /** Instead of a bucket: a character whose id plus one is in the place of the first key. */
  private static final int ONE_CHARACTER = -3;

  private static final int SEVERAL_IDS = -1;
  private static final int KEPT_SYMBOLS = 1 << 18;

  private final HuggingFaceTokenizer.Parts parts;
  private final BpeModel model;
  private final Cuts cuts;
  private final Merger merger;
  private final SegmentCache cache;
  private final WideSegmentCache wideCache;
  private final boolean cacheable;
  private final Splitter onlySplitter;
  private final PlainSplitters.Nested nested;
  private final boolean isNested;
  private final long pieceBit;

  /** Of a key of n bytes, those that belong to the first long, and to the second. */
  private final long[] firstMask = new long[NARROW + 1];

  private final long[] secondMask = new long[NARROW + 1];

  // The batch: stretches follow one another from batchBegin on.
  private int batchBegin;
  private int batched;
  private final int[] ends = new int[BATCH];
  private final int[] buckets = new int[BATCH];
  private final long[] keys0 = new long[BATCH];
  private final long[] keys1 = new long[BATCH];

  /**
   * Of each character of three bytes that was a piece, its id plus one, or SEVERAL_IDS; made when
   * needed.
   */
  private int[] idPlusOne = {};

  /** Where the values go that were read for their cache lines. */
  @SuppressWarnings("UnusedVariable") // the reading is wanted, not what was read
  private long warmed;

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
    this.wideCache = new WideSegmentCache(Math.max(cacheSlots / SLOTS_PER_WIDE_SLOT, 2));
    this.cacheable = parts.vocabulary().size() <= SegmentCache.MAX_ID;
    this.pieceBit = model.hasUnmerged() ? PIECE : 0;
    Splitter[] splitters = parts.pipeline().splitters().toArray(Splitter[]::new);
    this.isNested = splitters.length > 1;
    this.nested = new PlainSplitters.Nested(splitters);
    this.onlySplitter = splitters.length == 1 ? splitters[0] : new PlainSplitters.Whole();
    for (int n = 1; n <= NARROW; n++) {
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

  /**
   * Encodes pre-tokens in batches of stretches: first the stretches are found and their places in
   * the cache read, so that the processor fetches many at once; then each is looked up.
   */
  private void preTokens(byte[] text, int from, int to, TokenBuffer out) {
    int at = from;
    batchBegin = from;
    batched = 0;
    while (at < to) {
      int end = isNested ? nested.next(text, at, to) : onlySplitter.next(text, at, to);
      int length = end - at;
      if (batched == BATCH) {
        lookUp(text, out);
      }
      if (length <= NARROW && !isLongWithoutSpaces(text, end, length)) {
        addNarrow(text, at, end, 0);
      } else if (length <= WIDE && text[end - 1] >= 0) {
        add(end, OF_WHOLE);
      } else {
        addPieces(text, at, end, out);
      }
      at = end;
    }
    lookUp(text, out);
  }

  /** Whether a pre-token of several characters ends in one of three bytes, as East Asian ones. */
  private static boolean isLongWithoutSpaces(byte[] text, int end, int length) {
    return text[end - 1] < 0 && length > WHOLE_BYTES && (text[end - 3] & 0xF0) == 0xE0;
  }

  private void add(int end, int bucket) {
    ends[batched] = end;
    buckets[batched++] = bucket;
  }

  private void addNarrow(byte[] text, int from, int to, long bit) {
    int length = to - from;
    long key0 = (long) Utf8.LONG.get(text, from) & firstMask[length];
    long key1 =
        SegmentCache.secondKey((long) Utf8.LONG.get(text, from + 8) & secondMask[length], length)
            | bit;
    int bucket = cache.bucket(key0, key1);
    keys0[batched] = key0;
    keys1[batched] = key1;
    add(to, bucket);
    warmed += cache.warm(bucket);
  }

  /** Cuts a pre-token where its ids allow it. */
  private void addPieces(byte[] text, int from, int to, TokenBuffer out) {
    int unmerged = model.hasUnmerged() ? model.unmerged(text, from, to) : ByteIndex.NONE;
    if (unmerged >= 0) {
      lookUp(text, out);
      out.add(unmerged);
      batchBegin = to;
      return;
    }
    int begin = from;
    int cut = from;
    do {
      cut = cuts.next(text, cut, to);
      if (cut == to || model.mayCut(text, cut)) {
        addPiece(text, begin, cut, out);
        begin = cut;
      }
    } while (cut < to);
  }

  private void addPiece(byte[] text, int from, int to, TokenBuffer out) {
    if (batched == BATCH) {
      lookUp(text, out);
    }
    int length = to - from;
    if (length == 3 && (text[from] & 0xF0) == 0xE0 && addCharacter(text, from, to, out)) {
      return;
    }
    if (length <= NARROW) {
      addNarrow(text, from, to, pieceBit);
    } else {
      add(to, OF_PIECE);
    }
  }

  /** Adds a character of three bytes, as East Asian ones, if it is a single id. */
  private boolean addCharacter(byte[] text, int from, int to, TokenBuffer out) {
    int codePoint = Utf8.codePoint(text, from);
    if (idPlusOne.length == 0) {
      idPlusOne = new int[Character.MIN_SUPPLEMENTARY_CODE_POINT];
    }
    int known = idPlusOne[codePoint];
    if (known == 0) {
      lookUp(text, out);
      int before = out.length();
      encode(text, from, to, false, out);
      idPlusOne[codePoint] = out.length() == before + 1 ? out.get(before) + 1 : SEVERAL_IDS;
      batchBegin = to;
      return true;
    }
    if (known == SEVERAL_IDS) {
      return false;
    }
    keys0[batched] = known;
    add(to, ONE_CHARACTER);
    return true;
  }

  /** Encodes the stretches of the batch. */
  private void lookUp(byte[] text, TokenBuffer out) {
    int[] ids = out.reserve(BATCH * WideSegmentCache.MAX_IDS);
    int count = out.length();
    int begin = batchBegin;
    int found = batched;
    for (int i = 0; i < found; i++) {
      int bucket = buckets[i];
      int end = ends[i];
      if (bucket == ONE_CHARACTER) {
        ids[count++] = (int) keys0[i] - 1;
        begin = end;
        continue;
      }
      int place = bucket < 0 ? ABSENT : cache.find(bucket, keys0[i], keys1[i]);
      if (place >= 0) {
        count = cache.copyIds(place, ids, count);
      } else {
        out.setLength(count);
        if (bucket >= 0) {
          encodeNarrow(text, begin, end, keys0[i], keys1[i], out);
        } else {
          encodeWide(text, begin, end, bucket == OF_WHOLE ? 0 : pieceBit, out);
        }
        ids = out.reserve(BATCH * WideSegmentCache.MAX_IDS);
        count = out.length();
      }
      begin = end;
    }
    out.setLength(count);
    batchBegin = begin;
    batched = 0;
  }

  /** Encodes what was not in the cache and puts it there. */
  private void encodeNarrow(byte[] text, int from, int to, long key0, long key1, TokenBuffer out) {
    int before = out.length();
    encode(text, from, to, (key1 & PIECE) == 0, out);
    int count = out.length() - before;
    if (cacheable && count > 0 && count <= SegmentCache.MAX_IDS) {
      cache.put(key0, key1, out.reserve(0), before, count, 0);
    }
  }

  private void encodeWide(byte[] text, int from, int to, long bit, TokenBuffer out) {
    int length = to - from;
    if (length > WIDE) {
      encode(text, from, to, false, out);
      return;
    }
    long key0 = (long) Utf8.LONG.get(text, from);
    long key1 = (long) Utf8.LONG.get(text, from + 8);
    long key2 = (long) Utf8.LONG.get(text, from + 16) & firstMask[Math.min(length - 16, 8)];
    long key3 =
        WideSegmentCache.lastKey(
                (long) Utf8.LONG.get(text, from + 24) & firstMask[Math.max(length - 24, 0)], length)
            | bit;
    int before = out.length();
    int place = wideCache.find(key0, key1, key2, key3);
    if (place >= 0) {
      out.setLength(wideCache.copyIds(place, out.reserve(WideSegmentCache.MAX_IDS), before));
      return;
    }
    encode(text, from, to, bit == 0, out);
    int count = out.length() - before;
    if (cacheable && count > 0 && count <= WideSegmentCache.MAX_IDS) {
      wideCache.put(key0, key1, key2, key3, out.reserve(0), before, count, 0);
    }
  }

  private void encode(byte[] text, int from, int to, boolean whole, TokenBuffer out) {
    int unmerged = whole ? model.unmerged(text, from, to) : ByteIndex.NONE;
    if (unmerged >= 0) {
      out.add(unmerged);
    } else {
      merge(text, from, to, out);
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
