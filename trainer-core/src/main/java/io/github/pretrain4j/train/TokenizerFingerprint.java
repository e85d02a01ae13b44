package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerConfig;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * What tells one tokenizer from another, for a dataset's {@code .meta.json}: the SHA-256 of its
 * {@code tokenizer.model} or {@code tokenizer.json}, its size and its eod.
 */
public final class TokenizerFingerprint {
  private static final int BUFFER_BYTES = 1 << 16;

  private TokenizerFingerprint() {}

  /**
   * The identity of a tokenizer.
   *
   * @param config what it was opened with
   * @throws IOException if its file cannot be read
   */
  public static TokenizerIdentity of(MegatronTokenizerConfig config, MegatronTokenizer tokenizer)
      throws IOException {
    Path file = file(config);
    return new TokenizerIdentity(
        config.type().option(),
        file == null ? config.type().option() : file.toString(),
        file == null ? null : sha256(file),
        tokenizer.vocabularySize(),
        eodId(tokenizer));
  }

  /**
   * What changes a tokenizer's ids and is not in its file: a text that is the same only for configs
   * that give the same ids with the same file.
   */
  public static String settings(MegatronTokenizerConfig config) {
    StringBuilder text = new StringBuilder("bos ").append(config.bosMode());
    text.append(config.includeSpecialTokens() ? ", template" : ", no template");
    if (config.legacy()) {
      text.append(", legacy");
      for (String token : config.specialTokens()) {
        text.append(" \"").append(token.replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
      }
    }
    if (config.core14()) {
      text.append(", up to core_r0.14 with ").append(config.extraIds()).append(" extra ids");
    }
    config.eodId().ifPresent(id -> text.append(", eod ").append(id));
    config.padId().ifPresent(id -> text.append(", pad ").append(id));
    TokenizerOptions options = config.options();
    return text.append(", provider ")
        .append(options.provider() == null ? "any" : options.provider())
        .append(", ")
        .append(options.specialTokens())
        .append(", ")
        .append(options.unigramScores())
        .toString();
  }

  private static @Nullable Path file(MegatronTokenizerConfig config) {
    Path given = config.model();
    if (given == null || !Files.isDirectory(given)) {
      return given;
    }
    boolean json = config.type() == MegatronTokenizerType.HUGGING_FACE;
    return given.resolve(json ? "tokenizer.json" : "tokenizer.model");
  }

  private static @Nullable Integer eodId(MegatronTokenizer tokenizer) {
    try {
      return tokenizer.eodId();
    } catch (IllegalStateException e) {
      return null; // a tokenizer without one
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        digest.update(buffer, 0, count);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
