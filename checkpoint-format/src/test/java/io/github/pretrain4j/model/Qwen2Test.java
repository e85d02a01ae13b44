package io.github.pretrain4j.model;

import java.util.List;

final class Qwen2Test extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("qwen2");
  }

  @Override
  protected List<String> configurations() {
    return List.of(
        ConfigTexts.QWEN2,
        ConfigTexts.QWEN2
            .replace("_window\": false", "_window\": true")
            .replace(": 28", ": 0")
            .replace("sliding_window\": null", "sliding_window\": 8"));
  }
}
