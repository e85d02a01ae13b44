package io.github.pretrain4j.nn;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.tensor.Parameter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Fills a model from tensors under Megatron's names, whole (not sharded), of any floating-point
 * type.
 *
 * <p>Total: a parameter without a tensor, a tensor without a parameter and a shape that differs are
 * all listed in one error, and nothing is loaded. With tied embeddings a copy under {@code
 * output_layer.weight} may be there, and must be the embedding.
 */
public final class WeightLoading {
  private static final int CHUNK = 1 << 18;
  private static final String EMBEDDING = "embedding.word_embeddings.weight";
  private static final String OUTPUT_LAYER = "output_layer.weight";

  private WeightLoading() {}

  /**
   * Overwrites all parameters.
   *
   * @param origin where the tensors come from, for messages
   * @throws WeightMismatchException if names or shapes differ
   */
  public static void load(LanguageModel model, TensorSource source, String origin)
      throws IOException {
    List<String> faults = new ArrayList<>();
    for (Parameter parameter : model.parameters().parameters()) {
      TensorInfo info = source.find(parameter.name());
      if (info == null) {
        faults.add(parameter.name() + ": missing, expected " + parameter.shape());
      } else if (!info.shape().equals(parameter.shape())) {
        faults.add(
            parameter.name() + ": expected shape " + parameter.shape() + ", found " + info.shape());
      } else if (!info.type().isFloatingPoint()) {
        faults.add(parameter.name() + ": expected floating point, found " + info.type());
      }
    }
    for (TensorInfo info : source.tensors()) {
      boolean tiedCopy = info.name().equals(OUTPUT_LAYER) && model.config().tiedEmbeddings();
      if (model.parameters().find(info.name()) == null && !tiedCopy) {
        faults.add(info.name() + ": the model has no such parameter");
      }
    }
    if (faults.isEmpty() && model.config().tiedEmbeddings()) {
      compareTiedCopy(source, faults);
    }
    if (!faults.isEmpty()) {
      throw new WeightMismatchException(origin, faults);
    }
    for (Parameter parameter : model.parameters().parameters()) {
      load(parameter, source);
    }
  }

  private static void compareTiedCopy(TensorSource source, List<String> faults) throws IOException {
    TensorInfo copy = source.find(OUTPUT_LAYER);
    if (copy == null) {
      return;
    }
    TensorInfo embedding = source.get(EMBEDDING);
    if (!copy.shape().equals(embedding.shape()) || copy.type() != embedding.type()) {
      faults.add(
          "%s: tied to %s, expected %s %s, found %s %s"
              .formatted(
                  OUTPUT_LAYER,
                  EMBEDDING,
                  embedding.type(),
                  embedding.shape(),
                  copy.type(),
                  copy.shape()));
      return;
    }
    for (long start = 0; start < copy.byteCount(); start += CHUNK) {
      int length = (int) Math.min(CHUNK, copy.byteCount() - start);
      ByteBuffer expected = ByteBuffer.allocate(length);
      ByteBuffer found = ByteBuffer.allocate(length);
      source.read(EMBEDDING, start, expected);
      source.read(OUTPUT_LAYER, start, found);
      int mismatch = expected.flip().mismatch(found.flip());
      if (mismatch >= 0) {
        faults.add(
            "%s: tied to %s, but its values differ from byte %d on"
                .formatted(OUTPUT_LAYER, EMBEDDING, start + mismatch));
        return;
      }
    }
  }

  private static void load(Parameter parameter, TensorSource source) throws IOException {
    DataType type = source.get(parameter.name()).type();
    long count = parameter.elementCount();
    for (long start = 0; start < count; start += CHUNK) {
      int elements = (int) Math.min(CHUNK, count - start);
      ByteBuffer bytes =
          ByteBuffer.allocate(elements * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      source.read(parameter.name(), start * type.bytes(), bytes);
      bytes.flip();
      ByteBuffer single = bytes;
      if (type != DataType.F32) {
        single = ByteBuffer.allocate(elements * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        NumericConversion.convert(type, bytes, DataType.F32, single);
        single.flip();
      }
      float[] values = new float[elements];
      single.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      parameter.upload(start, values);
    }
  }
}
