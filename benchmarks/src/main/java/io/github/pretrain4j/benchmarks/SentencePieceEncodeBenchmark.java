package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnigramScores;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many times faster than the C++ library does our engine turn text into ids?
 *
 * <p>An operation is one document; the counter {@code utf8Bytes} is what matters, bytes of text a
 * second. The candidate encodes UTF-8 into a buffer that is used again, warm, on one thread and on
 * two with an encoder each; the baseline is the native provider in the same run. {@code -p
 * model=FILE -p corpus=FILE} measure real ones. Both are checked to give the same ids first.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
public class SentencePieceEncodeBenchmark {
  private static final long MAX_CORPUS_BYTES = 256L << 20;

  /** A model file, or one of those that are made here. */
  @Param({EncodeMaterial.BPE, EncodeMaterial.UNIGRAM})
  private String model = EncodeMaterial.BPE;

  /** A text or {@code .jsonl} file, or what is made here. */
  @Param(EncodeMaterial.GENERATED)
  private String corpus = EncodeMaterial.GENERATED;

  private @Nullable Path folder;
  private byte[][] documents = {};
  private @Nullable Tokenizer engine;
  private @Nullable Tokenizer library;

  /** Bytes of text that a thread has encoded. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Progress {
    /** JMH divides it by the time. */
    public long utf8Bytes;
  }

  /** One thread's encoders and place in the texts. */
  @State(Scope.Thread)
  public static class Worker {
    private final TokenBuffer ids = new TokenBuffer(1 << 16);
    private @Nullable Encoder engine;
    private @Nullable Encoder library;
    private int next;

    /** Makes the encoders. */
    @Setup
    public void open(SentencePieceEncodeBenchmark shared) {
      engine = Objects.requireNonNull(shared.engine).newEncoder();
      library = Objects.requireNonNull(shared.library).newEncoder();
    }

    private int encode(@Nullable Encoder encoder, byte[][] documents, Progress progress) {
      byte[] document = documents[next];
      next = next + 1 == documents.length ? 0 : next + 1;
      progress.utf8Bytes += document.length;
      ids.clear();
      return Objects.requireNonNull(encoder).encodeUtf8(document, 0, document.length, ids);
    }
  }

  /** Loads model and texts, and compares the ids of both. */
  @Setup
  public void load() throws IOException {
    Path made = Files.createTempDirectory("p4j-benchmark");
    folder = made;
    Path file = EncodeMaterial.model(model, made);
    documents = EncodeMaterial.documents(corpus, MAX_CORPUS_BYTES);
    // The library adds up unigram scores in this way.
    TokenizerOptions options =
        TokenizerOptions.defaults().withUnigramScores(UnigramScores.MIXED_PRECISION);
    engine = Tokenizers.load(file, options);
    library = Tokenizers.load(file, options.withProvider("djl-sentencepiece"));
    Encoder one = engine.newEncoder();
    Encoder two = library.newEncoder();
    for (byte[] document : Arrays.asList(documents).subList(0, Math.min(100, documents.length))) {
      TokenBuffer ours = new TokenBuffer(0);
      TokenBuffer theirs = new TokenBuffer(0);
      one.encodeUtf8(document, 0, document.length, ours);
      two.encodeUtf8(document, 0, document.length, theirs);
      if (!Arrays.equals(ours.toArray(), theirs.toArray())) {
        throw new IllegalStateException("the engine and the C++ library give other ids");
      }
    }
  }

  /** Deletes what was made. */
  @TearDown
  public void delete() throws IOException {
    Path made = Objects.requireNonNull(folder);
    try (var files = Files.list(made)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(made);
  }

  /** Baseline: the C++ library behind the native provider. */
  @Benchmark
  public int library(Worker worker, Progress progress) {
    return worker.encode(worker.library, documents, progress);
  }

  /** Candidate: our engine. */
  @Benchmark
  public int engine(Worker worker, Progress progress) {
    return worker.encode(worker.engine, documents, progress);
  }

  /** Candidate on two threads. */
  @Benchmark
  @Threads(2)
  public int engineOnTwoThreads(Worker worker, Progress progress) {
    return worker.encode(worker.engine, documents, progress);
  }
}
