package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.OpenOptions;
import picocli.CommandLine.Option;

/** Megatron's flag for datasets with sequence modes. */
final class ModesOption {
  @Option(
      names = "--multimodal",
      description = "The dataset has sequence modes; without this, the size of the .idx tells.")
  boolean multimodal;

  OpenOptions.Modes modes() {
    return multimodal ? OpenOptions.Modes.REQUIRE : OpenOptions.Modes.DETECT;
  }
}
