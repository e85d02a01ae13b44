package io.github.pretrain4j.dataset.sentences;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.Golden;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PunktParametersTest {
  private static final List<String> FILES =
      List.of("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt");

  @TempDir Path temporary = Path.of("");

  @Test
  void readsWhatNltkSaved() throws IOException {
    PunktParameters parameters = PunktParameters.find(nltkData(), "english");
    assertTrue(parameters.isAbbreviation("e.g"));
    assertFalse(parameters.isAbbreviation("e.g."));
    assertTrue(parameters.isCollocation("dr", "miller"));
    assertFalse(parameters.isCollocation("miller", "dr"));
    assertTrue(parameters.isSentenceStarter("however"));
    assertEquals(0b100000, parameters.orthographicContext("ledger"));
    assertEquals(0, parameters.orthographicContext("unseen"));
  }

  @Test
  void refusesPicklesByNameAndSaysTheRemedy() throws IOException {
    Path pickle = temporary.resolve("tokenizers/punkt/german.pickle");
    Files.createDirectories(pickle.getParent());
    Files.write(pickle, new byte[] {(byte) 0x80, 3});
    String message = refusal(() -> PunktParameters.find(temporary, "german"));
    assertTrue(message.startsWith(pickle.toString()), message);
    assertTrue(message.contains("punkt_tab"), message);
    Files.writeString(temporary.resolve("tokenizers/punkt_tab.zip"), "PK");
    assertTrue(refusal(() -> PunktParameters.find(temporary, "french")).contains("unpack"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../english", "a/b", "a.b"})
  void takesNamesOfLanguagesOnly(String name) {
    assertThrows(IllegalArgumentException.class, () -> PunktParameters.find(temporary, name));
  }

  @Test
  void saysWhichLanguageIsMissing() {
    String message = refusal(() -> PunktParameters.find(temporary, "english"));
    assertTrue(message.contains("english") && message.contains("nltk.downloader"), message);
  }

  @Test
  void everyMissingFileIsNamed() throws IOException {
    for (String file : FILES) {
      Path directory = copy();
      Files.delete(directory.resolve(file));
      assertTrue(refusal(() -> PunktParameters.read(directory)).contains(file));
    }
  }

  @Test
  void zeroedAndOverlongFilesAreRefused() throws IOException {
    for (String file : FILES) {
      Path directory = copy();
      byte[] bytes = Files.readAllBytes(directory.resolve(file));
      Files.write(directory.resolve(file), new byte[bytes.length]);
      assertTrue(refusal(() -> PunktParameters.read(directory)).contains(file));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "abbrev_types.txt, 'dr\nmr\r\n', at byte 3",
    "abbrev_types.txt, 'dr\nmr\t6\n', at byte 3",
    "sent_starters.txt, 'a\u2028b\n', at byte 0",
    "collocations.tab, 'a\tb\nc\n', at byte 4",
    "collocations.tab, 'a\tb\tc\n', at byte 0",
    "ortho_context.tab, 'a\t46\nb\tx\n', at byte 5",
    "ortho_context.tab, 'a\t46\nb\t\n', at byte 5",
    "ortho_context.tab, 'a\t127\n', at byte 0",
    "ortho_context.tab, 'a\t128\n', at byte 0",
    "ortho_context.tab, 'a\t-2\n', at byte 0"
  })
  void damageIsToldWithFileAndByte(String file, String content, String place) throws IOException {
    Path directory = copy();
    Files.writeString(directory.resolve(file), content);
    String message = refusal(() -> PunktParameters.read(directory));
    assertTrue(message.contains(file) && message.contains(place), message);
  }

  @Test
  void aWordCutInsideACharacterIsRefused() throws IOException {
    Path directory = copy();
    Path file = directory.resolve("abbrev_types.txt");
    Files.write(file, new byte[] {'d', 'r', '\n', (byte) 0xCF});
    assertTrue(refusal(() -> PunktParameters.read(directory)).contains("at byte 3"));
  }

  @Test
  void anEmptyFileIsAnEmptyList() throws IOException {
    Path directory = copy();
    for (String file : FILES) {
      Files.write(directory.resolve(file), "".getBytes(StandardCharsets.UTF_8));
    }
    assertFalse(PunktParameters.read(directory).isAbbreviation("dr"));
  }

  private interface Reading {
    PunktParameters read() throws IOException;
  }

  private static String refusal(Reading reading) {
    String message = assertThrows(PunktDataException.class, reading::read).getMessage();
    return message == null ? "" : message;
  }

  private Path nltkData() throws IOException {
    Path directory = temporary.resolve("tokenizers/punkt_tab/english");
    Files.createDirectories(directory);
    copyTo(directory);
    return temporary;
  }

  private Path copy() throws IOException {
    Path directory = Files.createTempDirectory(temporary, "punkt");
    copyTo(directory);
    return directory;
  }

  private static void copyTo(Path directory) throws IOException {
    Path source = Golden.resources().resolve("sentences/punkt_tab/english");
    for (String file : FILES) {
      Files.write(directory.resolve(file), Files.readAllBytes(source.resolve(file)));
    }
  }
}
