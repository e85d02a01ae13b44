package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class VocabularyExtenderTest {
  private static final TrainingProgress SILENT = (phase, done, total) -> {};

  static List<String> models() {
    return Golden.SMALL.subList(0, 2); // the BPE models
  }

  private static SentencePieceModel model(String name) throws IOException {
    return SentencePieceModel.read(Golden.folder(name).resolve("tokenizer.model"));
  }

  private static List<String> corpus(String name) throws IOException {
    List<String> texts = new ArrayList<>();
    for (JsonNode line : Golden.lines(Golden.folder(name), "ids.jsonl")) {
      texts.add(line.get("text").asText());
    }
    return texts;
  }

  @ParameterizedTest
  @MethodSource("models")
  void oldPiecesStayAndNewOnesComeLast(String name) throws IOException {
    SentencePieceModel old = model(name);
    Extension extension =
        VocabularyExtender.learn(old, corpus(name).iterator(), ExtensionConfig.of(700), SILENT);
    int size = old.pieces().size();
    assertEquals(size, extension.oldSize());
    assertEquals(size + 700, extension.model().pieces().size());
    assertEquals(700, extension.newPieces().size());
    assertEquals(700, extension.oldIdsOfNewPieces().size());
    assertEquals(old.pieces(), extension.model().pieces().subList(0, size));
    double last =
        old.pieces().stream()
            .filter(piece -> piece.type().mergeable())
            .mapToDouble(SentencePieceModel.Piece::score)
            .min()
            .orElseThrow();
    for (SentencePieceModel.Piece piece : extension.newPieces()) {
      assertEquals(PieceType.NORMAL, piece.type());
      assertTrue(piece.score() < last, piece.text());
      last = piece.score();
    }
  }

  /** New pieces join what the old model leaves side by side, and never divide it otherwise. */
  @Test
  void newIdsStandForTheOldIdsOfTheSameText() throws IOException {
    String name = Golden.SMALL.get(0);
    SentencePieceModel old = model(name);
    Extension extension =
        VocabularyExtender.learn(old, corpus(name).iterator(), ExtensionConfig.of(700), SILENT);
    SentencePieceTokenizer before = SentencePieceTokenizer.of(old);
    SentencePieceTokenizer after = SentencePieceTokenizer.of(extension.model());
    long saved = 0;
    for (String text : corpus(name)) {
      int[] ids = after.encode(text);
      int[] expanded =
          Arrays.stream(ids)
              .flatMap(
                  id ->
                      id < extension.oldSize()
                          ? IntStream.of(id)
                          : Arrays.stream(
                              extension.oldIdsOfNewPieces().get(id - extension.oldSize())))
              .toArray();
      assertArrayEquals(before.encode(text), expanded, text);
      saved += expanded.length - ids.length;
    }
    assertTrue(saved > 1000, saved + " tokens saved");
  }

  @Test
  void everyNewPieceIsMadeFromItsOwnText() throws IOException {
    String name = Golden.SMALL.get(1); // puts no space before texts
    SentencePieceModel old = model(name);
    Extension extension =
        VocabularyExtender.learn(old, corpus(name).iterator(), ExtensionConfig.of(700), SILENT);
    SentencePieceTokenizer before = SentencePieceTokenizer.of(old);
    SentencePieceTokenizer after = SentencePieceTokenizer.of(extension.model());
    for (int i = 0; i < 700; i++) {
      String text = extension.newPieces().get(i).text().replace('\u2581', ' ');
      assertArrayEquals(new int[] {extension.oldSize() + i}, after.encode(text), text);
      assertArrayEquals(before.encode(text), extension.oldIdsOfNewPieces().get(i), text);
    }
  }

  @Test
  void isDeterministicWhateverTheOrderOfTexts() throws IOException {
    String name = Golden.SMALL.get(0);
    List<String> texts = corpus(name);
    byte[] first =
        VocabularyExtender.learn(model(name), texts.iterator(), ExtensionConfig.of(300), SILENT)
            .model()
            .toByteArray();
    Collections.shuffle(texts, new Random(3));
    assertArrayEquals(
        first,
        VocabularyExtender.learn(model(name), texts.iterator(), ExtensionConfig.of(300), SILENT)
            .model()
            .toByteArray());
  }

  @Test
  void charactersThatWereBytesBecomePieces() throws IOException {
    SentencePieceModel old = model(Golden.SMALL.get(0));
    List<String> texts = Collections.nCopies(10, "\u9F98\u9F99\u9F98\u9F99 \uD83D\uDC09");
    Extension extension =
        VocabularyExtender.learn(old, texts.iterator(), ExtensionConfig.of(4), SILENT);
    assertEquals(
        List.of("\u9F98", "\u9F99", "\uD83D\uDC09", "\u9F98\u9F99"),
        extension.newPieces().stream().map(SentencePieceModel.Piece::text).toList());
    int[] bytes = extension.oldIdsOfNewPieces().get(2);
    assertEquals(
        List.of("<0xF0>", "<0x9F>", "<0x90>", "<0x89>"),
        Arrays.stream(bytes).mapToObj(id -> old.pieces().get(id).text()).toList());
    assertEquals(6, extension.oldIdsOfNewPieces().get(3).length);
  }

  private static SentencePieceModel toy(SentencePieceModel.Piece... pieces) {
    TrainerSpec trainer = new TrainerSpec();
    trainer.modelType = TrainerSpec.BPE;
    NormalizerSpec normalizer = new NormalizerSpec();
    normalizer.addDummyPrefix = false;
    normalizer.removeExtraWhitespaces = false;
    return SentencePieceModel.create(
        Stream.concat(
                Stream.of(new SentencePieceModel.Piece("<unk>", 0, PieceType.UNKNOWN)),
                Stream.of(pieces))
            .toList(),
        trainer,
        normalizer);
  }

  private static SentencePieceModel.Piece piece(String text, float score) {
    return new SentencePieceModel.Piece(text, score, PieceType.NORMAL);
  }

  @Test
  void takesGivenPiecesOnlyIfTheyCanBeMade() throws IOException {
    SentencePieceModel old =
        toy(piece("bc", -1), piece("a", -2), piece("b", -2), piece("c", -2), piece("d", -2));
    // "abd" has to wait for "ab", which comes after it. In "abcd" the old "bc" comes first, and
    // nothing asks for "abc" or "bcd".
    Extension extension =
        VocabularyExtender.add(
            old, List.of("abd", "ab", "a", "abcd", "xy", "x", "<unk>", "y", "ab", "a b"));
    assertEquals(
        List.of(piece("x", -3), piece("y", -4), piece("ab", -5), piece("xy", -6), piece("abd", -7)),
        extension.newPieces());
    assertEquals(List.of("<unk>", "a b", "abcd"), extension.unreachable());
    SentencePieceTokenizer after = SentencePieceTokenizer.of(extension.model());
    assertEquals(List.of("abd", "a", "bc", "d"), after.encodePieces("abdabcd"));
    assertArrayEquals(new int[] {0}, extension.oldIdsOfNewPieces().get(3)); // a run of unknown
  }

  /** An old piece that a new one leads to has priority over all other new ones. */
  @Test
  void followsOldMergesThatNewPiecesMakePossible() throws IOException {
    // Nothing makes "abcd" in the old model, for "cd" is no piece; with "abc" it can be made.
    SentencePieceModel old =
        toy(
            piece("ab", -1),
            piece("abcd", -2),
            piece("a", -9),
            piece("b", -9),
            piece("c", -9),
            piece("d", -9));
    List<String> texts = new ArrayList<>(Collections.nCopies(9, "abcd"));
    texts.addAll(Collections.nCopies(3, "abcdd"));
    texts.add("abc");
    Extension extension =
        VocabularyExtender.learn(old, texts.iterator(), ExtensionConfig.of(2), SILENT);
    assertEquals(
        List.of("abc", "abcdd"),
        extension.newPieces().stream().map(SentencePieceModel.Piece::text).toList());
    SentencePieceTokenizer after = SentencePieceTokenizer.of(extension.model());
    assertEquals(List.of("abcd"), after.encodePieces("abcd"));
    assertEquals(List.of("abcdd"), after.encodePieces("abcdd"));
  }

  @Test
  void saysHowManyPiecesTheTextYields() throws IOException {
    SentencePieceModel old = toy(piece("a", -1), piece("b", -1));
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                VocabularyExtender.learn(
                    old, List.of("abab").iterator(), ExtensionConfig.of(9), SILENT));
    assertTrue(String.valueOf(e.getMessage()).contains("use at most 2"), e.toString());
    assertThrows(IllegalArgumentException.class, () -> ExtensionConfig.of(0));
    assertThrows(
        IllegalArgumentException.class, () -> new ExtensionConfig(9, 1.5, TrainingSample.all()));
  }

  @Test
  void refusesOtherModels() throws IOException {
    TrainerSpec unigram = new TrainerSpec();
    SentencePieceModel.Piece unknown = new SentencePieceModel.Piece("<unk>", 0, PieceType.UNKNOWN);
    SentencePieceModel other =
        SentencePieceModel.create(List.of(unknown), unigram, new NormalizerSpec());
    var e =
        assertThrows(
            UnsupportedTokenizerException.class, () -> VocabularyExtender.add(other, List.of("a")));
    assertTrue(String.valueOf(e.getMessage()).contains("UNIGRAM"), e.toString());
    SentencePieceModel unused = toy(new SentencePieceModel.Piece("ab", -1, PieceType.UNUSED));
    assertThrows(
        UnsupportedTokenizerException.class, () -> VocabularyExtender.add(unused, List.of("a")));
  }

  /** Fields of later versions, also inside pieces, and the order of fields survive. */
  @Test
  void changesNoByteButThoseItMust() throws IOException {
    ProtobufWriter unknown = new ProtobufWriter().string(1, "<unk>").int32(3, 2).string(201, "u");
    ProtobufWriter a = new ProtobufWriter().float32(2, -1).string(1, "a").int32(7, 5);
    ProtobufWriter b = new ProtobufWriter().string(1, "b").float32(2, -1);
    byte[] before =
        new ProtobufWriter()
            .string(300, "first")
            .message(3, new ProtobufWriter().bool(3, false).bool(4, false).string(9, "n"))
            .message(1, unknown)
            .message(1, a)
            .message(1, b)
            .message(2, new ProtobufWriter().int32(4, 3).int32(3, 2).string(250, "t"))
            .string(301, "last")
            .toByteArray();
    SentencePieceModel model = SentencePieceModel.parse(before, Path.of("m"));
    assertArrayEquals(before, model.toByteArray());
    byte[] after =
        new ProtobufWriter()
            .string(300, "first")
            .message(3, new ProtobufWriter().bool(3, false).bool(4, false).string(9, "n"))
            .message(1, unknown)
            .message(1, a)
            .message(1, b)
            .message(1, new ProtobufWriter().string(1, "ab").float32(2, -2))
            .message(2, new ProtobufWriter().int32(4, 4).int32(3, 2).string(250, "t"))
            .string(301, "last")
            .toByteArray();
    assertArrayEquals(after, VocabularyExtender.add(model, List.of("ab")).model().toByteArray());
  }
}
