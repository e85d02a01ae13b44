package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class DatasetMetadataTest {
  private static final String HASH = "0123456789abcdef".repeat(4);
  private static final TokenizerIdentity TOKENIZER =
      new TokenizerIdentity("SentencePieceTokenizer", "model/tokenizer.model", HASH, 32000, 2);

  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  private static DatasetMetadata metadata(TokenizerIdentity tokenizer, String key, long documents) {
    return new DatasetMetadata(
        "pretrain4j 1",
        tokenizer,
        key,
        "document",
        true,
        TokenType.UINT16,
        documents,
        4,
        10,
        List.of(new DatasetMetadata.Source("a \"b\" 汉.jsonl", 99, HASH, documents)));
  }

  private void write(DatasetMetadata metadata) throws IOException {
    try (PendingFile file = PendingFile.create(DatasetMetadata.file(prefix()))) {
      metadata.write(file);
      file.seal();
      FileCommit.commit(List.of(file), FileCommit.StepListener.NONE);
    }
  }

  private Path prefix() {
    return temporary.resolve("x.v1_text_document");
  }

  @Test
  void writesTheseBytes() throws IOException {
    write(metadata(TOKENIZER, "text", 4));
    assertEquals(
        """
        {
          "format" : 1,
          "tool" : "pretrain4j 1",
          "tokenizer" : {
            "type" : "SentencePieceTokenizer",
            "name" : "model/tokenizer.model",
            "sha256" : "%1$s",
            "vocabulary_size" : 32000,
            "eod_id" : 2
          },
          "key" : "text",
          "level" : "document",
          "append_eod" : true,
          "token_type" : "uint16",
          "documents" : 4,
          "sequences" : 4,
          "tokens" : 10,
          "sources" : [
            {
              "name" : "a \\"b\\" 汉.jsonl",
              "bytes" : 99,
              "sha256" : "%1$s",
              "documents" : 4
            }
          ]
        }
        """
            .formatted(HASH),
        Files.readString(temporary.resolve("x.v1_text_document.meta.json")));
  }

  @Test
  void aDatasetWithoutASidecarHasNone() throws IOException {
    assertEquals(Optional.empty(), DatasetMetadata.read(prefix()));
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void readsBackWhatItWrote(long seed) throws IOException {
    Random random = new Random(seed);
    TokenizerIdentity tokenizer =
        new TokenizerIdentity(
            "T" + random.nextInt(),
            random.nextBoolean() ? "" : "é\n",
            random.nextBoolean() ? HASH : null,
            1 + random.nextInt(Integer.MAX_VALUE - 1),
            random.nextBoolean() ? random.nextInt() : null);
    List<DatasetMetadata.Source> sources = new ArrayList<>();
    for (int i = random.nextInt(5); i > 0; i--) {
      sources.add(
          new DatasetMetadata.Source(
              "s" + i, random.nextLong() >>> 1, HASH, random.nextLong() >>> 1));
    }
    TokenType[] types = TokenType.values();
    DatasetMetadata metadata =
        new DatasetMetadata(
            "t",
            random.nextBoolean() ? tokenizer : null,
            "k",
            "sentence",
            random.nextBoolean(),
            types[random.nextInt(types.length)],
            random.nextLong() >>> 1,
            random.nextLong() >>> 1,
            random.nextLong() >>> 1,
            sources);
    write(metadata);
    assertEquals(Optional.of(metadata), DatasetMetadata.read(prefix()));
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void damageIsNamed(Damage damage) throws IOException {
    write(metadata(TOKENIZER, "text", 4));
    Path file = DatasetMetadata.file(prefix());
    byte[] bytes = Files.readAllBytes(file);
    for (int seed = 0; seed < 50; seed++) {
      byte[] damaged = damage.apply(bytes.clone(), new Random(seed));
      Files.write(file, damaged);
      try {
        // Where the damage leaves sense, as in one digit of a count, the type holds it all the
        // same; only the missing last line end is no change at all.
        DatasetMetadata.read(prefix());
      } catch (CorruptDatasetException e) {
        assertEquals(file, e.file());
        assertTrue(e.byteOffset() >= 0 && e.byteOffset() <= damaged.length, e.getMessage());
      }
    }
    Files.write(file, damage.apply(bytes.clone(), new Random(1)));
    if (damage == Damage.EMPTY || damage == Damage.ZEROED || damage == Damage.CUT) {
      assertThrows(CorruptDatasetException.class, () -> DatasetMetadata.read(prefix()));
    }
  }

  @Test
  void refusesWhatItDoesNotKnow() throws IOException {
    write(metadata(TOKENIZER, "text", 4));
    Path file = DatasetMetadata.file(prefix());
    String good = Files.readString(file);
    for (String[] change :
        new String[][] {
          {"\"format\" : 1", "\"format\" : 2", "format at byte 15: expected 1, found 2"},
          {"\"tool\"", "\"pool\"", "\"pool\""},
          {"\"key\" : \"text\",", "", "the field \"key\""},
          {"\"uint16\"", "\"uint17\"", "uint17"},
          {"\"documents\" : 4", "\"documents\" : -4", "negative counts"},
          {"\"documents\" : 4", "\"documents\" : 4.5", "an integer"},
          {"\"tokens\" : 10", "\"tokens\" : 99999999999999999999", "a 64-bit integer"},
          {"\"eod_id\" : 2", "\"eod_id\" : 3000000000", "a 32-bit integer"},
          {"\"append_eod\" : true", "\"append_eod\" : 1", "true or false"},
          {"\"level\"", "\"key\"", "Duplicate field"},
          {"0123456789abcdef", "x", "no SHA-256"},
        }) {
      Files.writeString(file, good.replace(change[0], change[1]));
      CorruptDatasetException e =
          assertThrows(CorruptDatasetException.class, () -> DatasetMetadata.read(prefix()));
      assertTrue(e.getMessage().contains(change[2]), e.getMessage());
    }
  }

  @Test
  void mergesCountsAndSources() {
    DatasetMetadata merged =
        DatasetMetadata.merge(
            List.of(metadata(TOKENIZER, "text", 4), metadata(TOKENIZER, "title", 5)));
    assertEquals("text+title", merged.key());
    assertEquals("document", merged.level());
    assertEquals(9, merged.documents());
    assertEquals(8, merged.sequences());
    assertEquals(20, merged.tokens());
    assertEquals(1, merged.sources().size());
    assertEquals(9, merged.sources().get(0).documents());
  }

  @Test
  void mergesNoTwoTokenizers() {
    TokenizerIdentity other =
        new TokenizerIdentity("HuggingFaceTokenizer", "qwen", HASH.replace('0', '1'), 151643, null);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                DatasetMetadata.merge(
                    List.of(metadata(TOKENIZER, "text", 4), metadata(other, "text", 5))));
    assertTrue(e.getMessage().contains(TOKENIZER.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(other.toString()), e.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () ->
            DatasetMetadata.merge(
                List.of(metadata(TOKENIZER, "text", 4), metadata(null, "text", 5))));
    TokenizerIdentity moved = new TokenizerIdentity("Llama2Tokenizer", "elsewhere", HASH, 32000, 2);
    assertTrue(TOKENIZER.sameAs(moved));
  }
}
