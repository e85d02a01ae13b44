package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** A dataset of patterned tokens, a config.json and options for training on it in a moment. */
final class TinyTraining {
  static final int VOCABULARY = 64;

  private TinyTraining() {}

  /** Writes {@code data.bin/.idx} and {@code config.json} into a directory. */
  static void prepare(Path directory) throws IOException {
    writeDocuments(directory.resolve("data"), 60, VOCABULARY, 1);
    writeDocuments(directory.resolve("held"), 8, VOCABULARY, 2);
    Files.writeString(directory.resolve("config.json"), configJson("llama"));
  }

  static void writeDocuments(Path prefix, int documents, int vocabulary, long seed)
      throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
      for (int d = 0; d < documents; d++) {
        int[] tokens = new int[20 + random.nextInt(60)];
        int token = random.nextInt(vocabulary - 1);
        for (int i = 0; i + 1 < tokens.length; i++) {
          tokens[i] = token;
          token = (token * 3 + 1 + random.nextInt(2)) % (vocabulary - 1);
        }
        tokens[tokens.length - 1] = vocabulary - 1;
        writer.addSequence(tokens, 0, tokens.length);
        writer.endDocument();
      }
      writer.finish();
    }
  }

  static String configJson(String modelType) {
    return """
        {"model_type": "%s", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 32,
         "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": 64,
         "tie_word_embeddings": false, "torch_dtype": "float32"}
        """
        .formatted(modelType);
  }

  /** Options of a run of 8 iterations that saves every 2 into {@code save}, loading from there. */
  static Map<String, Object> options(Path directory, Path save) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("hf_config", directory.resolve("config.json").toString());
    options.put("data_path", List.of(directory.resolve("data").toString()));
    options.put("data_cache_path", directory.resolve("cache").toString());
    options.put("split", "80,10,10");
    options.put("seq_length", 16);
    options.put("tokenizer_type", "NullTokenizer");
    options.put("vocab_size", VOCABULARY);
    options.put("make_vocab_size_divisible_by", 16);
    options.put("micro_batch_size", 2);
    options.put("global_batch_size", 4);
    options.put("train_iters", 8);
    options.put("lr", 1e-2);
    options.put("min_lr", 1e-3);
    options.put("lr_decay_style", "cosine");
    options.put("lr_warmup_fraction", 0.1);
    options.put("weight_decay", 0.1);
    options.put("eval_interval", 4);
    options.put("eval_iters", 2);
    options.put("log_interval", 2);
    options.put("save", save.toString());
    options.put("load", save.toString());
    options.put("save_interval", 2);
    options.put("backend", "java");
    options.put("threads", 1);
    return options;
  }

  static Path file(Path save, int iteration) {
    return save.resolve("iter_%07d".formatted(iteration))
        .resolve("mp_rank_00")
        .resolve("model_optim_rng.pt");
  }
}
