package io.github.pretrain4j.model;

/** Small configurations in both spellings. */
final class ConfigTexts {
  static final String LLAMA_5 =
      """
      {"model_type": "llama", "dtype": "float32", "attention_bias": false, "head_dim": 4, "hidden_act": "silu",
       "hidden_size": 12, "intermediate_size": 10, "max_position_embeddings": 64, "mlp_bias": false,
       "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-05,
       "rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
         "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
       "tie_word_embeddings": false, "vocab_size": 11}
      """;
  static final String LLAMA_4 =
      """
      {"model_type": "llama", "torch_dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
       "rms_norm_eps": 1e-06, "rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 10000,
       "tie_word_embeddings": true, "vocab_size": 11, "pad_token_id": null}
      """;
  static final String MISTRAL =
      """
      {"model_type": "mistral", "torch_dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
       "num_key_value_heads": 1, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": 8,
       "tie_word_embeddings": false, "vocab_size": 11}
      """;
  static final String QWEN2 =
      """
      {"model_type": "qwen2", "dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "max_window_layers": 28, "num_attention_heads": 4,
       "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
       "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "sliding_window": null,
       "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 11}
      """;

  private ConfigTexts() {}
}
