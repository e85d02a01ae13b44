package io.github.pretrain4j.model;

import java.util.List;

final class GemmaTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("gemma");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.GEMMA);
  }
}
