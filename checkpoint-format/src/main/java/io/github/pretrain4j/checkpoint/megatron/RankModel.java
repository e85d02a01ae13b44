package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of one rank's model and where they lie, for the optimizer's readers.
 *
 * @param chunks number of model chunks
 * @param parameters in the order in which the optimizer meets them
 * @param references the parameters in the file, in the same order
 * @param arguments the attributes of {@code args}
 */
record RankModel(
    int chunks,
    List<OptimizerParameter> parameters,
    List<TensorReference> references,
    Map<String, PickleObject> arguments) {
  /** How many elements are compared at the start, in the middle and at the end of a parameter. */
  private static final int SAMPLE = 64;

  static RankModel of(List<PyDict> chunks, Map<String, PickleObject> arguments) {
    List<Map<String, TensorReference>> references = new ArrayList<>();
    List<Map<String, TensorInfo>> infos = new ArrayList<>();
    for (PyDict chunk : chunks) {
      Map<String, TensorReference> leaves = new LinkedHashMap<>();
      flatten("", chunk, leaves);
      Map<String, TensorInfo> shapes = new LinkedHashMap<>();
      leaves.forEach((key, tensor) -> shapes.put(key, tensor.info(key)));
      references.add(leaves);
      infos.add(shapes);
    }
    List<OptimizerParameter> parameters = OptimizerParameter.of(infos);
    List<TensorReference> inOrder = new ArrayList<>();
    for (OptimizerParameter parameter : parameters) {
      TensorReference tensor = references.get(parameter.chunk()).get(parameter.key());
      if (tensor != null) {
        inOrder.add(tensor);
      }
    }
    return new RankModel(chunks.size(), parameters, inOrder, arguments);
  }

  private static void flatten(String prefix, PyDict dict, Map<String, TensorReference> leaves) {
    dict.stringEntries()
        .forEach(
            (key, value) -> {
              if (value instanceof PyDict nested) {
                flatten(prefix + key + ".", nested, leaves);
              } else if (value instanceof TensorReference tensor) {
                leaves.put(prefix + key, tensor);
              }
            });
  }

  boolean isTrue(String argument) {
    return OptimizerGroup.isTrue(arguments.get(argument));
  }

  /** A whole number among the arguments, or {@code otherwise}. */
  long number(String argument, long otherwise) {
    return arguments.get(argument) instanceof PickleObject.PyInt value
            && value.value().bitLength() < Integer.SIZE
        ? value.longValueExact()
        : otherwise;
  }

  /**
   * Compares some elements of an fp32 copy with the parameter: rounded to the parameter's type they
   * are the parameter, since that is how every update ends. What differs belongs to another one.
   *
   * @return a description of the first difference, or null
   */
  @Nullable String difference(
      int index, TorchFileReader reader, TensorReference copy, TorchFileReader copyReader)
      throws IOException {
    OptimizerParameter parameter = parameters.get(index);
    TensorReference own = references.get(index);
    long count = own.elementCount();
    long[] starts = {0, Math.max(0, count / 2 - SAMPLE / 2), Math.max(0, count - SAMPLE)};
    for (long start : starts) {
      int n = (int) Math.min(SAMPLE, count - start);
      ByteBuffer expected = read(reader, own, start, n);
      ByteBuffer rounded = ByteBuffer.allocate(n * own.type().bytes());
      NumericConversion.convert(
          DataType.F32, read(copyReader, copy, start, n), own.type(), rounded);
      ByteBuffer widened = ByteBuffer.allocate(n * Float.BYTES);
      NumericConversion.convert(own.type(), rounded.flip(), DataType.F32, widened);
      ByteBuffer expectedWide = ByteBuffer.allocate(n * Float.BYTES);
      NumericConversion.convert(own.type(), expected, DataType.F32, expectedWide);
      for (int i = 0; i < n; i++) {
        float found = widened.order(ByteOrder.LITTLE_ENDIAN).getFloat(i * Float.BYTES);
        float wanted = expectedWide.order(ByteOrder.LITTLE_ENDIAN).getFloat(i * Float.BYTES);
        if (found != wanted && !(Float.isNaN(found) && Float.isNaN(wanted))) {
          return "element %d of %s is %s in the model, %s in the optimizer"
              .formatted(start + i, parameter.key(), wanted, found);
        }
      }
    }
    return null;
  }

  private static ByteBuffer read(
      TorchFileReader reader, TensorReference tensor, long element, int count) throws IOException {
    int width = tensor.type().bytes();
    ByteBuffer buffer = ByteBuffer.allocate(count * width);
    reader.read(tensor, element * width, buffer);
    return buffer.flip();
  }
}
