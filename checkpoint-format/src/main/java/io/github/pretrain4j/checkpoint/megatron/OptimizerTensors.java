package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An optimizer's whole tensors beside the model's: {@code optimizer.state.exp_avg.NAME}, {@code
 * optimizer.state.exp_avg_sq.NAME}, {@code optimizer.state.fp32_param.NAME}, of the model's shapes.
 */
public final class OptimizerTensors {
  private static final int BLOCK_ELEMENTS = 1 << 16;

  private OptimizerTensors() {}

  /** The kinds of which there is at least one. */
  static Set<OptimizerTensor> kinds(TensorSource optimizer) {
    Set<OptimizerTensor> kinds = EnumSet.noneOf(OptimizerTensor.class);
    for (TensorInfo info : optimizer.tensors()) {
      for (OptimizerTensor kind : OptimizerTensor.values()) {
        if (kind.parameterOf(info.name()).isPresent()) {
          kinds.add(kind);
        }
      }
    }
    return kinds;
  }

  /**
   * Where the optimizer's tensors do not fit the model: running means of other names or shapes than
   * the parameters', or of some parameters only; fp32 copies of what is none. Empty if they fit.
   *
   * @param model whole tensors under canonical names
   */
  public static List<String> problems(TensorSource model, TensorSource optimizer) {
    List<String> problems = new ArrayList<>();
    for (TensorInfo info : optimizer.tensors()) {
      OptimizerTensor kind = null;
      String parameter = "";
      for (OptimizerTensor candidate : OptimizerTensor.values()) {
        if (candidate.parameterOf(info.name()).isPresent()) {
          kind = candidate;
          parameter = candidate.parameterOf(info.name()).get();
        }
      }
      TensorInfo own = model.find(parameter);
      if (kind == null) {
        problems.add("the optimizer's tensor " + info.name() + " is of no known kind");
      } else if (own == null || !OptimizerParameter.isParameter(parameter)) {
        problems.add(info.name() + " belongs to no parameter of the model");
      } else if (!own.shape().equals(info.shape())) {
        problems.add(info.name() + " is " + info.shape() + ", the parameter " + own.shape());
      } else if (info.type() != DataType.F32) {
        problems.add(info.name() + " is " + info.type() + " instead of F32");
      }
    }
    Set<OptimizerTensor> kinds = kinds(optimizer);
    for (TensorInfo parameter : model.tensors()) {
      for (OptimizerTensor kind : List.of(OptimizerTensor.EXP_AVG, OptimizerTensor.EXP_AVG_SQ)) {
        if (OptimizerParameter.isParameter(parameter.name())
            && !kinds.isEmpty()
            && optimizer.find(kind.nameOf(parameter.name())) == null) {
          problems.add("the optimizer has no " + kind.key() + " of " + parameter.name());
        }
      }
    }
    return problems;
  }

  /**
   * The model with its fp32 copies, where there are some, in the place of parameters of 16 bits:
   * what a training in fp32 has to go on with. Closes neither source.
   */
  public static TensorSource masters(TensorSource model, TensorSource optimizer) {
    Map<String, Part> parts = new LinkedHashMap<>();
    for (TensorInfo info : model.tensors()) {
      String master = OptimizerTensor.FP32_PARAM.nameOf(info.name());
      TensorInfo found = optimizer.find(master);
      parts.put(
          info.name(),
          found == null
              ? new Part(info, model, info)
              : new Part(found.withName(info.name()), optimizer, found));
    }
    return new Parts(parts);
  }

  /**
   * The tensors of one kind under the parameters' names. An fp32 copy that is missing is made from
   * the parameter, as Megatron does at a start without optimizer. Closes neither source.
   */
  static TensorSource ofKind(OptimizerTensor kind, TensorSource model, TensorSource optimizer) {
    Map<String, Part> parts = new LinkedHashMap<>();
    for (TensorInfo info : model.tensors()) {
      TensorInfo found = optimizer.find(kind.nameOf(info.name()));
      if (found != null) {
        parts.put(info.name(), new Part(found.withName(info.name()), optimizer, found));
      } else if (kind == OptimizerTensor.FP32_PARAM
          && OptimizerParameter.isParameter(info.name())) {
        parts.put(info.name(), new Part(info.withType(DataType.F32), model, info));
      }
    }
    return new Parts(parts);
  }

  /**
   * A tensor that stands for another.
   *
   * @param info as it is shown
   * @param stored as {@code source} has it; converted if the types differ
   */
  private record Part(TensorInfo info, TensorSource source, TensorInfo stored) {
    void read(long byteOffset, ByteBuffer target) throws IOException {
      if (info.type() == stored.type()) {
        source.read(stored.name(), byteOffset, target);
        return;
      }
      long end = byteOffset + target.remaining();
      for (long at = byteOffset; at < end; ) {
        long element = at / info.type().bytes();
        int count = (int) Math.min(BLOCK_ELEMENTS, info.elementCount() - element);
        ByteBuffer in = ByteBuffer.allocate(count * stored.type().bytes());
        source.read(stored.name(), element * stored.type().bytes(), in);
        ByteBuffer out = ByteBuffer.allocate(count * info.type().bytes());
        NumericConversion.convert(stored.type(), in.flip(), info.type(), out);
        int skip = (int) (at - element * info.type().bytes());
        int length = (int) Math.min(out.position() - skip, end - at);
        target.put(out.array(), skip, length);
        at += length;
      }
    }
  }

  private record Parts(Map<String, Part> parts) implements TensorSource {
    @Override
    public List<TensorInfo> tensors() {
      return parts.values().stream().map(Part::info).toList();
    }

    @Override
    public @Nullable TensorInfo find(String name) {
      Part part = parts.get(name);
      return part == null ? null : part.info();
    }

    @Override
    public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
      Part part = parts.get(name);
      if (part == null) {
        throw new IllegalArgumentException("no tensor named " + name);
      }
      if (byteOffset < 0 || byteOffset > part.info().byteCount() - target.remaining()) {
        throw new IllegalArgumentException(
            target.remaining() + " bytes from byte " + byteOffset + " are not in " + part.info());
      }
      part.read(byteOffset, target);
    }

    @Override
    public void close() {}
  }
}
