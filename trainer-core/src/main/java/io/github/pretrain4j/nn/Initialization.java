package io.github.pretrain4j.nn;

import io.github.pretrain4j.tensor.Parameter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Fresh weights with Megatron's distributions: normal with {@code init_method_std} for embedding,
 * QKV, fc1 and output layer, that over {@code sqrt(2 L)} for the two projections back into the
 * residual stream, 1 for norms, 0 for biases.
 *
 * <p>Every element is a function of (seed, parameter name, element index) alone, so that the same
 * weights come out however the model is divided. Normals are Box-Muller pairs over SplitMix64;
 * StrictMath makes them the same on every machine.
 *
 * @see <a href="https://doi.org/10.1145/2660193.2660195">Steele, Lea and Flood, 2014 (SplitMix)</a>
 */
public final class Initialization {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;
  private static final double TO_UNIT = 0x1p-53;
  private static final int CHUNK = 1 << 16;

  private Initialization() {}

  /**
   * Overwrites all parameters of a model.
   *
   * @param seed Megatron's {@code --seed}
   * @param initMethodStd Megatron's {@code --init-method-std}
   */
  public static void fill(LanguageModel model, long seed, double initMethodStd) {
    double residualStd = initMethodStd / StrictMath.sqrt(2.0 * model.config().numLayers());
    for (Parameter parameter : model.parameters().parameters()) {
      String name = parameter.name();
      if (name.endsWith(".bias")) {
        fill(parameter, 0);
      } else if (parameter.rank() == 1) {
        fill(parameter, 1);
      } else {
        boolean residual =
            name.endsWith("linear_proj.weight") || name.endsWith("linear_fc2.weight");
        fillNormal(parameter, key(seed, name), residual ? residualStd : initMethodStd);
      }
    }
  }

  private static void fill(Parameter parameter, float value) {
    float[] values = new float[Math.toIntExact(parameter.elementCount())]; // one dimension: it fits
    Arrays.fill(values, value);
    parameter.upload(0, values);
  }

  private static void fillNormal(Parameter parameter, long key, double std) {
    long count = parameter.elementCount();
    for (long start = 0; start < count; start += CHUNK) {
      float[] values = new float[(int) Math.min(CHUNK, count - start)];
      for (int i = 0; i < values.length; i += 2) {
        long pair = (start + i) / 2;
        double radius = std * StrictMath.sqrt(-2 * StrictMath.log(unit(key, 2 * pair)));
        double angle = 2 * Math.PI * unit(key, 2 * pair + 1);
        values[i] = (float) (radius * StrictMath.cos(angle));
        if (i + 1 < values.length) {
          values[i + 1] = (float) (radius * StrictMath.sin(angle));
        }
      }
      parameter.upload(start, values);
    }
  }

  /** A number in (0, 1], never 0. */
  private static double unit(long key, long counter) {
    return ((mix(key + (counter + 1) * GOLDEN) >>> 11) + 1) * TO_UNIT;
  }

  private static long key(long seed, String name) {
    long key = mix(seed);
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      key = mix(key + GOLDEN + b);
    }
    return key;
  }

  private static long mix(long z) {
    long a = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    long b = (a ^ (a >>> 27)) * 0x94D049BB133111EBL;
    return b ^ (b >>> 31);
  }
}
