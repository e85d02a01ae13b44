package io.github.pretrain4j.model;

import java.util.List;

final class LlamaTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("llama");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.LLAMA_5, ConfigTexts.LLAMA_4);
  }
}
