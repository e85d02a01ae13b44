package io.github.pretrain4j.families;

import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.ModelFamilyContract;
import java.util.List;

/** Mistral as another module's programs find it: by its name, from the jars on the class path. */
final class MistralTest extends ModelFamilyContract {
  private static final String OLD_SPELLING =
      """
      {"model_type": "mistral", "torch_dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 24,
       "intermediate_size": 20, "max_position_embeddings": 64, "num_attention_heads": 6, "num_hidden_layers": 2,
       "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 32,
       "tie_word_embeddings": false, "vocab_size": 30}
      """;
  private static final String NEW_SPELLING =
      """
      {"model_type": "mistral", "dtype": "bfloat16", "head_dim": 8, "hidden_act": "silu", "hidden_size": 24,
       "intermediate_size": 20, "max_position_embeddings": 64, "num_attention_heads": 6, "num_hidden_layers": 2,
       "num_key_value_heads": 2, "rms_norm_eps": 1e-05,
       "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "sliding_window": null,
       "tie_word_embeddings": false, "vocab_size": 30}
      """;

  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("mistral");
  }

  @Override
  protected List<String> configurations() {
    return List.of(OLD_SPELLING, NEW_SPELLING);
  }
}
