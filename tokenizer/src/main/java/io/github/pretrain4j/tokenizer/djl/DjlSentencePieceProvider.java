package io.github.pretrain4j.tokenizer.djl;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.TokenizerProvider;
import io.github.pretrain4j.tokenizer.UnavailableException;
import io.github.pretrain4j.tokenizer.UnigramScores;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceProvider;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Loads {@code tokenizer.model} files into the C++ library. {@code load} ends in an {@link
 * UnavailableException} where that is missing or does not run.
 */
public final class DjlSentencePieceProvider implements TokenizerProvider {
  private static final String FILE_NAME = "tokenizer.model";

  /** For the service loader. */
  public DjlSentencePieceProvider() {}

  @Override
  public String name() {
    return "djl-sentencepiece";
  }

  @Override
  public int priority() {
    return -10;
  }

  @Override
  public boolean supports(Path fileOrDirectory) {
    return new SentencePieceProvider().supports(fileOrDirectory);
  }

  @Override
  public Tokenizer load(Path fileOrDirectory, TokenizerOptions options) throws IOException {
    Path file =
        Files.isDirectory(fileOrDirectory) ? fileOrDirectory.resolve(FILE_NAME) : fileOrDirectory;
    if (options.specialTokens() == SpecialTokens.MATCH) {
      throw new UnsupportedTokenizerException(
          file,
          "SpecialTokens.MATCH",
          "SentencePiece has no special tokens in text: use AS_REFERENCE or AS_TEXT");
    }
    // The native library may end the process over a bad file, so ours reads it first.
    SentencePieceTokenizer engine =
        SentencePieceTokenizer.of(
            SentencePieceModel.read(file),
            options.withUnigramScores(UnigramScores.MIXED_PRECISION));
    NativeSentencePiece library = open(file);
    return new DjlSentencePieceTokenizer(library, engine);
  }

  private static NativeSentencePiece open(Path file) throws IOException {
    try {
      return NativeSentencePiece.load(Files.readAllBytes(file));
    } catch (NativeSentencePiece.RefusedModelException e) {
      CorruptTokenizerException corrupt =
          new CorruptTokenizerException(
              file, 0, "model", "one that the C++ library loads", String.valueOf(e.getMessage()));
      corrupt.initCause(e);
      throw corrupt;
    } catch (LinkageError | IllegalStateException e) {
      boolean absent =
          e instanceof NoClassDefFoundError && e.getCause() instanceof ClassNotFoundException;
      throw new UnavailableException(
          (absent ? "no DJL on the class path: " : "the native SentencePiece does not load: ")
              + rootMessage(e),
          absent
              ? "add ai.djl.sentencepiece:sentencepiece, or use the provider \"sentencepiece\""
              : "it needs Linux with glibc, macOS on ARM or Windows on x86-64, and a writable folder"
                  + " that DJL_CACHE_DIR may name; the provider \"sentencepiece\" needs neither",
          e);
    }
  }

  private static String rootMessage(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.toString();
  }
}
