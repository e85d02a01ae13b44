package io.github.pretrain4j.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every operation's gradient against central differences, on the plain Java backend. */
class FiniteDifferenceTest {
  /** fp32 forward, step 1e-2: rounding of about 1e-6 / 1e-2 and a truncation of the same size. */
  private static final double TOLERANCE = 2e-3;

  private static final float STEP = 1e-2f;

  private final Random random = new Random(7);
  private final ComputeDevice device = ComputeBackends.find("java").open(new DeviceConfig(1));
  private final ParameterStore store = new ParameterStore(device, true);
  private final Tape tape = Tape.training(device);

  @AfterEach
  void leavesNothingOpen() {
    tape.close();
    store.close();
    assertEquals(0, device.memoryUse().allocations());
    device.close();
  }

  /** What is tested: a tensor made of inputs (and of parameters of the store). */
  @FunctionalInterface
  private interface Model {
    Tensor run(List<Tensor> inputs);
  }

  /** An input's shape. */
  private record Shape(int batch, int length, int width) {}

  private void check(List<Shape> shapes, Model model) {
    List<float[]> values = new ArrayList<>();
    for (Shape shape : shapes) {
      values.add(gaussian(shape.batch() * shape.length() * shape.width()));
    }
    float[] dy = gaussian(run(shapes, values, model).toArray().length);
    tape.reset();
    store.zeroGradients();

    List<Tensor> inputs = inputs(shapes, values);
    tape.seedGradient(model.run(inputs), dy);
    tape.backward();
    List<float[]> gradients = inputs.stream().map(Tensor::gradientToArray).toList();
    tape.reset();

    DoubleSupplier objective =
        () -> {
          double sum = 0;
          float[] y = run(shapes, values, model).toArray();
          for (int i = 0; i < y.length; i++) {
            sum += (double) dy[i] * y[i];
          }
          tape.reset();
          return sum;
        };
    for (int i = 0; i < values.size(); i++) {
      float[] x = values.get(i);
      compare("input " + i, gradients.get(i), differences(x, () -> {}, objective));
    }
    compareParameters(objective);
  }

  private void compareParameters(DoubleSupplier objective) {
    for (Parameter parameter : store.parameters()) {
      float[] value = parameter.valueToArray();
      compare(
          parameter.name(),
          parameter.gradientToArray(),
          differences(value, () -> parameter.upload(0, value), objective));
    }
  }

  private Tensor run(List<Shape> shapes, List<float[]> values, Model model) {
    return model.run(inputs(shapes, values));
  }

  private List<Tensor> inputs(List<Shape> shapes, List<float[]> values) {
    List<Tensor> inputs = new ArrayList<>();
    for (int i = 0; i < shapes.size(); i++) {
      Shape shape = shapes.get(i);
      inputs.add(tape.input(shape.batch(), shape.length(), shape.width(), values.get(i)));
    }
    return inputs;
  }

  private static double[] differences(float[] x, Runnable changed, DoubleSupplier objective) {
    double[] differences = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      float kept = x[i];
      x[i] = kept + STEP;
      float up = x[i];
      changed.run();
      double above = objective.getAsDouble();
      x[i] = kept - STEP;
      float down = x[i];
      changed.run();
      double below = objective.getAsDouble();
      x[i] = kept;
      changed.run();
      differences[i] = (above - below) / ((double) up - down);
    }
    return differences;
  }

  private static void compare(String what, float[] gradient, double[] expected) {
    double error = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow(gradient[i] - expected[i], 2);
      norm += Math.pow(expected[i], 2);
    }
    double relative = Math.sqrt(error / norm);
    assertTrue(relative < TOLERANCE, what + ": relative error " + relative);
  }

  private float[] gaussian(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private Parameter parameter(String name, long... shape) {
    Parameter parameter = store.add(name, shape);
    parameter.upload(0, gaussian((int) parameter.elementCount()));
    return parameter;
  }

  @Test
  void linear() {
    Parameter weight = parameter("weight", 5, 3);
    Parameter bias = parameter("bias", 5);
    check(List.of(new Shape(2, 7, 3)), in -> tape.linear(in.getFirst(), weight, bias));
  }

  @Test
  void embedding() {
    Parameter weight = parameter("weight", 6, 5);
    TokenBatch tokens = TokenBatch.of(2, 4, new int[] {0, 5, 3, 3, 1, 3, 0, 2});
    check(List.of(), in -> tape.embedding(tokens, weight));
  }

  @Test
  void rmsNorm() {
    Parameter weight = parameter("weight", 9);
    check(List.of(new Shape(2, 3, 9)), in -> tape.rmsNorm(in.getFirst(), weight, 1e-5f));
  }

  @Test
  void swiglu() {
    check(List.of(new Shape(1, 5, 14)), in -> tape.swiglu(in.getFirst()));
  }

  @Test
  void add() {
    check(List.of(new Shape(1, 3, 5), new Shape(1, 3, 5)), in -> tape.add(in.get(0), in.get(1)));
  }

  @Test
  void rotary() {
    HeadLayout layout = new HeadLayout(2, 2, 6);
    TokenBatch positions = new TokenBatch(1, 3, new int[3], new int[] {4, 0, 9});
    try (RotaryTable table = RotaryTable.create(device, 100, 6, 10, null)) {
      check(
          List.of(new Shape(1, 3, layout.fusedWidth())),
          in -> tape.rotary(in.getFirst(), table, layout, positions));
    }
  }

  @Test
  void attentionWithGroupedQueries() {
    HeadLayout layout = HeadLayout.of(4, 2, 4);
    check(
        List.of(new Shape(2, 7, layout.fusedWidth())),
        in -> tape.attention(in.getFirst(), layout, AttentionMask.causal()));
  }

  @Test
  void attentionInAWindow() {
    HeadLayout layout = HeadLayout.of(4, 2, 4);
    check(
        List.of(new Shape(1, 9, layout.fusedWidth())),
        in -> tape.attention(in.getFirst(), layout, AttentionMask.slidingWindow(3)));
  }

  @Test
  void residualStreamWithSeveralReaders() {
    Parameter weight = parameter("norm", 6);
    Parameter projection = parameter("projection", 6, 6);
    check(
        List.of(new Shape(1, 4, 6)),
        in -> {
          Tensor x = in.getFirst();
          Tensor branch = tape.linear(tape.rmsNorm(x, weight, 1e-5f), projection, null);
          Tensor y = tape.add(x, branch);
          Tensor second = tape.linear(tape.rmsNorm(y, weight, 1e-5f), projection, null);
          return tape.add(tape.add(y, second), x);
        });
  }

  @Test
  void linearCrossEntropyWithMaskAndPaddedVocabulary() {
    Parameter weight = parameter("weight", 11, 4);
    int[] labels = {3, 8, 0, -1, 5, 5};
    float[] mask = {1, 1, 0.5f, 0, 1, 1};
    float lossScale = 0.25f;
    float[] x = gaussian(6 * 4);

    Tensor input = tape.input(2, 3, 4, x);
    Loss loss = tape.linearCrossEntropy(input, weight, labels, mask, lossScale, 9);
    tape.backward();
    float[] dx = input.gradientToArray();
    tape.reset();
    assertEquals(4.5, loss.weight());
    assertEquals(0, loss.perToken()[3]);

    try (Tape inference = Tape.inference(device)) {
      DoubleSupplier objective =
          () -> {
            Tensor again = inference.input(2, 3, 4, x);
            double sum = inference.linearCrossEntropy(again, weight, labels, mask, 1, 9).sum();
            inference.reset();
            return sum * lossScale;
          };
      assertEquals(loss.sum() * lossScale, objective.getAsDouble(), 1e-6);
      compare("x", dx, differences(x, () -> {}, objective));
      compareParameters(objective);
    }
  }
}
