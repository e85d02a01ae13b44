package io.github.pretrain4j.model;

import java.util.List;

final class DeepseekV2Test extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("deepseek_v2");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.DEEPSEEK_V2, ConfigTexts.DEEPSEEK_V2_LITE);
  }
}
