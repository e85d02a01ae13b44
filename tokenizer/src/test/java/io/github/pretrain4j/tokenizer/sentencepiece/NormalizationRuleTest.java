package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NormalizationRuleTest {

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 30) : LongStream.of(replay);
  }

  private static byte[] nfkc = {};
  private static byte[] nmtNfkc = {};

  @BeforeAll
  static void makeRules() {
    nfkc = NormalizationRule.ofName("nfkc").precompiledCharsmap();
    nmtNfkc = NormalizationRule.ofName("nmt_nfkc").precompiledCharsmap();
  }

  private static Normalizer normalizer(byte[] charsmap) throws CorruptTokenizerException {
    NormalizerSpec spec = new NormalizerSpec();
    spec.precompiledCharsmap = charsmap;
    spec.addDummyPrefix = false;
    spec.removeExtraWhitespaces = false;
    spec.escapeWhitespaces = false;
    return Normalizer.of(spec, false, null, Path.of("rules"));
  }

  /** Another Java, or another Unicode, must not change what a model is trained with. */
  @Test
  void rulesAreTheSameOnEveryJava() throws NoSuchAlgorithmException {
    assertEquals(237_561, nmtNfkc.length);
    assertEquals(
        "82a353da54d4e30d43694da6ceb1cd27112fe1fe4521786b62cc34580929c27b",
        HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(nmtNfkc)));
  }

  @Test
  void followsTheRulesByName() throws CorruptTokenizerException {
    Normalizer nmt = normalizer(nmtNfkc);
    assertEquals("AB  1fi", nmt.normalize("\uFF21\uFF22 \u3000\u2460\uFB01"));
    assertEquals("a b  \u00E9", nmt.normalize("a\u200Bb\uFFFD\te\u0301"));
    assertEquals("\u682A\u5F0F\u4F1A\u793E\uFF5E", nmt.normalize("\u337F\uFF5E\u0001"));
    assertEquals("\uD55C\u1EA4", nmt.normalize("\u1112\u1161\u11ABA\u0302\u0301"));
    Normalizer plain = normalizer(nfkc);
    assertEquals("~\t\u2581", plain.normalize("\uFF5E\t\u2581"));
    assertEquals(0, NormalizationRule.ofName("identity").precompiledCharsmap().length);
    var e = assertThrows(IllegalArgumentException.class, () -> NormalizationRule.ofName("nfkc_cf"));
    assertTrue(String.valueOf(e.getMessage()).contains("nfkc_cf"), e.toString());
  }

  /** The rules reach the normal form of every character, and of what a character comes apart to. */
  @Test
  void normalisesEveryCharacterAsJavaDoes() throws CorruptTokenizerException {
    Normalizer normalizer = normalizer(nfkc);
    for (int c = 1; c < 0x10000; c++) {
      if (Character.isDefined(c)
          && !Character.isSurrogate((char) c)
          && (c < 0xA7F1 || c > 0xA7F4)) {
        String text = Character.toString(c);
        String composed = java.text.Normalizer.normalize(text, java.text.Normalizer.Form.NFKC);
        assertEquals(composed, normalizer.normalize(text), Integer.toHexString(c));
        String parts = java.text.Normalizer.normalize(text, java.text.Normalizer.Form.NFKD);
        assertEquals(composed, normalizer.normalize(parts), "parts of " + Integer.toHexString(c));
      }
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void anyRulesReadBack(long seed) throws CorruptTokenizerException {
    Random random = new Random(seed);
    String letters = "ab\u00E9\u4E16\uD83D\uDE00";
    Map<String, String> rules = new HashMap<>();
    int[] all = letters.codePoints().toArray();
    for (int i = 0; i < 1 + random.nextInt(200); i++) {
      rules.put(word(random, all, 1), word(random, all, 0));
    }
    Normalizer normalizer = normalizer(CharsMapWriter.encode(rules));
    for (int round = 0; round < 50; round++) {
      String text = word(random, all, 0) + word(random, all, 0) + word(random, all, 0);
      StringBuilder expected = new StringBuilder();
      for (int i = 0; i < text.length(); ) {
        int end = text.length();
        while (end > i && !rules.containsKey(text.substring(i, end))) {
          end--;
        }
        int next = end > i ? end : text.offsetByCodePoints(i, 1);
        expected.append(rules.getOrDefault(text.substring(i, next), text.substring(i, next)));
        i = next;
      }
      assertEquals(expected.toString(), normalizer.normalize(text));
    }
  }

  private static String word(Random random, int[] letters, int least) {
    StringBuilder word = new StringBuilder();
    int length = least + random.nextInt(5);
    for (int i = 0; i < length; i++) {
      word.appendCodePoint(letters[random.nextInt(letters.length)]);
    }
    return word.toString();
  }
}
