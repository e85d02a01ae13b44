package io.github.pretrain4j.model;

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

  /** The mapping of all weights of such a model, both ways. */
  WeightMapping weights(TransformerConfig config);

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
