package io.github.pretrain4j.tokenizer.sentencepiece;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Properties of the engine that no golden string shows. */
class EngineTest {
  private static final List<SentencePieceTokenizer> TOKENIZERS = new ArrayList<>();

  /** The first of {@link Golden#SMALL} are BPE. */
  private static final int BPE_MODELS = 2;

  @BeforeAll
  static void load() throws IOException {
    for (String name : Golden.SMALL) {
      TOKENIZERS.add(SentencePieceTokenizer.load(Golden.folder(name).resolve("tokenizer.model")));
    }
  }

  @AfterAll
  static void forget() {
    TOKENIZERS.clear();
  }

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  /**
   * The cuts, the scan and the heap against the definition of BPE, written as plainly as possible.
   */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void agreesWithThePlainDefinition(long seed) {
    Random random = new Random(seed);
    for (SentencePieceTokenizer tokenizer : TOKENIZERS.subList(0, BPE_MODELS)) {
      String text = randomText(random, tokenizer);
      assertEquals(plainPieces(tokenizer, tokenizer.normalize(text)), surfaces(tokenizer, text));
    }
  }

  /**
   * Cuts, runs and cache against one pass of the algorithm over the whole text; the cache is small
   * enough to lose entries, the encoder is used again and again.
   */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void theFastWayEqualsTheLongWay(long seed) throws IOException {
    Random random = new Random(seed);
    for (SentencePieceTokenizer loaded : TOKENIZERS) {
      SentencePieceTokenizer tokenizer =
          SentencePieceTokenizer.of(
              loaded.model(), TokenizerOptions.defaults().withCacheSlots(1 << (4 + seed % 4)));
      Encoder encoder = tokenizer.newEncoder();
      TokenBuffer ids = new TokenBuffer(0);
      StringBuilder all = new StringBuilder();
      for (int i = 0; i < 20; i++) {
        String text = randomText(random, tokenizer);
        all.append(text).append(random.nextBoolean() ? "" : " ");
        for (String part : List.of(text, all.toString())) {
          ids.clear();
          ids.add(-7); // what is there stays
          int[] expected = tokenizer.encode(part, OffsetUnit.UTF8_BYTES).ids();
          assertEquals(expected.length, encoder.encode(part, ids));
          assertArrayEquals(expected, Arrays.copyOfRange(ids.toArray(), 1, ids.length()), part);
        }
      }
    }
  }

  @Test
  void offsetsCountWhatIsAskedFor() {
    String text = "a\uD83D\uDE00 \u4E2D\u00E9 the model";
    int[] bytes =
        text.codePoints().map(c -> Character.toString(c).getBytes(UTF_8).length).toArray();
    for (SentencePieceTokenizer tokenizer : TOKENIZERS) {
      Encoding inBytes = tokenizer.encode(text, OffsetUnit.UTF8_BYTES);
      Encoding inPoints = tokenizer.encode(text, OffsetUnit.CODE_POINTS);
      Encoding inChars = tokenizer.encode(text, OffsetUnit.UTF16_UNITS);
      for (int i = 0; i < inBytes.ids().length; i++) {
        int points = inPoints.ends()[i];
        assertEquals(Arrays.stream(bytes, 0, points).sum(), inBytes.ends()[i]);
        assertEquals(text.offsetByCodePoints(0, points), inChars.ends()[i]);
      }
    }
  }

  /** Mixes pieces, single characters, spaces and long runs; no user-defined symbol as a whole. */
  private static String randomText(Random random, SentencePieceTokenizer tokenizer) {
    StringBuilder text = new StringBuilder();
    for (int parts = 1 + random.nextInt(25); parts > 0; parts--) {
      SentencePieceModel.Piece piece =
          tokenizer.model().pieces().get(random.nextInt(tokenizer.vocabularySize()));
      if (piece.type() != PieceType.NORMAL) {
        text.append(Character.toString(0x20 + random.nextInt(0x300)));
      } else if (random.nextInt(10) == 0) {
        text.append(piece.text().repeat(1 + random.nextInt(30)));
      } else {
        text.append(piece.text());
      }
    }
    return text.toString().replace("    ", " ").replace("\u5343\u5e06", "x");
  }

  /** What the ids stand for in the normalised text, bytes and unknowns as their characters. */
  private static List<String> surfaces(SentencePieceTokenizer tokenizer, String text) {
    List<String> found = new ArrayList<>();
    StringBuilder outside = new StringBuilder();
    for (String piece : tokenizer.encodePieces(text)) {
      int id = tokenizer.idOf(piece);
      if (tokenizer.pieceOf(id).type() == PieceType.NORMAL) {
        if (outside.length() > 0) {
          found.add("?");
          outside.setLength(0);
        }
        found.add(piece);
      } else {
        outside.append('?');
      }
    }
    if (outside.length() > 0) {
      found.add("?");
    }
    return found;
  }

  private static List<String> plainPieces(SentencePieceTokenizer tokenizer, String normalized) {
    Map<String, Float> scores = new HashMap<>();
    for (SentencePieceModel.Piece piece : tokenizer.model().pieces()) {
      if (piece.type().mergeable()) {
        scores.put(piece.text(), piece.score());
      }
    }
    List<String> symbols = new ArrayList<>();
    normalized.codePoints().forEach(c -> symbols.add(Character.toString(c)));
    while (true) {
      int best = -1;
      float bestScore = 0;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        Float score = scores.get(symbols.get(i) + symbols.get(i + 1));
        if (score != null && (best < 0 || score > bestScore)) {
          best = i;
          bestScore = score;
        }
      }
      if (best < 0) {
        break;
      }
      symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
    }
    List<String> result = new ArrayList<>();
    for (String symbol : symbols) {
      boolean known = scores.containsKey(symbol);
      if (known || result.isEmpty() || !result.get(result.size() - 1).equals("?")) {
        result.add(known ? symbol : "?");
      }
    }
    return result;
  }

  @Test
  void oneTokenizerServesManyThreads() throws Exception {
    Tokenizer tokenizer = TOKENIZERS.get(0);
    List<JsonNode> lines = Golden.lines(Golden.folder(Golden.SMALL.get(0)), "ids.jsonl");
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> runs = new ArrayList<>();
      for (int thread = 0; thread < 8; thread++) {
        runs.add(
            pool.submit(
                () -> {
                  for (JsonNode line : lines) {
                    int[] ids = Golden.ids(line);
                    assertArrayEquals(ids, tokenizer.encode(line.get("text").asText()));
                    assertEquals(line.get("decoded").asText(), tokenizer.decode(ids));
                  }
                }));
      }
      for (Future<?> run : runs) {
        get(run);
      }
    } finally {
      pool.shutdown();
    }
  }

  private static void get(Future<?> run) throws InterruptedException {
    try {
      run.get();
    } catch (ExecutionException e) {
      throw new AssertionError(e.getCause());
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void streamingEqualsDecoding(long seed) {
    Random random = new Random(seed);
    for (SentencePieceTokenizer tokenizer : TOKENIZERS) {
      int limit = random.nextBoolean() ? 300 : tokenizer.vocabularySize(); // bytes come early
      int[] ids = random.ints(random.nextInt(50), 0, limit).toArray();
      StreamingDecoder decoder = tokenizer.streamingDecoder();
      for (int round = 0; round < 2; round++) { // finish makes it new
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
          String part = decoder.accept(id);
          assertFalse(endsInsideCharacter(part));
          text.append(part);
        }
        assertEquals(tokenizer.decode(ids), text.append(decoder.finish()).toString());
      }
    }
  }

  private static boolean endsInsideCharacter(String part) {
    return !part.isEmpty() && Character.isHighSurrogate(part.charAt(part.length() - 1));
  }

  @Test
  void holdsBackBytesUntilTheCharacterIsWhole() {
    Tokenizer tokenizer = TOKENIZERS.get(0);
    int[] smile = new int[4];
    int first = firstByteId(tokenizer);
    byte[] utf8 = {(byte) 0xF0, (byte) 0x9F, (byte) 0x98, (byte) 0x80};
    Arrays.setAll(smile, i -> first + (utf8[i] & 0xFF));
    StreamingDecoder decoder = tokenizer.streamingDecoder();
    assertEquals("", decoder.accept(smile[0]));
    assertEquals("", decoder.accept(smile[1]));
    assertEquals("", decoder.accept(smile[2]));
    assertEquals("\uD83D\uDE00", decoder.accept(smile[3]));
    assertEquals("", decoder.accept(smile[0]));
    assertEquals("\uFFFD", decoder.finish());
  }

  private static int firstByteId(Tokenizer tokenizer) {
    for (int id = 0; ; id++) {
      if (tokenizer.piece(id).equals("<0x00>")) {
        return id;
      }
    }
  }

  @Test
  void longRunsStayBounded() {
    Tokenizer tokenizer = TOKENIZERS.get(0);
    for (String unit : List.of("a", " ", "-", "\u4E2D")) {
      assertTimeout(
          Duration.ofSeconds(30),
          () -> {
            String text = unit.repeat(500_000);
            assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
          });
    }
  }
}
