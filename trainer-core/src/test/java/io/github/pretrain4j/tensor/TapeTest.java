package io.github.pretrain4j.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The tape's book-keeping, with a small decoder layer on the plain Java device. */
class TapeTest {
  private static final int VOCABULARY = 13;
  private static final HeadLayout LAYOUT = HeadLayout.of(4, 2, 4);
  private static final int HIDDEN = 6;

  private final ComputeDevice device = ComputeBackends.find("java").open(new DeviceConfig(1));
  private final ParameterStore store = new ParameterStore(device, true);
  private final RotaryTable table =
      RotaryTable.create(device, 10_000, LAYOUT.headWidth(), 32, null);
  private final Parameter embedding = parameter("embedding", VOCABULARY, HIDDEN);
  private final Parameter norm = parameter("norm", HIDDEN);
  private final Parameter qkv = parameter("qkv", LAYOUT.fusedWidth(), HIDDEN);
  private final Parameter projection = parameter("projection", HIDDEN, LAYOUT.outputWidth());

  @AfterEach
  void leavesNothingOpen() {
    table.close();
    store.close();
    assertEquals(0, device.memoryUse().allocations());
    device.close();
  }

  private Parameter parameter(String name, long... shape) {
    Parameter parameter = store.add(name, shape);
    Random random = new Random(name.hashCode());
    float[] values = new float[(int) parameter.elementCount()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    parameter.upload(0, values);
    return parameter;
  }

  private Tensor layer(Tape tape, Tensor x, TokenBatch batch, AttentionMask mask) {
    return tape.block(
        x,
        in -> {
          Tensor fused = tape.linear(tape.rmsNorm(in, norm, 1e-5f), qkv, null);
          Tensor turned = tape.rotary(fused, table, LAYOUT, batch);
          return tape.add(in, tape.linear(tape.attention(turned, LAYOUT, mask), projection, null));
        });
  }

  private Loss iterate(Tape tape, TokenBatch batch, int[] labels) {
    Tensor x = tape.embedding(batch, embedding);
    x = layer(tape, x, batch, AttentionMask.causal());
    x = layer(tape, x, batch, AttentionMask.slidingWindow(2));
    float[] mask = new float[labels.length];
    Arrays.fill(mask, 1);
    return tape.linearCrossEntropy(x, embedding, labels, mask, 1f / labels.length, VOCABULARY);
  }

  @Test
  void repeatsAnIterationWithoutAllocatingAndToTheSameBits() {
    try (Tape tape = Tape.training(device)) {
      TokenBatch batch = TokenBatch.of(2, 3, new int[] {1, 5, 2, 7, 12, 0});
      int[] labels = {5, 2, 9, 12, 0, 1};
      double first = iterate(tape, batch, labels).sum();
      tape.backward();
      tape.reset();
      float[] gradient = qkv.gradientToArray();
      long made = device.memoryUse().allocationsMade();
      for (int i = 0; i < 3; i++) {
        store.zeroGradients();
        assertEquals(first, iterate(tape, batch, labels).sum());
        tape.backward();
        tape.reset();
        assertArrayEquals(gradient, qkv.gradientToArray());
      }
      assertEquals(made, device.memoryUse().allocationsMade());
    }
  }

  @Test
  void accumulatesGradientsOverMicroBatches() {
    try (Tape tape = Tape.training(device)) {
      TokenBatch batch = TokenBatch.of(1, 2, new int[] {3, 4});
      int[] labels = {4, 5};
      iterate(tape, batch, labels);
      tape.backward();
      tape.reset();
      float[] once = projection.gradientToArray();
      iterate(tape, batch, labels);
      tape.backward();
      float[] twice = projection.gradientToArray();
      for (int i = 0; i < once.length; i++) {
        assertEquals(2 * once[i], twice[i], 1e-6);
      }
    }
  }

  @Test
  void computesTheSameLossWithoutRecordingInLessMemory() {
    TokenBatch batch = TokenBatch.of(2, 3, new int[] {1, 5, 2, 7, 12, 0});
    int[] labels = {5, 2, 9, 12, 0, 1};
    try (Tape training = Tape.training(device);
        Tape inference = Tape.inference(device)) {
      assertArrayEquals(
          iterate(training, batch, labels).perToken(),
          iterate(inference, batch, labels).perToken());
      assertThrows(IllegalStateException.class, inference::backward);
    }
  }

  @Test
  void readsTokenByTokenWithACacheWhatItReadsAtOnce() {
    int[] tokens = {3, 1, 4, 1, 5, 9, 2, 6};
    float[] whole;
    try (Tape tape = Tape.inference(device)) {
      TokenBatch batch = TokenBatch.of(1, tokens.length, tokens);
      Tensor x =
          layer(tape, tape.embedding(batch, embedding), batch, AttentionMask.slidingWindow(3));
      whole = tape.logits(tape.lastTokens(x), embedding).toArray();
    }
    try (Tape tape = Tape.inference(device);
        KvCache cache = new KvCache(device, 1, 1, tokens.length, LAYOUT)) {
      AttentionMask mask = AttentionMask.slidingWindow(3).over(cache.layer(0));
      float[] last = {};
      for (int[] part : new int[][] {{3, 1, 4}, {1, 0}, {5, 9}, {2}, {6}}) {
        TokenBatch batch = TokenBatch.continuing(1, part.length, part, cache.length());
        Tensor x = layer(tape, tape.embedding(batch, embedding), batch, mask);
        last = tape.logits(tape.lastTokens(x), embedding).toArray();
        tape.reset();
        if (cache.length() == 5) {
          cache.truncate(4); // takes back the 0
        }
      }
      assertEquals(tokens.length, cache.length());
      assertArrayEquals(whole, last, 1e-5f);
      TokenBatch more = TokenBatch.continuing(1, 1, new int[] {0}, cache.length());
      assertThrows(
          IllegalStateException.class,
          () -> layer(tape, tape.embedding(more, embedding), more, mask));
    }
  }

  @Test
  void refusesConsumedTensorsAndWrongArguments() {
    try (Tape tape = Tape.training(device);
        Tape other = Tape.training(device)) {
      Tensor a = tape.input(1, 2, HIDDEN, new float[2 * HIDDEN]);
      Tensor b = tape.input(1, 2, HIDDEN, new float[2 * HIDDEN]);
      tape.add(a, b);
      assertThrows(IllegalStateException.class, () -> tape.add(a, b));
      assertThrows(IllegalArgumentException.class, () -> tape.add(a, a));
      assertThrows(IllegalArgumentException.class, () -> tape.linear(a, projection, null));
      assertThrows(IllegalArgumentException.class, () -> other.rmsNorm(a, norm, 1e-5f));
      TokenBatch outside = TokenBatch.of(1, 2, new int[] {0, VOCABULARY});
      assertThrows(IllegalArgumentException.class, () -> tape.embedding(outside, embedding));
      assertThrows(
          IllegalArgumentException.class,
          () ->
              tape.linearCrossEntropy(a, embedding, new int[] {0, 12}, new float[] {1, 1}, 1, 12));
      tape.reset();
      assertThrows(IllegalStateException.class, () -> tape.rmsNorm(a, norm, 1e-5f));
    }
  }

  @Test
  void stretchesFrequenciesAsLlama3Does() {
    float[] plain = RotaryTable.frequencies(500_000, 8, null);
    float[] stretched =
        RotaryTable.frequencies(500_000, 8, new RotaryTable.Llama3Scaling(8, 1, 4, 8192));
    assertEquals(1, plain[0]);
    assertEquals(plain[0], stretched[0]); // wavelength 6: kept
    // wavelength 2 pi / 1.4142e-3 = 4443: between 8192 / 4 and 8192 / 1
    double wavelength = 2 * Math.PI * Math.pow(500_000, 0.5);
    double smooth = (8192 / wavelength - 1) / 3;
    assertEquals((1 - smooth) * plain[2] / 8 + smooth * plain[2], stretched[2], 1e-9);
    assertEquals(plain[3] / 8, stretched[3], 1e-12); // wavelength 118142: slowed
  }
}
