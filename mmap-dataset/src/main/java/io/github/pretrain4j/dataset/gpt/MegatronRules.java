package io.github.pretrain4j.dataset.gpt;

/** Which releases of Megatron Core a blend's sizes and the names of cache files follow. */
public enum MegatronRules {
  /**
   * Core 0.13 and newer: {@code HASH-GPTDataset-SPLIT-document_index.npy}; a blend has the samples
   * asked for, the datasets in it some in reserve.
   */
  CURRENT,
  /**
   * Core 0.5 and 0.6: {@code HASH-GPTDataset-document_index.npy}; a blend has the reserve as well,
   * and its description no split.
   */
  CORE_0_6;

  /** How a split appears in the names of cache files: its name and a hyphen, or not at all. */
  String splitInNames(String split) {
    return switch (this) {
      case CURRENT -> split + "-";
      case CORE_0_6 -> "";
    };
  }
}
