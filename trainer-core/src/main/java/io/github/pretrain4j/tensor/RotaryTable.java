package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Cosines and sines of rotary position embeddings, [maxPositions, K / 2], on a device.
 *
 * <p>Frequencies are computed in double and rounded to fp32; angles are fp32 products of position
 * and frequency, as Transformers forms them. Owns its memory until closed.
 *
 * @see <a href="https://arxiv.org/abs/2104.09864">Su et al., 2021</a>
 */
public final class RotaryTable implements AutoCloseable {
  private final ComputeDevice device;
  private final int headWidth;
  private final int maxPositions;
  private final DeviceBuffer cosPK2;
  private final DeviceBuffer sinPK2;
  private boolean closed;

  private RotaryTable(ComputeDevice device, int headWidth, float[] frequencies, int maxPositions) {
    this.device = device;
    this.headWidth = headWidth;
    this.maxPositions = maxPositions;
    int half = headWidth / 2;
    int elements = Math.multiplyExact(maxPositions, half);
    float[] cos = new float[elements];
    float[] sin = new float[elements];
    for (int position = 0; position < maxPositions; position++) {
      for (int i = 0; i < half; i++) {
        float angle = (float) position * frequencies[i];
        cos[position * half + i] = (float) Math.cos(angle);
        sin[position * half + i] = (float) Math.sin(angle);
      }
    }
    cosPK2 = device.allocate(ElementType.F32, elements);
    sinPK2 = device.allocate(ElementType.F32, elements);
    device.upload(MemorySegment.ofArray(cos), cosPK2);
    device.upload(MemorySegment.ofArray(sin), sinPK2);
  }

  /**
   * A table for positions below {@code maxPositions}.
   *
   * @param rotaryBase theta
   */
  public static RotaryTable create(
      ComputeDevice device,
      double rotaryBase,
      int headWidth,
      int maxPositions,
      @Nullable Llama3Scaling scaling) {
    if (!(rotaryBase > 0) || headWidth < 2 || headWidth % 2 != 0 || maxPositions < 1) {
      throw new IllegalArgumentException(
          "rotary base "
              + rotaryBase
              + ", head width "
              + headWidth
              + ", "
              + maxPositions
              + " positions");
    }
    return new RotaryTable(
        device, headWidth, frequencies(rotaryBase, headWidth, scaling), maxPositions);
  }

  /** The {@code headWidth / 2} angular frequencies, radians per position. */
  public static float[] frequencies(
      double rotaryBase, int headWidth, @Nullable Llama3Scaling scaling) {
    float[] frequencies = new float[headWidth / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double frequency = Math.pow(rotaryBase, -2.0 * i / headWidth);
      frequencies[i] = (float) (scaling == null ? frequency : scaling.apply(frequency));
    }
    return frequencies;
  }

  public int headWidth() {
    return headWidth;
  }

  public int maxPositions() {
    return maxPositions;
  }

  DeviceBuffer cosPK2() {
    return cosPK2;
  }

  DeviceBuffer sinPK2() {
    return sinPK2;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      device.free(cosPK2);
      device.free(sinPK2);
    }
  }

  /**
   * The {@code rope_type: llama3} stretching of Llama 3.1: long wavelengths are slowed by {@code
   * factor}, short ones kept, those between interpolated.
   *
   * @param originalMaxPositions context the model was first trained with
   */
  public record Llama3Scaling(
      double factor,
      double lowFrequencyFactor,
      double highFrequencyFactor,
      int originalMaxPositions) {
    public Llama3Scaling {
      if (!(factor > 0)
          || !(lowFrequencyFactor > 0)
          || !(highFrequencyFactor > lowFrequencyFactor)
          || originalMaxPositions < 1) {
        throw new IllegalArgumentException(
            "rope scaling: factor "
                + factor
                + ", low "
                + lowFrequencyFactor
                + ", high "
                + highFrequencyFactor
                + ", original positions "
                + originalMaxPositions);
      }
    }

    double apply(double frequency) {
      double wavelength = 2 * Math.PI / frequency;
      if (wavelength < originalMaxPositions / highFrequencyFactor) {
        return frequency;
      }
      if (wavelength > originalMaxPositions / lowFrequencyFactor) {
        return frequency / factor;
      }
      double smooth =
          (originalMaxPositions / wavelength - lowFrequencyFactor)
              / (highFrequencyFactor - lowFrequencyFactor);
      return (1 - smooth) * frequency / factor + smooth * frequency;
    }
  }
}
