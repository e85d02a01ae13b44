package io.github.pretrain4j.tokenizer.megatron;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A tokenizer as Megatron opens it by {@code --tokenizer-type}: the ids of a text are those that
 * {@code preprocess_data.py} writes for it, before {@code --append-eod}. Immutable and thread-safe.
 */
public final class MegatronTokenizer {
  private final int vocabularySize;
  private final OptionalInt eodId;
  private final OptionalInt bosId;
  private final OptionalInt padId;
  private final Supplier<Encoder> encoders;
  private final Function<int[], String> decoder;
  private final String origin;

  /** Encoders of {@link #encode} that no thread uses at the moment: as many as threads that did. */
  private final Queue<Encoder> idleEncoders = new ConcurrentLinkedQueue<>();

  MegatronTokenizer(
      int vocabularySize,
      OptionalInt eodId,
      OptionalInt bosId,
      OptionalInt padId,
      Supplier<Encoder> encoders,
      Function<int[], String> decoder,
      String origin) {
    this.vocabularySize = vocabularySize;
    this.eodId = eodId;
    this.bosId = bosId;
    this.padId = padId;
    this.encoders = encoders;
    this.decoder = decoder;
    this.origin = origin;
  }

  /**
   * Opens the tokenizer that the options choose.
   *
   * @throws IOException if its files are missing, damaged or not supported
   * @throws IllegalArgumentException if texts are to begin with bos and the model has none
   */
  public static MegatronTokenizer open(MegatronTokenizerConfig config) throws IOException {
    if (config.type() == MegatronTokenizerType.NULL) {
      return NumberEncoder.open(config);
    }
    Path given = Objects.requireNonNull(config.model(), "checked by the config");
    if (config.type() == MegatronTokenizerType.HUGGING_FACE) {
      Tokenizer tokenizer = Tokenizers.load(in(given, "tokenizer.json"), config.options());
      return of(
          tokenizer,
          config.includeSpecialTokens()
              ? () -> new TemplateEncoder(tokenizer)
              : tokenizer::newEncoder,
          given);
    }
    Path file = in(given, "tokenizer.model");
    if (file.toString().endsWith(".json")) {
      throw new UnsupportedTokenizerException(
          file,
          "a tokenizer.json as " + config.type().option(),
          "its type is HuggingFaceTokenizer");
    }
    Tokenizer tokenizer = Tokenizers.load(file, config.options());
    if (config.legacy()
        || (config.core14() && config.type() == MegatronTokenizerType.SENTENCE_PIECE)) {
      return SpecialTokenEncoder.open(tokenizer, config, given);
    }
    return of(tokenizer, withBos(tokenizer, config, given), given);
  }

  private static MegatronTokenizer of(Tokenizer tokenizer, Supplier<Encoder> encoders, Path file) {
    return new MegatronTokenizer(
        tokenizer.vocabularySize(),
        tokenizer.eosId(),
        tokenizer.bosId(),
        tokenizer.padId(),
        encoders,
        tokenizer::decode,
        file.toString());
  }

  static Supplier<Encoder> withBos(Tokenizer tokenizer, MegatronTokenizerConfig config, Path file) {
    if (config.bosMode() == BosMode.NONE) {
      return tokenizer::newEncoder;
    }
    int bos =
        tokenizer
            .bosId()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        file
                            + ": no id to begin a text with, as "
                            + config.type().option()
                            + " up to core_r0.14 does"));
    return () -> new BosEncoder(bos, tokenizer.newEncoder());
  }

  /** A directory's file of that name, if it is a directory. */
  private static Path in(Path fileOrDirectory, String name) {
    return Files.isDirectory(fileOrDirectory) ? fileOrDirectory.resolve(name) : fileOrDirectory;
  }

  /** The number of ids, which the width of ids in a {@code .bin} file depends on. Not padded. */
  public int vocabularySize() {
    return vocabularySize;
  }

  /**
   * The number of rows of Megatron's embedding: the size rounded up to a multiple of both.
   *
   * @param makeVocabSizeDivisibleBy Megatron's option of that name, 128 by default
   */
  public int paddedVocabularySize(int makeVocabSizeDivisibleBy, int tensorModelParallelSize) {
    if (makeVocabSizeDivisibleBy < 1 || tensorModelParallelSize < 1) {
      throw new IllegalArgumentException(
          "divisor "
              + makeVocabSizeDivisibleBy
              + " and tensor parallel size "
              + tensorModelParallelSize
              + " must be positive");
    }
    int multiple = Math.multiplyExact(makeVocabSizeDivisibleBy, tensorModelParallelSize);
    return Math.multiplyExact(Math.floorDiv(vocabularySize - 1, multiple) + 1, multiple);
  }

  /**
   * The id that {@code --append-eod} appends to a document.
   *
   * @throws IllegalStateException if the tokenizer has none
   */
  public int eodId() {
    return eodId.orElseThrow(
        () -> new IllegalStateException(origin + ": no id to end a document with"));
  }

  /** The id that begins a sequence, if there is one. */
  public OptionalInt bosId() {
    return bosId;
  }

  /** The id of padding, if there is one; Megatron writes -1 or None for none. */
  public OptionalInt padId() {
    return padId;
  }

  /**
   * The ids of a text: of a document, or of each sentence where the JSON value is a list.
   *
   * @throws IllegalArgumentException if the tokenizer cannot represent the text
   */
  public int[] encode(String text) {
    Encoder idle = idleEncoders.poll();
    Encoder encoder = idle == null ? newEncoder() : idle;
    try {
      TokenBuffer ids = new TokenBuffer(text.length() / 3 + 8);
      encoder.encode(text, ids);
      return ids.toArray();
    } finally {
      idleEncoders.add(encoder);
    }
  }

  /** A new encoder for one thread, with the ids of {@link #encode}. */
  public Encoder newEncoder() {
    return encoders.get();
  }

  /**
   * Megatron's {@code detokenize}.
   *
   * @throws IllegalArgumentException if an id is out of range
   */
  public String decode(int[] ids) {
    return decoder.apply(ids);
  }

  /** Puts the id that begins a sequence before each text, also before an empty one. */
  private static final class BosEncoder implements Encoder {
    private final int bos;
    private final Encoder texts;

    BosEncoder(int bos, Encoder texts) {
      this.bos = bos;
      this.texts = texts;
    }

    @Override
    public int encode(CharSequence text, TokenBuffer out) {
      int before = out.length();
      out.add(bos);
      try {
        return 1 + texts.encode(text, out);
      } catch (IllegalArgumentException e) {
        out.setLength(before);
        throw e;
      }
    }

    @Override
    public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
      int before = out.length();
      out.add(bos);
      try {
        return 1 + texts.encodeUtf8(utf8, from, to, out);
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        out.setLength(before);
        throw e;
      }
    }
  }

  /** Applies the template of a {@code tokenizer.json} to each text. */
  private static final class TemplateEncoder implements Encoder {
    private final Tokenizer tokenizer;
    private final Encoder texts;
    private final TokenBuffer plain = new TokenBuffer(256);

    TemplateEncoder(Tokenizer tokenizer) {
      this.tokenizer = tokenizer;
      this.texts = tokenizer.newEncoder();
    }

    @Override
    public int encode(CharSequence text, TokenBuffer out) {
      plain.clear();
      texts.encode(text, plain);
      return append(out);
    }

    @Override
    public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
      plain.clear();
      texts.encodeUtf8(utf8, from, to, plain);
      return append(out);
    }

    private int append(TokenBuffer out) {
      int[] ids = tokenizer.withSpecialTokens(plain.toArray());
      for (int id : ids) {
        out.add(id);
      }
      return ids.length;
    }
  }
}
