package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.TokenizerProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Loads {@code tokenizer.json} files, and directories that hold one. */
public final class HuggingFaceProvider implements TokenizerProvider {
  private static final String FILE_NAME = "tokenizer.json";

  /** For the service loader. */
  public HuggingFaceProvider() {}

  @Override
  public String name() {
    return "huggingface";
  }

  @Override
  public int priority() {
    return 10;
  }

  @Override
  public boolean supports(Path fileOrDirectory) {
    if (Files.isDirectory(fileOrDirectory)) {
      return Files.isRegularFile(fileOrDirectory.resolve(FILE_NAME));
    }
    if (!fileOrDirectory.toString().endsWith(".json")) {
      return false;
    }
    try (InputStream in = Files.newInputStream(fileOrDirectory)) {
      return in.read() == '{';
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public Tokenizer load(Path fileOrDirectory, TokenizerOptions options) throws IOException {
    return HuggingFaceTokenizer.load(
        Files.isDirectory(fileOrDirectory) ? fileOrDirectory.resolve(FILE_NAME) : fileOrDirectory,
        options);
  }
}
