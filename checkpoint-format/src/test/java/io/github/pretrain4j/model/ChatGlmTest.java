package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ChatGlmTest extends ModelFamilyContract {
  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("chatglm");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.CHATGLM);
  }

  private TransformerConfig config(String json) throws IOException {
    return family().config(HuggingFaceConfig.parse(json, Path.of("config.json")));
  }

  @Test
  void dealsTheFusedRowsOutToTheirGroups() throws IOException {
    // Four query heads and two groups of width 4: queries in rows 0..15, keys in 16..23, values
    // in 24..31. A group has two query heads, a key head and a value head.
    String fused = "decoder.layers.0.self_attention.linear_qkv.";
    for (String part : List.of("weight", "bias")) {
      assertEquals(
          List.of(
              new WeightMapping.Slice(0, 8, fused + part, 0),
              new WeightMapping.Slice(8, 8, fused + part, 16),
              new WeightMapping.Slice(16, 4, fused + part, 8),
              new WeightMapping.Slice(20, 4, fused + part, 24),
              new WeightMapping.Slice(24, 4, fused + part, 12),
              new WeightMapping.Slice(28, 4, fused + part, 28)),
          family()
              .weights(config(ConfigTexts.CHATGLM))
              .slices("transformer.encoder.layers.0.self_attention.query_key_value." + part));
    }
  }

  @Test
  void multipliesTheBaseByTheRatioExceptInChatGlm2() throws IOException {
    assertEquals(500_000, config(ConfigTexts.CHATGLM).rotaryBase());
    UncheckedIOException e =
        assertThrows(
            UncheckedIOException.class,
            () -> config(ConfigTexts.CHATGLM.replace("chatglm3-6b-32k", "chatglm2-6b-32k")));
    assertTrue(String.valueOf(e.getMessage()).contains("rope_ratio"), e::toString);
  }
}
