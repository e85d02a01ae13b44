package io.github.pretrain4j.model;

import java.util.List;

final class InternLm2Test extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("internlm2");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.INTERNLM2);
  }
}
