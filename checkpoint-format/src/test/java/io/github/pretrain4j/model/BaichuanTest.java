package io.github.pretrain4j.model;

import java.util.List;

final class BaichuanTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("baichuan");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.BAICHUAN, ConfigTexts.BAICHUAN_ALIBI);
  }
}
