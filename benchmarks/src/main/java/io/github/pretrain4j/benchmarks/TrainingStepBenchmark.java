package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.nn.Initialization;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.LanguageModels;
import io.github.pretrain4j.optim.AdamW;
import io.github.pretrain4j.tensor.Loss;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.TokenBatch;
import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many tokens a second a tiny Llama learns: whole iterations of forward, backward, gradient
 * norm and AdamW, as the trainer makes them, without reading data.
 *
 * <p>The baseline is the backend "java", plain loops on one thread. One thread is therefore the
 * default for the candidate too. An operation is one token.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
public class TrainingStepBenchmark {
  private static final int MICRO_BATCH_SIZE = 2;
  private static final int SEQ_LENGTH = 128;
  private static final int TOKENS = MICRO_BATCH_SIZE * SEQ_LENGTH;
  private static final int VOCAB_SIZE = 1024;

  /** Baseline, then candidate. */
  @Param({"java", "cpu"})
  public String backend = "java";

  /** Width of the model, which has four heads; its feed-forward blocks are three times as wide. */
  @Param("128")
  public int hiddenSize;

  /** Threads of the device; the baseline has one whatever this says. */
  @Param("1")
  public int threads;

  private @Nullable Training opened;

  /** A model of two layers, its optimizer, and one batch of random tokens. */
  private static final class Training implements AutoCloseable {
    /** So small that the one batch is not learnt by heart, which would make gradients vanish. */
    private static final double LEARNING_RATE = 1e-6;

    private static final double WEIGHT_DECAY = 0.01;

    final ComputeDevice device;
    final LanguageModel model;
    final AdamW optimizer;
    final Tape tape;
    final TokenBatch batch;
    final int[] labelsBT;
    final float[] lossMaskBT = new float[TOKENS];

    Training(ComputeDevice device, int hiddenSize) {
      this.device = device;
      TransformerConfig config =
          TransformerConfig.builder()
              .family("llama")
              .numLayers(2)
              .hiddenSize(hiddenSize)
              .ffnHiddenSize(3 * hiddenSize)
              .numAttentionHeads(4)
              .numQueryGroups(2)
              .vocabSize(VOCAB_SIZE)
              .maxPositionEmbeddings(SEQ_LENGTH)
              .build();
      model = LanguageModels.build(config, VOCAB_SIZE, SEQ_LENGTH, true, device);
      Initialization.fill(model, 1234, 0.02);
      optimizer = new AdamW(new AdamW.AdamWConfig(0.9, 0.95, 1e-8, 1), model.parameters());
      tape = Tape.training(device);
      SplittableRandom random = new SplittableRandom(1);
      batch =
          TokenBatch.of(MICRO_BATCH_SIZE, SEQ_LENGTH, random.ints(TOKENS, 0, VOCAB_SIZE).toArray());
      labelsBT = random.ints(TOKENS, 0, VOCAB_SIZE).toArray();
      Arrays.fill(lossMaskBT, 1);
    }

    double iterate() {
      model.parameters().zeroGradients();
      Loss loss = model.loss(tape, batch, labelsBT, lossMaskBT, 1f / TOKENS);
      tape.backward();
      tape.reset();
      double factor = optimizer.clippingFactor(optimizer.gradientNorm());
      optimizer.update(LEARNING_RATE, WEIGHT_DECAY, factor);
      return loss.mean();
    }

    @Override
    public void close() {
      tape.close();
      optimizer.close();
      model.close();
      device.close();
    }
  }

  @Setup
  public void open() {
    opened =
        new Training(ComputeBackends.find(backend).open(new DeviceConfig(threads)), hiddenSize);
  }

  @TearDown
  public void close() {
    Objects.requireNonNull(opened).close();
  }

  /** One iteration; returns its loss. */
  @Benchmark
  @OperationsPerInvocation(TOKENS)
  public double iteration() {
    return Objects.requireNonNull(opened).iterate();
  }
}
