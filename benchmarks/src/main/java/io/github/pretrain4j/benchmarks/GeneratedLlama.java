package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Makes Llamas of random bits in bf16, as Hugging Face would store them. */
final class GeneratedLlama {
  private static final int PIECE_BYTES = 1 << 20;

  private final long hidden;
  private final long ffn;
  private final long heads;
  private final long groups;
  private final long vocabulary;
  private final List<TensorInfo> tensors = new ArrayList<>();
  private final long layers;

  private GeneratedLlama(
      long hidden, long ffn, long heads, long groups, long vocabulary, long layers) {
    this.hidden = hidden;
    this.ffn = ffn;
    this.heads = heads;
    this.groups = groups;
    this.vocabulary = vocabulary;
    this.layers = layers;
    add("model.embed_tokens.weight", vocabulary, hidden);
    long head = hidden / heads;
    for (long layer = 0; layer < layers; layer++) {
      String prefix = "model.layers." + layer + ".";
      add(prefix + "self_attn.q_proj.weight", hidden, hidden);
      add(prefix + "self_attn.k_proj.weight", groups * head, hidden);
      add(prefix + "self_attn.v_proj.weight", groups * head, hidden);
      add(prefix + "self_attn.o_proj.weight", hidden, hidden);
      add(prefix + "mlp.gate_proj.weight", ffn, hidden);
      add(prefix + "mlp.up_proj.weight", ffn, hidden);
      add(prefix + "mlp.down_proj.weight", hidden, ffn);
      add(prefix + "input_layernorm.weight", hidden);
      add(prefix + "post_attention_layernorm.weight", hidden);
    }
    add("model.norm.weight", hidden);
    add("lm_head.weight", vocabulary, hidden);
  }

  private void add(String name, Long... shape) {
    tensors.add(new TensorInfo(name, DataType.BF16, List.of(shape)));
  }

  /** A model of about so many bytes: 4096 wide, or 512 if that is less than a gigabyte. */
  static void write(Path directory, long bytes) throws IOException {
    GeneratedLlama none =
        bytes < 1_000_000_000L
            ? new GeneratedLlama(512, 1376, 8, 8, 2048, 0)
            : new GeneratedLlama(4096, 11_008, 32, 8, 32_000, 0);
    GeneratedLlama one = none.withLayers(1);
    long perLayer = one.byteCount() - none.byteCount();
    none.withLayers(Math.max(1, Math.round((bytes - none.byteCount()) / (double) perLayer)))
        .write(directory);
  }

  private GeneratedLlama withLayers(long count) {
    return new GeneratedLlama(hidden, ffn, heads, groups, vocabulary, count);
  }

  private long byteCount() {
    return tensors.stream().mapToLong(TensorInfo::byteCount).sum();
  }

  private void write(Path directory) throws IOException {
    HuggingFaceWriter.create(
            directory, WeightFormat.SAFETENSORS, new ShardRule.MaxSize(5_000_000_000L))
        .file("config.json", config().getBytes(StandardCharsets.UTF_8))
        .write(
            tensors,
            (tensor, out) -> {
              SplittableRandom random = new SplittableRandom(tensor.name().hashCode());
              ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
              LongBuffer longs = piece.asLongBuffer();
              for (long done = 0; done < tensor.byteCount(); done += piece.limit()) {
                for (int i = 0; i < longs.capacity(); i++) {
                  longs.put(i, random.nextLong());
                }
                piece.clear().limit((int) Math.min(PIECE_BYTES, tensor.byteCount() - done));
                out.write(piece.duplicate());
              }
            });
  }

  private String config() {
    return "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], "
        + "\"torch_dtype\": \"bfloat16\", \"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-05, "
        + "\"rope_theta\": 10000.0, \"max_position_embeddings\": 4096, "
        + "\"tie_word_embeddings\": false, \"attention_bias\": false, \"hidden_size\": "
        + hidden
        + ", \"intermediate_size\": "
        + ffn
        + ", \"num_attention_heads\": "
        + heads
        + ", \"num_key_value_heads\": "
        + groups
        + ", \"num_hidden_layers\": "
        + layers
        + ", \"vocab_size\": "
        + vocabulary
        + "}";
  }
}
