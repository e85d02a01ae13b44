package io.github.pretrain4j.dataset.sentences;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What Punkt learned of a language: its abbreviations, collocations, sentence starters, and the
 * cases of its words. Immutable. Read from a folder that NLTK's {@code save_punkt_params} writes or
 * its {@code punkt_tab} data hold; the layout is in the package's description.
 *
 * @see <a href="https://aclanthology.org/J06-4003/">Kiss and Strunk, 2006</a>
 */
public final class PunktParameters {
  /** The word was seen in lower case, at any place. */
  static final int LOWER = 0b1110000;

  /** The word was seen in upper case, at any place. */
  static final int UPPER = 0b1110;

  static final int UPPER_INSIDE = 0b100;
  static final int LOWER_AT_BEGINNING = 0b10000;

  private static final int MAX_BYTES = 256 << 20;
  private static final Pattern LANGUAGE = Pattern.compile("[A-Za-z0-9_-]+");

  private final Set<String> abbreviations;
  private final Map<String, Set<String>> collocations;
  private final Set<String> sentenceStarters;
  private final Map<String, Integer> orthographicContexts;

  private PunktParameters(
      Set<String> abbreviations,
      Map<String, Set<String>> collocations,
      Set<String> sentenceStarters,
      Map<String, Integer> orthographicContexts) {
    this.abbreviations = abbreviations;
    this.collocations = collocations;
    this.sentenceStarters = sentenceStarters;
    this.orthographicContexts = orthographicContexts;
  }

  /**
   * Finds a language in NLTK's data, as {@code --lang} names it.
   *
   * @param nltkData the folder that NLTK's {@code NLTK_DATA} names
   * @param language a name such as {@code english}
   * @throws PunktDataException where {@code tokenizers/punkt_tab/LANGUAGE} is missing (says so when
   *     there are pickles, which are not read: unpickling runs what the file says) or damaged
   */
  public static PunktParameters find(Path nltkData, String language) throws IOException {
    if (!LANGUAGE.matcher(language).matches()) {
      throw new IllegalArgumentException("a language is a name like english: " + language);
    }
    Path tokenizers = nltkData.resolve("tokenizers");
    Path directory = tokenizers.resolve("punkt_tab").resolve(language);
    if (Files.isDirectory(directory)) {
      return read(directory);
    }
    String remedy = "fetch NLTK's punkt_tab (python -m nltk.downloader punkt_tab)";
    for (String pickle : new String[] {"punkt/PY3/", "punkt/"}) {
      Path file = tokenizers.resolve(pickle + language + ".pickle");
      if (Files.exists(file)) {
        throw new PunktDataException(
            file,
            "a pickle, which is a program and is not run; "
                + remedy
                + ", or save it with nltk.tokenize.punkt.save_punkt_params to "
                + directory);
      }
    }
    if (Files.exists(tokenizers.resolve("punkt_tab.zip"))) {
      throw new PunktDataException(
          tokenizers.resolve("punkt_tab.zip"), "an archive; unpack it where it is");
    }
    throw new PunktDataException(
        directory, "no Punkt parameters of " + language + " here; " + remedy);
  }

  /**
   * Reads a folder of {@code abbrev_types.txt}, {@code collocations.tab}, {@code sent_starters.txt}
   * and {@code ortho_context.tab}.
   *
   * @throws PunktDataException where one is missing or damaged, with its name and byte
   */
  public static PunktParameters read(Path directory) throws IOException {
    Map<String, Set<String>> collocations = new HashMap<>();
    lines(
        directory.resolve("collocations.tab"),
        (file, byteOffset, line) -> {
          String[] words = fields(file, byteOffset, line, "two words and a tab between them");
          collocations.computeIfAbsent(words[0], word -> new HashSet<>()).add(words[1]);
        });
    Map<String, Integer> contexts = new HashMap<>();
    lines(
        directory.resolve("ortho_context.tab"),
        (file, byteOffset, line) -> {
          String[] entry = fields(file, byteOffset, line, "a word, a tab, and its cases");
          contexts.put(entry[0], orthographicContext(file, byteOffset, entry[1]));
        });
    return new PunktParameters(
        words(directory.resolve("abbrev_types.txt")),
        collocations,
        words(directory.resolve("sent_starters.txt")),
        contexts);
  }

  boolean isAbbreviation(String type) {
    return abbreviations.contains(type);
  }

  boolean isCollocation(String type, String next) {
    Set<String> followers = collocations.get(type);
    return followers != null && followers.contains(next);
  }

  boolean isSentenceStarter(String type) {
    return sentenceStarters.contains(type);
  }

  /** The cases a word was seen in: bits 1 to 3 upper, 4 to 6 lower; beginning, inside, unknown. */
  int orthographicContext(String type) {
    return orthographicContexts.getOrDefault(type, 0);
  }

  private static Set<String> words(Path path) throws IOException {
    Set<String> words = new HashSet<>();
    lines(
        path,
        (file, byteOffset, line) -> {
          if (line.indexOf('\t') >= 0) {
            throw new PunktDataException(file, byteOffset, "a word a line", "a tab");
          }
          words.add(line);
        });
    return words;
  }

  private static String[] fields(Path file, long byteOffset, String line, String expected)
      throws PunktDataException {
    String[] fields = line.split("\t", -1);
    if (fields.length != 2) {
      throw new PunktDataException(file, byteOffset, expected, fields.length + " fields");
    }
    return fields;
  }

  private static int orthographicContext(Path file, long byteOffset, String text)
      throws PunktDataException {
    try {
      int context = Integer.parseInt(text);
      if ((context & ~(UPPER | LOWER)) == 0) {
        return context;
      }
    } catch (NumberFormatException e) {
      // told below, with the place
    }
    throw new PunktDataException(file, byteOffset, "cases as an even number 0 to 126", text);
  }

  private interface LineConsumer {
    void accept(Path file, long byteOffset, String line) throws PunktDataException;
  }

  private static void lines(Path file, LineConsumer consumer) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new PunktDataException(file, "missing; Punkt parameters are four files");
    }
    long size = Files.size(file);
    if (size > MAX_BYTES) {
      throw new PunktDataException(file, 0, "at most " + MAX_BYTES + " bytes", size);
    }
    byte[] bytes = Files.readAllBytes(file);
    for (int start = 0; start < bytes.length; ) {
      int end = start;
      while (end < bytes.length && bytes[end] != '\n') {
        end++;
      }
      consumer.accept(file, start, decode(file, bytes, start, end));
      start = end + 1;
    }
  }

  private static String decode(Path file, byte[] bytes, int start, int end)
      throws PunktDataException {
    try {
      String line =
          StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(bytes, start, end - start))
              .toString();
      if (line.chars().anyMatch(PunktParameters::endsLine)) {
        // NLTK would end the entry there, or keep a carriage return as a part of the word
        throw new PunktDataException(file, start, "lines that end in LF alone", "another end");
      }
      if (line.indexOf(0) >= 0) {
        throw new PunktDataException(file, start, "a line of text", "a zero byte");
      }
      return line;
    } catch (CharacterCodingException e) {
      throw new PunktDataException(file, start, "a line of UTF-8", "other bytes");
    }
  }

  /** What {@code str.splitlines} splits at, LF apart. */
  private static boolean endsLine(int c) {
    return (c >= 0x0B && c <= 0x0D)
        || (c >= 0x1C && c <= 0x1E)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }
}
