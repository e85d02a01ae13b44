package io.github.pretrain4j.optim;

import io.github.pretrain4j.backend.AdamWStep;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * AdamW with Megatron's parameter groups and clipping by the global gradient norm.
 *
 * <p>Weights of two dimensions decay; those of one (norms, biases) do not. State is numbered as
 * Megatron's checkpoints number it: the decayed parameters in the model's order, then the others.
 * Owns the moments' memory until closed; not thread-safe.
 *
 * @see <a href="https://arxiv.org/abs/1711.05101">Loshchilov and Hutter, 2019</a>
 */
public final class AdamW implements AutoCloseable {
  private final AdamWConfig config;
  private final ComputeDevice device;
  private final List<Group> groups;
  private final Map<Parameter, Moments> moments = new LinkedHashMap<>();
  private final List<DeviceBuffer> gradients;
  private long step;
  private boolean closed;

  /**
   * The constants of the update.
   *
   * @param clipGrad largest global gradient norm; 0 for no clipping
   */
  public record AdamWConfig(double beta1, double beta2, double epsilon, double clipGrad) {}

  /** Parameters that share a multiple of the weight decay: 1 or 0. */
  public record Group(double weightDecayMultiplier, List<Parameter> parameters) {
    public Group {
      parameters = List.copyOf(parameters);
    }
  }

  /** First and second moment of a parameter's gradient, fp32, shaped as the parameter. */
  public record Moments(DeviceBuffer expAvg, DeviceBuffer expAvgSq) {}

  /** An optimizer of all parameters of {@code store}, with moments 0 and no update made. */
  public AdamW(AdamWConfig config, ParameterStore store) {
    this.config = config;
    this.device = store.device();
    List<Parameter> decayed = new ArrayList<>();
    List<Parameter> others = new ArrayList<>();
    for (Parameter parameter : store.parameters()) {
      boolean decays = parameter.rank() > 1 && !parameter.name().endsWith(".bias");
      (decays ? decayed : others).add(parameter);
    }
    groups = List.of(new Group(1, decayed), new Group(0, others));
    gradients = store.parameters().stream().map(Parameter::gradient).toList();
    try {
      for (Group group : groups) {
        for (Parameter parameter : group.parameters()) {
          DeviceBuffer expAvg = device.allocate(ElementType.F32, parameter.elementCount());
          DeviceBuffer expAvgSq;
          try {
            expAvgSq = device.allocate(ElementType.F32, parameter.elementCount());
          } catch (RuntimeException | OutOfMemoryError e) {
            device.free(expAvg);
            throw e;
          }
          moments.put(parameter, new Moments(expAvg, expAvgSq));
        }
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      close();
      throw e;
    }
  }

  public AdamWConfig config() {
    return config;
  }

  /** The groups, in the order of Megatron's checkpoints. */
  public List<Group> groups() {
    return groups;
  }

  /** The moments of a parameter of {@link #groups}. */
  public Moments moments(Parameter parameter) {
    Moments found = moments.get(parameter);
    if (found == null) {
      throw new IllegalArgumentException("not a parameter of this optimizer: " + parameter.name());
    }
    return found;
  }

  /** Updates made so far. */
  public long step() {
    return step;
  }

  /** Continues after that many updates; the moments have been restored by the caller. */
  public void restoreStep(long updates) {
    if (updates < 0) {
      throw new IllegalArgumentException("optimizer step " + updates);
    }
    step = updates;
  }

  /** L2 norm over all gradients together, every parameter once, in one fixed order. */
  public double gradientNorm() {
    return Math.sqrt(device.sumOfSquares(gradients));
  }

  /**
   * The factor that brings a norm down to the limit: Megatron's {@code clip / (norm + 1e-6)}, at
   * most 1.
   */
  public double clippingFactor(double gradientNorm) {
    return config.clipGrad() > 0 ? Math.min(1, config.clipGrad() / (gradientNorm + 1e-6)) : 1;
  }

  /** One update of all parameters from their gradients, which stay as they are. */
  public void update(double learningRate, double weightDecay, double gradientScale) {
    step++;
    for (Group group : groups) {
      AdamWStep scalars =
          new AdamWStep(
              (float) learningRate,
              (float) config.beta1(),
              (float) config.beta2(),
              (float) config.epsilon(),
              (float) (weightDecay * group.weightDecayMultiplier()),
              (float) gradientScale,
              step);
      for (Parameter parameter : group.parameters()) {
        Moments state = moments(parameter);
        device.adamW(
            scalars, parameter.gradient(), parameter.value(), state.expAvg(), state.expAvgSq());
      }
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (Moments state : moments.values()) {
        device.free(state.expAvg());
        device.free(state.expAvgSq());
      }
    }
  }
}
