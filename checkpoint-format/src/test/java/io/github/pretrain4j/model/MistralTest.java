package io.github.pretrain4j.model;

import java.util.List;

final class MistralTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("mistral");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.MISTRAL, ConfigTexts.MISTRAL.replace(": 8", ": null"));
  }
}
