package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.TokenizerProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Loads {@code tokenizer.model} files, and directories that hold one. */
public final class SentencePieceProvider implements TokenizerProvider {
  private static final String FILE_NAME = "tokenizer.model";

  /** Tag of the first field, {@code pieces}, with which every model begins. */
  private static final int FIRST_BYTE = 0x0A;

  /** For the service loader. */
  public SentencePieceProvider() {}

  @Override
  public String name() {
    return "sentencepiece";
  }

  @Override
  public boolean supports(Path fileOrDirectory) {
    if (Files.isDirectory(fileOrDirectory)) {
      return Files.isRegularFile(fileOrDirectory.resolve(FILE_NAME));
    }
    if (fileOrDirectory.toString().endsWith(".model")) {
      return Files.isRegularFile(fileOrDirectory);
    }
    try (InputStream in = Files.newInputStream(fileOrDirectory)) {
      return in.read() == FIRST_BYTE;
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public int priority() {
    return 20;
  }

  @Override
  public Tokenizer load(Path fileOrDirectory, TokenizerOptions options) throws IOException {
    Path file =
        Files.isDirectory(fileOrDirectory) ? fileOrDirectory.resolve(FILE_NAME) : fileOrDirectory;
    return SentencePieceTokenizer.of(SentencePieceModel.read(file), options);
  }
}
