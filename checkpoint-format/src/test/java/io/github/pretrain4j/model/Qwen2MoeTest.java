package io.github.pretrain4j.model;

import java.util.List;

final class Qwen2MoeTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("qwen2_moe");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.QWEN2_MOE);
  }
}
