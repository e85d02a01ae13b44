package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A tensor in a rank's file that is not the model's, and where its data comes from.
 *
 * @param tensor its name is the storage key
 * @param kind which tensor of the optimizer; null if {@code content} is all there is
 * @param chunk index of the model chunk of the parameter
 * @param parameter the key of the parameter in the chunk's dictionary, dots between levels; empty
 *     if there is none
 * @param content packed little-endian data, if it does not come from a parameter
 */
record StateSlot(
    TensorInfo tensor,
    @Nullable OptimizerTensor kind,
    int chunk,
    String parameter,
    @Nullable PyBytes content) {

  /** One number of type fp32. */
  static StateSlot of(TensorInfo tensor, float value) {
    byte[] bytes = new byte[Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(value);
    return of(tensor, PyBytes.of(bytes));
  }

  static StateSlot of(TensorInfo tensor, PyBytes content) {
    return new StateSlot(tensor, null, 0, "", content);
  }
}
