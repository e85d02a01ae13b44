package io.github.pretrain4j.model;

import java.util.List;

final class ChatGlmTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("chatglm");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.CHATGLM);
  }
}
