package io.github.pretrain4j.dataset.gpt;

import java.io.IOException;
import java.nio.file.Path;

/** A process that builds the cache of a dataset: {@code PREFIX CACHE}. */
final class BuildCacheMain {
  private BuildCacheMain() {}

  public static void main(String[] args) throws IOException {
    build(Path.of(args[0]), Path.of(args[1]));
  }

  static void build(Path prefix, Path cache) throws IOException {
    GptDatasetConfig config =
        GptDatasetConfig.of(1234, 8, "1").withCache(cache, TokenizerDescription.NONE);
    GptDataset.build(prefix, config, 400_000, 0, 0).close();
  }
}
