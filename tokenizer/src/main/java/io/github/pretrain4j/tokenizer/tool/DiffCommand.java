package io.github.pretrain4j.tokenizer.tool;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code diff}: two tokenizers over the same texts. Holds one text at a time. */
@Command(
    name = "diff",
    mixinStandardHelpOptions = true,
    description = {
      "Compares the ids that two tokenizers give for the same texts, and how well each compresses.",
      "Ends in 0 if all ids are the same, in 1 if not."
    })
final class DiffCommand implements Callable<Integer> {
  private static final int CONTEXT_CHARS = 30;
  private static final int SHOWN_IDS = 12;

  private final PrintWriter out;

  @Parameters(index = "0", paramLabel = "MODEL", description = "Tokenizer file or directory.")
  Path model = Path.of("");

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "OTHER",
      description = "The other one (default: the same, for two providers).")
  @Nullable Path other;

  @Option(names = "--input", arity = "1..*", required = true, description = "Text or .jsonl files.")
  List<Path> files = List.of();

  @Mixin JsonKeys json = new JsonKeys();

  @Option(
      names = "--show",
      paramLabel = "N",
      defaultValue = "3",
      description = "How many differences to show (default: ${DEFAULT-VALUE}).")
  int show;

  @Option(
      names = "--other-provider",
      paramLabel = "PROVIDER",
      description = "Who loads the other one (default: as --provider).")
  @Nullable String otherProvider;

  @Mixin LoadingOptions loading = new LoadingOptions();

  DiffCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    Side one = new Side(Tokenizers.load(model, loading.toTokenizerOptions()));
    Side two =
        new Side(
            Tokenizers.load(
                other == null ? model : other,
                loading.with(otherProvider == null ? loading.provider : otherProvider)));
    long texts = 0;
    long different = 0;
    long bytes = 0;
    long characters = 0;
    try (TextSource source = new TextSource(files, json.keys)) {
      while (source.hasNext()) {
        String text = source.next();
        texts++;
        bytes += utf8Length(text);
        characters += text.codePointCount(0, text.length());
        one.encode(text);
        two.encode(text);
        Span span = Span.of(one, two);
        if (span != null) {
          different++;
          one.differing += span.endOfOne - span.begin;
          two.differing += span.endOfTwo - span.begin;
          if (different <= show) {
            describe(texts, text, span, one, two);
          }
        }
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    summarize(texts, different, bytes, characters, one, two);
    return different == 0 ? 0 : 1;
  }

  private void summarize(
      long texts, long different, long bytes, long characters, Side one, Side two) {
    out.printf(Locale.ROOT, "texts: %d, of which %d differ%n", texts, different);
    out.printf(Locale.ROOT, "text: %d bytes, %d characters%n", bytes, characters);
    print("ids", "%15d", one.ids, two.ids);
    print("ids that differ", "%15d", one.differing, two.differing);
    print("texts refused", "%15d", one.refused, two.refused);
    print("bytes per id", "%15.3f", ratio(bytes, one.ids), ratio(bytes, two.ids));
    print("ids per character", "%15.3f", ratio(one.ids, characters), ratio(two.ids, characters));
  }

  private void print(String what, String format, Object one, Object two) {
    out.printf(Locale.ROOT, "%-18s" + format + format + "%n", what, one, two);
  }

  private static double ratio(long above, long below) {
    return below == 0 ? 0 : (double) above / below;
  }

  /** Where the two begin to differ: the text around it, then ids and pieces of both. */
  private void describe(long number, String text, Span span, Side one, Side two) {
    out.printf(Locale.ROOT, "text %d differs at id %d%n", number, span.begin);
    Encoding places = one.places(text);
    if (places != null && span.begin < places.begins().length) {
      int at = places.begins()[span.begin];
      int from = Math.max(0, at - CONTEXT_CHARS);
      int to = Math.min(text.length(), at + CONTEXT_CHARS);
      out.println(
          "  \""
              + escaped(text.substring(from, at))
              + "|"
              + escaped(text.substring(at, to))
              + "\"");
    }
    out.println("  " + one.describe(span.begin, span.endOfOne));
    out.println("  " + two.describe(span.begin, span.endOfTwo));
  }

  /** As it can be printed: quotes, controls and lone surrogates as escapes. */
  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder();
    text.codePoints()
        .forEach(
            c -> {
              boolean lone = c <= Character.MAX_VALUE && Character.isSurrogate((char) c);
              if (c == '"' || c == '\\' || Character.isISOControl(c) || lone) {
                escaped.append(String.format(Locale.ROOT, "\\u%04x", c));
              } else {
                escaped.appendCodePoint(c);
              }
            });
    return escaped.toString();
  }

  private static long utf8Length(String text) {
    long length = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      // A pair takes four bytes, a lone surrogate the three of U+FFFD.
      boolean pair = i + 1 < text.length() && Character.isSurrogatePair(c, text.charAt(i + 1));
      length += pair ? 4 : c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
      i += pair ? 1 : 0;
    }
    return length;
  }

  /** The ids that differ: {@code [begin, endOfOne)} of one side, {@code [begin, endOfTwo)}. */
  private record Span(int begin, int endOfOne, int endOfTwo) {

    /** Null if there is no difference. */
    static @Nullable Span of(Side one, Side two) {
      TokenBuffer a = one.buffer;
      TokenBuffer b = two.buffer;
      int begin = 0;
      int shorter = Math.min(a.length(), b.length());
      while (begin < shorter && a.get(begin) == b.get(begin)) {
        begin++;
      }
      if (begin == a.length()
          && begin == b.length()
          && one.refusal == null == (two.refusal == null)) {
        return null;
      }
      int endOfOne = a.length();
      int endOfTwo = b.length();
      while (endOfOne > begin && endOfTwo > begin && a.get(endOfOne - 1) == b.get(endOfTwo - 1)) {
        endOfOne--;
        endOfTwo--;
      }
      return new Span(begin, endOfOne, endOfTwo);
    }
  }

  /** One of the two tokenizers, with its ids of the current text and its sums. */
  private static final class Side {
    private final Tokenizer tokenizer;
    private final Encoder encoder;
    final TokenBuffer buffer = new TokenBuffer(1024);
    @Nullable String refusal;
    long ids;
    long differing;
    long refused;

    Side(Tokenizer tokenizer) {
      this.tokenizer = tokenizer;
      this.encoder = tokenizer.newEncoder();
    }

    /** A text that the tokenizer cannot represent has no ids. */
    void encode(String text) {
      buffer.clear();
      refusal = null;
      try {
        ids += encoder.encode(text, buffer);
      } catch (IllegalArgumentException e) {
        refusal = String.valueOf(e.getMessage());
        refused++;
      }
    }

    @Nullable Encoding places(String text) {
      return refusal == null ? tokenizer.encode(text, OffsetUnit.UTF16_UNITS) : null;
    }

    String describe(int begin, int end) {
      if (refusal != null) {
        return "refused: " + refusal;
      }
      StringBuilder description = new StringBuilder();
      for (int i = begin; i < Math.min(end, begin + SHOWN_IDS); i++) {
        int id = buffer.get(i);
        description.append(id).append(" \"").append(escaped(tokenizer.piece(id))).append("\" ");
      }
      return description.append(end - begin > SHOWN_IDS ? "..." : "").toString().strip();
    }
  }
}
