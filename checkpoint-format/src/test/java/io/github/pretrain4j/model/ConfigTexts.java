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

  static final String QWEN3 =
      """
      {"model_type": "qwen3", "dtype": "bfloat16", "attention_bias": false, "head_dim": 8, "hidden_act": "silu",
       "hidden_size": 12, "intermediate_size": 10, "max_position_embeddings": 64, "max_window_layers": 28,
       "layer_types": ["full_attention", "full_attention"], "num_attention_heads": 4, "num_hidden_layers": 2,
       "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
       "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "sliding_window": null,
       "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 11}
      """;
  static final String MIXTRAL =
      """
      {"model_type": "mixtral", "torch_dtype": "bfloat16", "head_dim": null, "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
       "num_key_value_heads": 2, "num_local_experts": 12, "num_experts_per_tok": 2, "rms_norm_eps": 1e-05,
       "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02, "sliding_window": null, "tie_word_embeddings": false,
       "vocab_size": 11}
      """;
  static final String QWEN2_MOE =
      """
      {"model_type": "qwen2_moe", "dtype": "bfloat16", "decoder_sparse_step": 2, "hidden_act": "silu",
       "hidden_size": 16, "intermediate_size": 20, "max_position_embeddings": 64, "max_window_layers": 28,
       "mlp_only_layers": [3], "moe_intermediate_size": 6, "norm_topk_prob": false, "num_attention_heads": 4,
       "num_experts": 4, "num_experts_per_tok": 2, "num_hidden_layers": 6, "num_key_value_heads": 2,
       "qkv_bias": true, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
       "router_aux_loss_coef": 0.001, "shared_expert_intermediate_size": 14, "sliding_window": 0,
       "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 11}
      """;
  static final String QWEN3_MOE =
      """
      {"model_type": "qwen3_moe", "torch_dtype": "bfloat16", "attention_bias": false, "decoder_sparse_step": 1,
       "head_dim": 4, "hidden_act": "silu", "hidden_size": 12, "intermediate_size": 20,
       "max_position_embeddings": 64, "mlp_only_layers": [], "moe_intermediate_size": 6, "norm_topk_prob": true,
       "num_attention_heads": 4, "num_experts": 8, "num_experts_per_tok": 3, "num_hidden_layers": 2,
       "num_key_value_heads": 1, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001,
       "sliding_window": null, "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 11}
      """;
  static final String GEMMA =
      """
      {"model_type": "gemma", "torch_dtype": "bfloat16", "attention_bias": false, "head_dim": 8,
       "hidden_act": "gelu", "hidden_activation": null, "hidden_size": 12, "intermediate_size": 10,
       "max_position_embeddings": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 1,
       "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "vocab_size": 11}
      """;
  static final String BAICHUAN =
      """
      {"model_type": "baichuan", "torch_dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "model_max_length": 64, "num_attention_heads": 4,
       "num_hidden_layers": 2, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "vocab_size": 11}
      """;
  static final String BAICHUAN_ALIBI = BAICHUAN.replace("\"max_position_embeddings\": 64, ", "");
  static final String CHATGLM =
      """
      {"model_type": "chatglm", "torch_dtype": "float16", "_name_or_path": "THUDM/chatglm3-6b-32k",
       "add_bias_linear": false, "add_qkv_bias": true, "apply_residual_connection_post_layernorm": false,
       "ffn_hidden_size": 10, "hidden_size": 12, "kv_channels": 4, "layernorm_epsilon": 1e-05,
       "multi_query_attention": true, "multi_query_group_num": 2, "num_attention_heads": 4, "num_layers": 2,
       "original_rope": true, "padded_vocab_size": 11, "post_layer_norm": true, "rmsnorm": true, "rope_ratio": 50,
       "seq_length": 64, "tie_word_embeddings": false}
      """;
  static final String GLM =
      """
      {"model_type": "glm", "dtype": "bfloat16", "attention_bias": true, "head_dim": 8, "hidden_act": "silu",
       "hidden_size": 12, "intermediate_size": 10, "max_position_embeddings": 64, "num_attention_heads": 4,
       "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1.5625e-07,
       "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 0.5},
       "tie_word_embeddings": false, "vocab_size": 11}
      """;
  static final String INTERNLM2 =
      """
      {"model_type": "internlm2", "torch_dtype": "bfloat16", "bias": false, "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 10, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
       "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_scaling": {"type": "dynamic", "factor": 2.0},
       "rope_theta": 1000000, "tie_word_embeddings": false, "vocab_size": 11}
      """;
  static final String DEEPSEEK_V2 =
      """
      {"model_type": "deepseek_v2", "torch_dtype": "bfloat16", "attention_bias": false, "aux_loss_alpha": 0.001,
       "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 20,
       "kv_lora_rank": 6, "max_position_embeddings": 64, "moe_intermediate_size": 6, "moe_layer_freq": 1,
       "n_group": 4, "n_routed_experts": 8, "n_shared_experts": 2, "norm_topk_prob": false,
       "num_attention_heads": 4, "num_experts_per_tok": 3, "num_hidden_layers": 3, "num_key_value_heads": 4,
       "q_lora_rank": 10, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2, "rms_norm_eps": 1e-06,
       "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
         "original_max_position_embeddings": 32, "type": "yarn"},
       "rope_theta": 10000, "routed_scaling_factor": 16.0, "scoring_func": "softmax",
       "tie_word_embeddings": false, "topk_group": 3, "topk_method": "group_limited_greedy", "v_head_dim": 4,
       "vocab_size": 11}
      """;
  static final String DEEPSEEK_V2_LITE =
      DEEPSEEK_V2
          .replace("\"q_lora_rank\": 10", "\"q_lora_rank\": null")
          .replace("group_limited_greedy", "greedy")
          .replace("16.0", "1.0");
  static final String DEEPSEEK_V3 =
      """
      {"model_type": "deepseek_v3", "torch_dtype": "bfloat16", "attention_bias": false, "ep_size": 1,
       "first_k_dense_replace": 2, "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 20,
       "kv_lora_rank": 6, "max_position_embeddings": 64, "moe_intermediate_size": 6, "moe_layer_freq": 1,
       "n_group": 4, "n_routed_experts": 12, "n_shared_experts": 1, "norm_topk_prob": true,
       "num_attention_heads": 4, "num_experts_per_tok": 3, "num_hidden_layers": 3, "num_key_value_heads": 4,
       "num_nextn_predict_layers": 1, "q_lora_rank": 10, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2,
       "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
         "mscale_all_dim": 1.0, "original_max_position_embeddings": 32, "type": "yarn"},
       "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
       "tie_word_embeddings": false, "topk_group": 2, "topk_method": "noaux_tc", "v_head_dim": 4, "vocab_size": 11}
      """;
  static final String DEEPSEEK_V3_ALONE =
      DEEPSEEK_V3.replace("\"num_nextn_predict_layers\": 1, ", "");

  private ConfigTexts() {}
}
