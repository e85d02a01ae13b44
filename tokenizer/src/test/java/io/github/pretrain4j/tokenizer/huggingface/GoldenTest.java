package io.github.pretrain4j.tokenizer.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import java.io.IOException;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ids, tokens, offsets and decoded text against files recorded from Hugging Face's tokenizers
 * 0.23.2: three byte-level models, and small tokenizers that have every component we know.
 */
class GoldenTest {
  @TempDir private Path temporary = Path.of("");

  @TestFactory
  Stream<DynamicTest> models() {
    List<DynamicTest> tests = new ArrayList<>();
    for (String name : Golden.MODELS) {
      tests.add(dynamicTest(name + ": ids, tokens, texts", () -> encodes(name)));
      tests.add(dynamicTest(name + ": offsets", () -> places(name)));
      tests.add(dynamicTest(name + ": vocabulary", () -> lists(name)));
    }
    return tests.stream();
  }

  private static void encodes(String name) throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load(name);
    Encoder encoder = tokenizer.newEncoder();
    Encoder forgetful =
        Golden.load(name, TokenizerOptions.defaults().withCacheSlots(16)).newEncoder();
    for (JsonNode line : Golden.lines(Golden.folder(name), "ids.jsonl")) {
      String text = line.get("text").asText();
      int[] ids = Golden.ints(line.get("ids"));
      String where = "string " + line.get("i");
      assertArrayEquals(ids, tokenizer.encode(text), where);
      assertArrayEquals(ids, append(encoder, text), where);
      assertArrayEquals(ids, append(forgetful, text), where);
      assertArrayEquals(
          Golden.ints(line.get("ids_with_special")), tokenizer.withSpecialTokens(ids), where);
      Encoding encoding = tokenizer.encode(text, OffsetUnit.UTF16_UNITS);
      assertArrayEquals(ids, encoding.ids(), where);
      assertEquals(
          Golden.JSON.convertValue(line.get("tokens"), List.class), encoding.pieces(), where);
      assertEquals(line.get("decoded").asText(), tokenizer.decodeWithSpecialTokens(ids), where);
      assertEquals(line.get("decoded_skip_special").asText(), tokenizer.decode(ids), where);
      assertEquals(tokenizer.decode(ids), stream(tokenizer.streamingDecoder(), ids), where);
    }
  }

  /** Both ways in, one behind the other. */
  private static int[] append(Encoder encoder, String text) {
    TokenBuffer out = new TokenBuffer(0);
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    int count = encoder.encodeUtf8(utf8, 0, utf8.length, out);
    int[] ids = out.toArray();
    assertEquals(ids.length, count);
    assertEquals(count, encoder.encode(CharBuffer.wrap(text), out));
    assertEquals(2 * count, out.length());
    for (int i = 0; i < count; i++) {
      assertEquals(ids[i], out.get(count + i));
    }
    return ids;
  }

  private static String stream(StreamingDecoder decoder, int[] ids) {
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    return text.append(decoder.finish()).toString();
  }

  private static void places(String name) throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load(name);
    for (JsonNode line : Golden.lines(Golden.folder(name), "offsets.jsonl")) {
      String text = line.get("text").asText();
      int[] offsets = Golden.ints(line.get("offsets"));
      assertArrayEquals(offsets, offsets(tokenizer.encode(text, OffsetUnit.CODE_POINTS)), text);
      Encoding utf16 = tokenizer.encode(text, OffsetUnit.UTF16_UNITS);
      Encoding utf8 = tokenizer.encode(text, OffsetUnit.UTF8_BYTES);
      for (int i = 0; i < utf16.ids().length; i++) {
        int begin = text.offsetByCodePoints(0, offsets[2 * i]);
        int end = text.offsetByCodePoints(0, offsets[2 * i + 1]);
        assertEquals(begin, utf16.begins()[i], text);
        assertEquals(end, utf16.ends()[i], text);
        assertEquals(utf8Length(text.substring(0, begin)), utf8.begins()[i], text);
        assertEquals(utf8Length(text.substring(0, end)), utf8.ends()[i], text);
      }
    }
  }

  private static int utf8Length(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }

  private static int[] offsets(Encoding encoding) {
    int[] offsets = new int[2 * encoding.ids().length];
    for (int i = 0; i < encoding.ids().length; i++) {
      offsets[2 * i] = encoding.begins()[i];
      offsets[2 * i + 1] = encoding.ends()[i];
    }
    return offsets;
  }

  private static void lists(String name) throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load(name);
    JsonNode info = Golden.JSON.readTree(Golden.folder(name).resolve("info.json").toFile());
    assertEquals(info.get("vocab_size_with_added").asInt(), tokenizer.vocabularySize());
    for (int id = 0; id < tokenizer.vocabularySize(); id++) {
      assertEquals(id, tokenizer.id(tokenizer.piece(id)).getAsInt());
    }
  }

  @TestFactory
  Stream<DynamicTest> components() throws IOException {
    return Golden.lines(Golden.folder("hf-components"), "cases.jsonl").stream()
        .map(line -> dynamicTest(line.get("name").asText(), () -> component(line)));
  }

  private void component(JsonNode line) throws IOException {
    Path file = Files.writeString(temporary.resolve("t.json"), line.get("tokenizer").toString());
    TokenizerOptions options = TokenizerOptions.defaults();
    HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.load(file, options);
    HuggingFaceTokenizer asText =
        HuggingFaceTokenizer.load(file, options.withSpecialTokens(SpecialTokens.AS_TEXT));
    assertEquals(line.get("size").asInt(), tokenizer.vocabularySize());
    Encoder encoder = tokenizer.newEncoder();
    for (JsonNode one : line.get("cases")) {
      String text = one.get("text").asText();
      int[] ids = Golden.ints(one.get("ids"));
      assertArrayEquals(ids, append(encoder, text), text);
      assertArrayEquals(
          Golden.ints(one.has("as_text") ? one.get("as_text") : one.get("ids")),
          asText.encode(text),
          text);
      assertArrayEquals(
          Golden.ints(one.has("with_special") ? one.get("with_special") : one.get("ids")),
          tokenizer.withSpecialTokens(ids),
          text);
      Encoding encoding = tokenizer.encode(text, OffsetUnit.CODE_POINTS);
      assertArrayEquals(ids, encoding.ids(), text);
      assertEquals(Golden.JSON.convertValue(one.get("tokens"), List.class), encoding.pieces());
      assertArrayEquals(Golden.ints(one.get("offsets")), offsets(encoding), text);
      if (!one.has("decoded")) {
        continue; // see the README of the test resources
      }
      assertEquals(one.get("decoded").asText(), tokenizer.decodeWithSpecialTokens(ids), text);
      JsonNode skipped =
          one.get(one.has("decoded_skip_special") ? "decoded_skip_special" : "decoded");
      assertEquals(skipped.asText(), tokenizer.decode(ids), text);
      assertEquals(skipped.asText(), stream(tokenizer.streamingDecoder(), ids), text);
    }
  }
}
