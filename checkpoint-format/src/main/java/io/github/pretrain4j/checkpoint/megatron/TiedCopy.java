package io.github.pretrain4j.checkpoint.megatron;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * With tied embeddings the last of several pipeline stages has a copy of the embedding as its
 * output layer, which is no tensor of the model.
 */
final class TiedCopy {
  private TiedCopy() {}

  /**
   * Removes the output layer if {@code arguments} say that it is the embedding and it looks like
   * it.
   *
   * @return what should be equal then
   */
  static List<MergedTensor.Replica> setAside(
      Map<String, MergedTensor> tensors, Map<String, @Nullable Object> arguments) {
    MergedTensor embedding = tensors.get(ParameterNames.EMBEDDING);
    MergedTensor output = tensors.get(ParameterNames.OUTPUT);
    if (!Boolean.FALSE.equals(arguments.get("untie_embeddings_and_output_weights"))
        || embedding == null
        || output == null
        || !output.info().shape().equals(embedding.info().shape())
        || output.info().type() != embedding.info().type()) {
      return List.of();
    }
    tensors.remove(ParameterNames.OUTPUT);
    List<MergedTensor.Replica> copies = new ArrayList<>(output.replicas());
    copies.add(
        new MergedTensor.Replica(
            ParameterNames.OUTPUT,
            embedding.info().byteCount(),
            "the first stage (" + ParameterNames.EMBEDDING + ")",
            embedding::read,
            "the last stage",
            output::read));
    return copies;
  }
}
