package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Ids, pieces, normalised and decoded text against files recorded from C++ SentencePiece 0.2.2: two
 * small models (copied here), and the Mistral models where the shared files are at hand.
 */
class GoldenTest {

  @TestFactory
  Stream<DynamicTest> smallModels() {
    List<DynamicTest> tests = new ArrayList<>();
    for (String name : Golden.SMALL) {
      addTests(name, Golden.folder(name), tests);
    }
    return tests.stream();
  }

  @TestFactory
  Stream<DynamicTest> tinyModels() {
    List<DynamicTest> tests = new ArrayList<>();
    for (String name : Golden.TINY) {
      Path folder = Golden.folder(name);
      addTests(name, folder, tests);
      tests.add(dynamicTest(name + ": places", () -> places(folder)));
    }
    return tests.stream();
  }

  @TestFactory
  @Tag("shared")
  Stream<DynamicTest> mistralModels() {
    List<DynamicTest> tests = new ArrayList<>();
    for (String name : List.of("mistral-v1", "mistral-v2", "mistral-v3")) {
      SharedFiles.goldenTokenizer(name).ifPresent(folder -> addTests(name, folder, tests));
    }
    return tests.stream();
  }

  private static void addTests(String name, Path folder, List<DynamicTest> tests) {
    tests.add(dynamicTest(name + ": special ids", () -> specialIds(folder)));
    tests.add(dynamicTest(name + ": ids, pieces, texts", () -> encodes(folder)));
    tests.add(dynamicTest(name + ": decoding", () -> decodes(folder)));
    tests.add(dynamicTest(name + ": malformed UTF-8", () -> encodesMalformed(folder)));
    tests.add(dynamicTest(name + ": written and read again", () -> writes(folder)));
  }

  private static void specialIds(Path folder) throws IOException {
    JsonNode info = Golden.JSON.readTree(folder.resolve("info.json").toFile());
    var tokenizer = Tokenizers.load(folder);
    assertEquals(info.get("vocab_size").asInt(), tokenizer.vocabularySize());
    assertEquals(optional(info.get("bos_id").asInt()), tokenizer.bosId());
    assertEquals(optional(info.get("eos_id").asInt()), tokenizer.eosId());
    assertEquals(optional(info.get("pad_id").asInt()), tokenizer.padId());
    assertEquals(info.get("eos_id").asInt(), tokenizer.eodId());
    assertEquals(info.get("unk_id").asInt(), tokenizer.unkId().getAsInt());
    assertEquals(info.get("sha256").asText(), tokenizer.sha256());
  }

  private static OptionalInt optional(int id) {
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  private static void encodes(Path folder) throws IOException {
    SentencePieceTokenizer tokenizer = load(folder);
    for (JsonNode line : Golden.lines(folder, "ids.jsonl")) {
      String text = line.get("text").asText();
      String where = "string " + line.get("i");
      assertEquals(line.get("normalized").asText(), tokenizer.normalize(text), where);
      assertArrayEquals(Golden.ids(line), tokenizer.encode(text), where);
      assertEquals(
          Golden.JSON.convertValue(line.get("pieces"), List.class),
          tokenizer.encodePieces(text),
          where);
      assertEquals(line.get("decoded").asText(), tokenizer.decode(Golden.ids(line)), where);
    }
  }

  private static void places(Path folder) throws IOException {
    SentencePieceTokenizer tokenizer = load(folder);
    for (JsonNode line : Golden.lines(folder, "ids.jsonl")) {
      Encoding encoding = tokenizer.encode(line.get("text").asText(), OffsetUnit.UTF8_BYTES);
      String where = "string " + line.get("i");
      assertArrayEquals(Golden.ids(line), encoding.ids(), where);
      assertArrayEquals(ints(line.get("begins")), encoding.begins(), where);
      assertArrayEquals(ints(line.get("ends")), encoding.ends(), where);
    }
  }

  private static int[] ints(JsonNode list) {
    return Golden.JSON.convertValue(list, int[].class);
  }

  private static void decodes(Path folder) throws IOException {
    SentencePieceTokenizer tokenizer = load(folder);
    StreamingDecoder decoder = tokenizer.streamingDecoder();
    for (JsonNode line : Golden.lines(folder, "decode.jsonl")) {
      String expected = line.get("decoded").asText();
      assertEquals(expected, tokenizer.decode(Golden.ids(line)), "list " + line.get("i"));
      StringBuilder streamed = new StringBuilder();
      for (int id : Golden.ids(line)) {
        streamed.append(decoder.accept(id));
      }
      assertEquals(expected, streamed.append(decoder.finish()).toString(), "list " + line.get("i"));
    }
  }

  private static void encodesMalformed(Path folder) throws IOException {
    SentencePieceTokenizer tokenizer = load(folder);
    for (JsonNode line : Golden.lines(folder, "invalid_utf8.jsonl")) {
      byte[] bytes = Base64.getDecoder().decode(line.get("bytes_base64").asText());
      TokenBuffer ids = new TokenBuffer(0);
      tokenizer.newEncoder().encodeUtf8(bytes, 0, bytes.length, ids);
      assertArrayEquals(Golden.ids(line), ids.toArray(), "bytes " + line.get("i"));
      assertEquals(line.get("decoded").asText(), tokenizer.decode(Golden.ids(line)));
    }
  }

  private static void writes(Path folder) throws IOException {
    SentencePieceModel model = SentencePieceModel.read(folder.resolve("tokenizer.model"));
    assertArrayEquals(Files.readAllBytes(folder.resolve("tokenizer.model")), model.toByteArray());
    SentencePieceModel copy = SentencePieceModel.parse(model.toByteArray(), Path.of("copy"));
    assertEquals(model.pieces(), copy.pieces());
    assertArrayEquals(model.toByteArray(), copy.toByteArray());
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(copy);
    for (JsonNode line : Golden.lines(folder, "ids.jsonl")) {
      assertArrayEquals(Golden.ids(line), tokenizer.encode(line.get("text").asText()));
    }
  }

  private static SentencePieceTokenizer load(Path folder) throws IOException {
    return SentencePieceTokenizer.load(folder.resolve("tokenizer.model"));
  }
}
