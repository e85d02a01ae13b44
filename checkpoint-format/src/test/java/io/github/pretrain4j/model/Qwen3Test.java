package io.github.pretrain4j.model;

import java.util.List;

final class Qwen3Test extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("qwen3");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.QWEN3);
  }
}
