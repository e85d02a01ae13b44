package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.function.Function;

/** Content of which each tensor is supplied by another one. */
record ChosenContent(Function<String, TensorContent> choice) implements TensorContent {

  /** The content that supplies a tensor, itself not a choice. */
  static TensorContent resolve(TensorContent content, TensorInfo tensor) {
    TensorContent resolved = content;
    while (resolved instanceof ChosenContent chosen) {
      resolved = chosen.choice.apply(tensor.name());
    }
    return resolved;
  }

  @Override
  public void write(TensorInfo tensor, WritableByteChannel out) throws IOException {
    choice.apply(tensor.name()).write(tensor, out);
  }
}
