package io.github.pretrain4j.benchmarks;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many times faster than Hugging Face's library does our engine turn text into ids by a {@code
 * tokenizer.json}?
 *
 * <p>An operation is one document; the counter {@code utf8Bytes} is what matters, bytes of text a
 * second. The candidate encodes UTF-8 into a buffer that is used again, warm; the baseline is the
 * Rust library as DJL wraps it, without special tokens, padding and truncation, in the same run on
 * one thread. {@code -p tokenizerJson=FILE -p corpus=FILE} measure real ones. Both are checked to
 * give the same ids first.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
public class ByteLevelEncodeBenchmark {
  private static final long MAX_CORPUS_BYTES = 256L << 20;

  /** A {@code tokenizer.json}, or a small one that is made here. */
  @Param(EncodeMaterial.GENERATED)
  private String tokenizerJson = EncodeMaterial.GENERATED;

  /** A text or {@code .jsonl} file, or what is made here. */
  @Param(EncodeMaterial.GENERATED)
  private String corpus = EncodeMaterial.GENERATED;

  private final TokenBuffer ids = new TokenBuffer(1 << 16);
  private @Nullable Path folder;
  private byte[][] documents = {};
  private String[] texts = {};
  private @Nullable Encoder engine;
  private @Nullable HuggingFaceTokenizer library;
  private int next;

  /** Bytes of text that were encoded. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Progress {
    /** JMH divides it by the time. */
    public long utf8Bytes;
  }

  /** Loads tokenizer and texts, and compares the ids of both. */
  @Setup
  public void load() throws IOException {
    Path made = Files.createTempDirectory("p4j-benchmark");
    folder = made;
    Path file =
        tokenizerJson.equals(EncodeMaterial.GENERATED)
            ? GeneratedTokenizerJson.write(made)
            : Path.of(tokenizerJson);
    documents = EncodeMaterial.documents(corpus, MAX_CORPUS_BYTES);
    texts =
        Arrays.stream(documents)
            .map(document -> new String(document, StandardCharsets.UTF_8))
            .toArray(String[]::new);
    Tokenizer tokenizer = Tokenizers.load(file);
    engine = tokenizer.newEncoder();
    library = openLibrary(file);
    for (String text : List.of(texts).subList(0, Math.min(100, texts.length))) {
      int[] theirs =
          Arrays.stream(library.encode(text, false, false).getIds())
              .mapToInt(i -> (int) i)
              .toArray();
      if (!Arrays.equals(tokenizer.encode(text), theirs)) {
        throw new IllegalStateException("the engine and the Rust library give other ids");
      }
    }
  }

  /** DJL would call home, look for a GPU build to fetch, cut texts at 512 tokens and pad them. */
  private static HuggingFaceTokenizer openLibrary(Path file) throws IOException {
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("RUST_FLAVOR", "cpu");
    return HuggingFaceTokenizer.newInstance(
        file,
        Map.of(
            "addSpecialTokens", "false",
            "truncation", "do_not_truncate",
            "padding", "do_not_pad",
            "modelMaxLength", "1000000000"));
  }

  /** Closes the library and deletes what was made. */
  @TearDown
  public void close() throws IOException {
    Objects.requireNonNull(library).close();
    Path made = Objects.requireNonNull(folder);
    Files.deleteIfExists(made.resolve(GeneratedTokenizerJson.FILE_NAME));
    Files.delete(made);
  }

  /** Baseline: the Rust library. */
  @Benchmark
  public int library(Progress progress) {
    int document = advance(progress);
    return Objects.requireNonNull(library).encode(texts[document], false, false).getIds().length;
  }

  /** Candidate: our engine. */
  @Benchmark
  public int engine(Progress progress) {
    byte[] document = documents[advance(progress)];
    ids.clear();
    return Objects.requireNonNull(engine).encodeUtf8(document, 0, document.length, ids);
  }

  private int advance(Progress progress) {
    int document = next;
    next = next + 1 == documents.length ? 0 : next + 1;
    progress.utf8Bytes += documents[document].length;
    return document;
  }
}
