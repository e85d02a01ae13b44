package io.github.pretrain4j.model;

import java.util.List;

final class MixtralTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("mixtral");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.MIXTRAL);
  }
}
