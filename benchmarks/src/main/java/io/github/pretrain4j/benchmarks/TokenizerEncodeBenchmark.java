package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.sentencepiece.BpeTrainer;
import io.github.pretrain4j.tokenizer.sentencepiece.TrainerConfig;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/**
 * How many bytes of text a second become token ids, on one thread.
 *
 * <p>The candidate is a SentencePiece BPE model of 4000 pieces, trained here; the baseline is the
 * least a tokenizer can do, one id for every UTF-8 byte. The text is new to the model but made of
 * the words it was trained on. An operation is one byte of text.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class TokenizerEncodeBenchmark {
  private static final int VOCABULARY_SIZE = 4000;
  private static final int TRAINING_SENTENCES = 1500;
  private static final int SENTENCE_BYTES = 400;
  private static final int DOCUMENTS = 64;
  private static final int DOCUMENT_BYTES = 2048;
  private static final int TEXT_BYTES = DOCUMENTS * DOCUMENT_BYTES;

  private @Nullable Tokenizer trained;
  private final String[] documents = new String[DOCUMENTS];

  /** Trains the model, writes the text, and makes sure that the one can read the other. */
  @Setup
  public void train() throws IOException {
    GeneratedText training = new GeneratedText(2);
    Tokenizer tokenizer =
        SentencePieceTokenizer.of(
            BpeTrainer.train(
                Stream.generate(() -> training.sentence(SENTENCE_BYTES))
                    .limit(TRAINING_SENTENCES)
                    .iterator(),
                TrainerConfig.llama(VOCABULARY_SIZE)));
    trained = tokenizer;
    GeneratedText text = new GeneratedText(3);
    for (int i = 0; i < documents.length; i++) {
      documents[i] = text.sentence(DOCUMENT_BYTES);
      if (!tokenizer.decode(tokenizer.encode(documents[i])).equals(documents[i])) {
        throw new IllegalStateException("document " + i + " does not survive encode and decode");
      }
    }
  }

  /** Baseline: the UTF-8 bytes as ids. */
  @Benchmark
  @OperationsPerInvocation(TEXT_BYTES)
  public void bytes(Blackhole ids) {
    for (String document : documents) {
      byte[] utf8 = document.getBytes(StandardCharsets.UTF_8);
      int[] tokens = new int[utf8.length];
      for (int i = 0; i < utf8.length; i++) {
        tokens[i] = utf8[i] & 0xff;
      }
      ids.consume(tokens);
    }
  }

  /** Candidate: SentencePiece BPE. */
  @Benchmark
  @OperationsPerInvocation(TEXT_BYTES)
  public void sentencePiece(Blackhole ids) {
    Tokenizer tokenizer = Objects.requireNonNull(trained);
    for (String document : documents) {
      ids.consume(tokenizer.encode(document));
    }
  }
}
