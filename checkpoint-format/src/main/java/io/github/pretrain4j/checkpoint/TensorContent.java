package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Supplies the data of tensors to a writer, one at a time, so that a checkpoint of any size needs
 * the memory of one buffer.
 */
@FunctionalInterface
public interface TensorContent {

  /**
   * Writes exactly {@code tensor.byteCount()} bytes, packed, row-major and little-endian, in as
   * many pieces as it likes. The channel takes every buffer whole.
   */
  void write(TensorInfo tensor, WritableByteChannel out) throws IOException;

  /**
   * Content copied unchanged from {@code source}, which must hold every tensor under the same name
   * with the same type and number of elements. Long tensors may be read in several parts at once.
   */
  static TensorContent copyOf(TensorSource source) {
    return new CopiedContent(source, name -> name);
  }

  /**
   * Content copied unchanged from {@code source}, where the tensor has another name.
   *
   * @param sourceName the name in the source, given the name of the tensor that is asked for
   */
  static TensorContent copyOf(TensorSource source, UnaryOperator<String> sourceName) {
    return new CopiedContent(source, sourceName);
  }

  /**
   * Content that comes from several places.
   *
   * @param choice what supplies a tensor, given its name
   */
  static TensorContent chosen(Function<String, TensorContent> choice) {
    return new ChosenContent(choice);
  }
}
