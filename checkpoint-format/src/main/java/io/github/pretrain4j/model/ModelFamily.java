package io.github.pretrain4j.model;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One family of models: what its {@code config.json} means and how its weights lie in Megatron's.
 *
 * <p>Found by {@link java.util.ServiceLoader}: a public class with a public empty constructor,
 * named in {@code META-INF/services/io.github.pretrain4j.model.ModelFamily}. Implementations hold
 * no state and are thread-safe. Every one passes {@code ModelFamilyContract}, in this module's test
 * jar.
 */
public interface ModelFamily {

  /**
   * The {@code model_type} in config.json, and what our checkpoints record: {@code [a-z0-9_-]+}.
   */
  String name();

  /**
   * Reads the configuration.
   *
   * @throws java.io.UncheckedIOException from the accessors of {@code source}, or by {@link
   *     HuggingFaceConfig#invalid}, for what this family cannot express; never a guess
   */
  TransformerConfig config(HuggingFaceConfig source);

  /**
   * Reads the configuration of a model of which the tensors are known, in the names of either side:
   * where published configurations say the same of files with and without some layers, the tensors
   * decide.
   */
  default TransformerConfig config(HuggingFaceConfig source, Collection<TensorInfo> tensors) {
    return config(source);
  }

  /** The mapping of all weights of such a model, both ways. */
  WeightMapping weights(TransformerConfig config);

  /**
   * What of such a model Megatron has no way to compute, so that a conversion must not even begin;
   * empty when there is nothing.
   */
  default List<String> problems(TransformerConfig config) {
    return List.of();
  }

  /**
   * The tensors of a Hugging Face model with their values as Megatron needs them, under the names
   * that {@link #weights} maps. The same tensors unless the family keeps some in a form that moving
   * rows does not undo: scaled in blocks, or normalised at use. Closing the view leaves {@code
   * source} open.
   */
  default TensorSource sourceTransform(TransformerConfig config, TensorSource source) {
    return source;
  }

  /**
   * The tensors that {@link #sourceTransform} gives with other values than {@code source} has, and
   * what is done to them: these do not come back bit for bit.
   */
  default Map<String, String> sourceChanges(TransformerConfig config, TensorSource source) {
    return Map.of();
  }

  /** The class name in config.json's {@code architectures}. */
  default String architecture() {
    return Character.toUpperCase(name().charAt(0)) + name().substring(1) + "ForCausalLM";
  }

  /**
   * The fields of a {@code config.json} for {@code config}, in the spelling of transformers 4,
   * which 5 reads too. {@link #config} of it gives {@code config} back.
   */
  default Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    return HuggingFaceFields.of(this, config);
  }
}
