package io.github.pretrain4j.train;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.ModelArchitecture;
import io.github.pretrain4j.tensor.HeadLayout;
import io.github.pretrain4j.tensor.KvCache;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.ParameterStore;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.Tensor;
import io.github.pretrain4j.tensor.TokenBatch;
import org.jspecify.annotations.Nullable;

/**
 * A family of its own for tests, one class and one line: a model that guesses the next word from
 * the last one alone, through gated layers without attention.
 */
public final class WordPairFamily implements ModelArchitecture {
  @Override
  public String name() {
    return "word-pair";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return TransformerConfig.decoder(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    WeightMapping mapping =
        WeightMapping.empty(config)
            .rename("embedding.word_embeddings.weight", "words.weight")
            .rename("output_layer.weight", "guess.weight");
    for (String part : new String[] {"pre_mlp_layernorm", "mlp.linear_fc1", "mlp.linear_fc2"}) {
      mapping =
          mapping.rename("decoder.layers.*." + part + ".weight", "layers.*." + part + ".weight");
    }
    return mapping;
  }

  @Override
  public LanguageModel build(
      TransformerConfig config, int paddedVocabSize, int maxPositions, ParameterStore store) {
    return new WordPairModel(config, paddedVocabSize, maxPositions, store);
  }

  private static final class WordPairModel implements LanguageModel {
    private final TransformerConfig config;
    private final int maxPositions;
    private final ParameterStore store;
    private final Parameter words;
    private final Parameter guess;

    WordPairModel(
        TransformerConfig config, int paddedVocabSize, int maxPositions, ParameterStore store) {
      this.config = config;
      this.maxPositions = maxPositions;
      this.store = store;
      words = store.add("embedding.word_embeddings.weight", paddedVocabSize, config.hiddenSize());
      for (int i = 0; i < config.numLayers(); i++) {
        store.add(name(i, "pre_mlp_layernorm"), config.hiddenSize());
        store.add(name(i, "mlp.linear_fc1"), 2L * config.ffnHiddenSize(), config.hiddenSize());
        store.add(name(i, "mlp.linear_fc2"), config.hiddenSize(), config.ffnHiddenSize());
      }
      guess = store.add("output_layer.weight", paddedVocabSize, config.hiddenSize());
    }

    private static String name(int layer, String part) {
      return "decoder.layers." + layer + "." + part + ".weight";
    }

    private Parameter parameter(int layer, String part) {
      Parameter parameter = store.find(name(layer, part));
      if (parameter == null) {
        throw new IllegalStateException(part);
      }
      return parameter;
    }

    @Override
    public Tensor forward(Tape tape, TokenBatch batch, @Nullable KvCache cache) {
      Tensor x = tape.embedding(batch, words);
      for (int i = 0; i < config.numLayers(); i++) {
        Tensor normed =
            tape.rmsNorm(x, parameter(i, "pre_mlp_layernorm"), (float) config.normEpsilon());
        Tensor gated = tape.swiglu(tape.linear(normed, parameter(i, "mlp.linear_fc1"), null));
        x = tape.add(x, tape.linear(gated, parameter(i, "mlp.linear_fc2"), null));
      }
      return x;
    }

    @Override
    public TransformerConfig config() {
      return config;
    }

    @Override
    public ParameterStore parameters() {
      return store;
    }

    @Override
    public int maxPositions() {
      return maxPositions;
    }

    @Override
    public Parameter outputWeight() {
      return guess;
    }

    @Override
    public KvCache newCache(int batch, int capacity) {
      return new KvCache(
          store.device(), config.numLayers(), batch, capacity, new HeadLayout(1, 1, 2));
    }

    @Override
    public void close() {
      store.close();
    }
  }
}
