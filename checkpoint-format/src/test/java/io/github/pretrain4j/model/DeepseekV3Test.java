package io.github.pretrain4j.model;

import java.util.List;

final class DeepseekV3Test extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("deepseek_v3");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.DEEPSEEK_V3, ConfigTexts.DEEPSEEK_V3_ALONE);
  }
}
