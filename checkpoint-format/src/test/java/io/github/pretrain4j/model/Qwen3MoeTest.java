package io.github.pretrain4j.model;

import java.util.List;

final class Qwen3MoeTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("qwen3_moe");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.QWEN3_MOE);
  }
}
