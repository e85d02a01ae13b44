package io.github.pretrain4j.model;

import java.util.List;

final class GlmTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("glm");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.GLM);
  }
}
