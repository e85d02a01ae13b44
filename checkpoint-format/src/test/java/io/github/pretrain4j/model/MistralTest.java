package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MistralTest extends ModelFamilyContract {
  private static final String WITHOUT_WINDOW = ConfigTexts.MISTRAL.replace(": 8", ": null");
  private static final String NOT_MENTIONED =
      ConfigTexts.MISTRAL.replace("\"sliding_window\": 8,", "");

  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("mistral");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.MISTRAL, WITHOUT_WINDOW, NOT_MENTIONED);
  }

  @Test
  void attendsToAWindowUnlessTheConfigurationSaysNull() throws IOException {
    assertEquals(8, window(ConfigTexts.MISTRAL));
    assertEquals(0, window(WITHOUT_WINDOW));
    assertEquals(4096, window(NOT_MENTIONED));
  }

  private int window(String json) throws IOException {
    return family().config(HuggingFaceConfig.parse(json, Path.of("config.json"))).slidingWindow();
  }
}
