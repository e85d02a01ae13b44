package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer from a {@code tokenizer.json}, with the ids, tokens, offsets and texts of Hugging
 * Face's library. Immutable and thread-safe.
 */
public final class HuggingFaceTokenizer implements Tokenizer {
  /** Cache of an encoder that is made for one text. */
  private static final int ONE_TEXT_SLOTS = 1 << 10;

  private final Path file;
  private final String sha256;
  private final Parts parts;
  private final SpecialIds specialIds;
  private final int cacheSlots;

  /** What encoders share; the matchers are null if there is nothing to find. */
  record Parts(
      Vocabulary vocabulary,
      BpeModel model,
      Pipeline pipeline,
      @Nullable AddedTokenMatcher rawTokens,
      @Nullable AddedTokenMatcher normalizedTokens,
      UnicodeTables unicode,
      ByteAlphabet alphabet) {}

  private HuggingFaceTokenizer(TokenizerFile source, TokenizerOptions options) throws IOException {
    UnicodeTables unicode = UnicodeTables.load();
    Pipeline pipeline = PipelineReader.read(source, unicode);
    Vocabulary vocabulary = new Vocabulary(source);
    boolean asText = options.specialTokens() == SpecialTokens.AS_TEXT;
    List<AddedToken> tokens = source.addedTokens;
    this.file = source.file;
    this.sha256 = source.sha256;
    this.cacheSlots = options.cacheSlots();
    this.parts =
        new Parts(
            vocabulary,
            new BpeModel(source, pipeline.byteLevel()),
            pipeline,
            AddedTokenMatcher.of(
                tokens.stream().filter(token -> !token.normalized()).toList(),
                List.of(),
                asText,
                unicode),
            AddedTokenMatcher.of(
                tokens.stream().filter(AddedToken::normalized).toList(),
                pipeline.normalization(),
                asText,
                unicode),
            unicode,
            new ByteAlphabet());
    for (int id : concatenate(pipeline.prefix(), new int[0], pipeline.suffix())) {
      if (id >= vocabulary.size()) {
        throw source.corrupt(
            source.postProcessor, "id of post_processor", "below " + vocabulary.size(), "" + id);
      }
    }
    this.specialIds = SpecialIds.read(source.file, vocabulary, source.unkToken);
  }

  /**
   * Loads a {@code tokenizer.json}, and the names of special tokens from the files beside it.
   *
   * @throws CorruptTokenizerException if it is damaged
   * @throws UnsupportedTokenizerException if it has a component that we do not know
   */
  public static HuggingFaceTokenizer load(Path file, TokenizerOptions options) throws IOException {
    return new HuggingFaceTokenizer(TokenizerFile.read(file), options);
  }

  @Override
  public int vocabularySize() {
    return parts.vocabulary().size();
  }

  @Override
  public Encoder newEncoder() {
    return new HuggingFaceEncoder(parts, cacheSlots);
  }

  @Override
  public int[] encode(String text) {
    TokenBuffer out = new TokenBuffer(text.length() / 2 + 16);
    new HuggingFaceEncoder(parts, ONE_TEXT_SLOTS).encode(text, out);
    return out.toArray();
  }

  @Override
  public Encoding encode(String text, OffsetUnit unit) {
    return new AlignedEncoder(parts).encode(text, unit);
  }

  @Override
  public int[] withSpecialTokens(int[] ids) {
    return concatenate(parts.pipeline().prefix(), ids, parts.pipeline().suffix());
  }

  private static int[] concatenate(List<Integer> prefix, int[] ids, List<Integer> suffix) {
    int[] all = new int[prefix.size() + ids.length + suffix.size()];
    for (int i = 0; i < prefix.size(); i++) {
      all[i] = prefix.get(i);
    }
    System.arraycopy(ids, 0, all, prefix.size(), ids.length);
    for (int i = 0; i < suffix.size(); i++) {
      all[prefix.size() + ids.length + i] = suffix.get(i);
    }
    return all;
  }

  @Override
  public String decode(int[] ids) {
    return decode(ids, true);
  }

  /**
   * The text of {@code ids} with that of special tokens, which {@link #decode(int[])} leaves out.
   *
   * @throws IllegalArgumentException if an id is out of range
   */
  public String decodeWithSpecialTokens(int[] ids) {
    return decode(ids, false);
  }

  private String decode(int[] ids, boolean skipSpecial) {
    TokenDecoder decoder = decoder(skipSpecial);
    StringBuilder text = new StringBuilder(ids.length * 4);
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    return text.append(decoder.finish()).toString();
  }

  @Override
  public StreamingDecoder streamingDecoder() {
    return decoder(true);
  }

  private TokenDecoder decoder(boolean skipSpecial) {
    return new TokenDecoder(
        parts.vocabulary(), parts.pipeline().decoding(), parts.alphabet(), skipSpecial);
  }

  @Override
  public OptionalInt bosId() {
    return specialIds.bos();
  }

  @Override
  public OptionalInt eosId() {
    return specialIds.eos();
  }

  @Override
  public OptionalInt padId() {
    return specialIds.pad();
  }

  @Override
  public OptionalInt unkId() {
    return specialIds.unk();
  }

  @Override
  public int eodId() {
    return eosId()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    file + ": no eos_token in tokenizer_config.json beside it"));
  }

  @Override
  public OptionalInt id(String piece) {
    return parts.vocabulary().id(piece);
  }

  @Override
  public String piece(int id) {
    parts.vocabulary().check(id);
    if (!parts.vocabulary().has(id)) {
      throw new IllegalArgumentException("no token has id " + id);
    }
    return parts.vocabulary().text(id);
  }

  @Override
  public boolean isSpecial(int id) {
    parts.vocabulary().check(id);
    return parts.vocabulary().isSpecial(id);
  }

  @Override
  public String sha256() {
    return sha256;
  }
}
