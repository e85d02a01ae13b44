package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A parameter of one rank's model as its optimizer sees it.
 *
 * @param chunk index of the model chunk
 * @param key in the chunk's dictionary, dots between levels
 * @param info the rank's part; its name is {@code key}
 */
record OptimizerParameter(int chunk, String key, TensorInfo info) {
  /** Entries of a model's dictionary that no optimizer updates. */
  private static final Pattern BUFFER =
      Pattern.compile(
          "(.*\\.)?(_extra_state\\d*|expert_bias|local_tokens_per_expert|inv_freq|max_logits_qk)");

  private static final Pattern EXPERT = Pattern.compile(".*\\.(experts|local_experts)\\..+");
  private static final Pattern EMBEDDING_OR_OUTPUT =
      Pattern.compile(
          "(.*\\.)?(word_embeddings|word_embeddings_for_head|output_layer)\\.(weight|bias)");
  private static final Pattern QUERY_OR_KEY_NORM = Pattern.compile(".*\\.[qk]_layernorm\\..+");

  /**
   * The parameters of a rank in the order in which Megatron's optimizer meets them: that of the
   * dictionaries.
   */
  static List<OptimizerParameter> of(List<Map<String, TensorInfo>> chunks) {
    List<OptimizerParameter> parameters = new ArrayList<>();
    for (int chunk = 0; chunk < chunks.size(); chunk++) {
      for (Map.Entry<String, TensorInfo> entry : chunks.get(chunk).entrySet()) {
        if (isParameter(entry.getKey())) {
          parameters.add(
              new OptimizerParameter(
                  chunk, entry.getKey(), entry.getValue().withName(entry.getKey())));
        }
      }
    }
    return parameters;
  }

  /** Whether an entry of a model's dictionary is a parameter, if it is a tensor. */
  static boolean isParameter(String key) {
    return !BUFFER.matcher(key).matches();
  }

  /** Whether it is one of the experts' (shared experts are not). */
  boolean isExpert() {
    return isExpert(key);
  }

  static boolean isExpert(String key) {
    return EXPERT.matcher(key).matches();
  }

  /** Whether it may have a learning rate of its own. */
  boolean isEmbeddingOrOutput() {
    return EMBEDDING_OR_OUTPUT.matcher(key).matches();
  }

  boolean isQueryOrKeyNorm() {
    return QUERY_OR_KEY_NORM.matcher(key).matches();
  }

  /** Vectors and biases do not decay. */
  boolean isVectorOrBias() {
    return info.shape().size() == 1 || key.endsWith(".bias");
  }

  /** Whether the optimizer keeps an fp32 copy beside it. */
  boolean isHalf() {
    return info.type().bytes() == 2;
  }
}
