package io.github.pretrain4j.checkpoint.huggingface;

import java.util.Locale;

/** The two file formats of weights in a Hugging Face directory. */
public enum WeightFormat {
  SAFETENSORS("model", ".safetensors"),
  TORCH("pytorch_model", ".bin");

  private final String stem;
  private final String extension;

  WeightFormat(String stem, String extension) {
    this.stem = stem;
    this.extension = extension;
  }

  String stem() {
    return stem;
  }

  String extension() {
    return extension;
  }

  String singleFile() {
    return stem + extension;
  }

  String indexFile() {
    return stem + extension + ".index.json";
  }

  String shardFile(int shard, int shardCount) {
    return String.format(Locale.ROOT, "%s-%05d-of-%05d%s", stem, shard, shardCount, extension);
  }

  /** True for the names this format gives to weights and their index, with any number of digits. */
  boolean owns(String fileName) {
    return fileName.equals(singleFile())
        || fileName.equals(indexFile())
        || (fileName.startsWith(stem + "-")
            && fileName.endsWith(extension)
            && fileName.contains("-of-"));
  }
}
