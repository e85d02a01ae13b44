package io.github.pretrain4j.tokenizer.sentencepiece;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The rules of SentencePiece's normalisations {@code nfkc} and {@code nmt_nfkc}: what to replace in
 * a walk over a text that takes the longest rule at each place.
 *
 * <p>A rule is made for every character that NFKC changes, and for every sequence of characters
 * that it composes; rules that shorter ones make needless are left out. Sequences that no character
 * decomposes to, such as several marks on a letter without a composed form, have none.
 *
 * <p>Unicode never changes the normal form of a character once it is in; newer versions only add
 * some. So the characters that Java 17 does not know are left out, and every Java gives these
 * rules.
 */
final class CompatibilityRules {

  /** Characters newer than Unicode 13 that have a decomposition, as first and last ones. */
  private static final int[] NEWER = {
    0xA7F1, 0xA7F4, 0x105C9, 0x105C9, 0x105E4, 0x105E4, 0x10781, 0x107BA, 0x11383, 0x11391,
    0x113C5, 0x113C8, 0x16121, 0x16128, 0x16D68, 0x16D6A, 0x1CCD6, 0x1CCF9, 0x1E030, 0x1E06D
  };

  private CompatibilityRules() {}

  static Map<String, String> nfkc() {
    Map<String, String> rules = new HashMap<>();
    Set<String> decomposed = new HashSet<>();
    Map<Integer, List<String>> sources = new HashMap<>();
    for (int c = 1; c <= Character.MAX_CODE_POINT; c++) {
      if (isExcluded(c)) {
        continue;
      }
      String character = Character.toString(c);
      if (Normalizer.isNormalized(character, Normalizer.Form.NFKD)) {
        continue; // and so for NFKC
      }
      String composed = Normalizer.normalize(character, Normalizer.Form.NFKC);
      if (!composed.equals(character)) {
        rules.put(character, composed);
      }
      String parts = Normalizer.normalize(character, Normalizer.Form.NFKD);
      if (length(parts) == 1) {
        sources
            .computeIfAbsent(parts.codePointAt(0), p -> new ArrayList<>(List.of(parts)))
            .add(character);
      } else {
        decomposed.add(parts);
      }
    }
    for (String parts : decomposed) {
      String composed = Normalizer.normalize(parts, Normalizer.Form.NFKC);
      if (!composed.equals(parts)) {
        for (String sequence : sequences(parts, sources)) {
          if (!sequence.equals(composed)) {
            rules.put(sequence, composed);
          }
        }
      }
    }
    return withoutNeedless(rules);
  }

  /** Besides, white space becomes a space and control characters nothing. */
  static Map<String, String> nmtNfkc() {
    Map<String, String> rules = nfkc();
    for (int c = 1; c < ' '; c++) {
      rules.put(Character.toString(c), "");
    }
    for (int c : new int[] {0x7F, 0x8F, 0x9F}) {
      rules.put(Character.toString(c), "");
    }
    String spaces = "\t\n\f\r\u1680\u200B\u200C\u200E\u200F\u2028\u2029\u2581\uFEFF\uFFFD";
    spaces.chars().forEach(c -> rules.put(Character.toString(c), " "));
    rules.remove("\uFF5E"); // the full-width tilde, which Japanese tells from the other
    return withoutNeedless(rules);
  }

  private static boolean isExcluded(int c) {
    if ((c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)
        || (c & 0xFFFE) == 0xFFFE
        || (c >= 0xFDD0 && c <= 0xFDEF)) {
      return true;
    }
    for (int i = 0; i < NEWER.length; i += 2) {
      if (c >= NEWER[i] && c <= NEWER[i + 1]) {
        return true;
      }
    }
    return false;
  }

  /** All sequences whose characters decompose to the given ones, one to one. */
  private static List<String> sequences(String parts, Map<Integer, List<String>> sources) {
    List<String> all = List.of("");
    for (int i = 0; i < parts.length(); ) {
      int part = parts.codePointAt(i);
      List<String> longer = new ArrayList<>();
      for (String begin : all) {
        for (String source : sources.getOrDefault(part, List.of(Character.toString(part)))) {
          longer.add(begin + source);
        }
      }
      all = longer;
      i += Character.charCount(part);
    }
    return all;
  }

  private static Map<String, String> withoutNeedless(Map<String, String> rules) {
    SortedMap<Integer, Map<String, String>> byLength = new TreeMap<>();
    rules.forEach(
        (from, to) -> byLength.computeIfAbsent(length(from), n -> new HashMap<>()).put(from, to));
    Map<String, String> needed = new HashMap<>();
    byLength.forEach(
        (length, some) ->
            some.forEach(
                (from, to) -> {
                  if (length == 1 || !apply(needed, from, length - 1).equals(to)) {
                    needed.put(from, to);
                  }
                }));
    return needed;
  }

  /** Replaces along a text, longest rules first, none longer than {@code most} characters. */
  private static String apply(Map<String, String> rules, String text, int most) {
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < text.length(); ) {
      int rest = text.codePointCount(i, text.length());
      int taken = Math.min(most, rest);
      String to = null;
      while (taken > 0) {
        to = rules.get(text.substring(i, text.offsetByCodePoints(i, taken)));
        if (to != null) {
          break;
        }
        taken--;
      }
      int end = text.offsetByCodePoints(i, Math.max(1, taken));
      result.append(to == null ? text.substring(i, end) : to);
      i = end;
    }
    return result.toString();
  }

  private static int length(String text) {
    return text.codePointCount(0, text.length());
  }
}
