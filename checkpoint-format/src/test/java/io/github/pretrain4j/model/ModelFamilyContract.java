package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * What every {@link ModelFamily} keeps. Extend it in the family's own module, where its service
 * line is.
 */
public abstract class ModelFamilyContract {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path FILE = Path.of("config.json");

  /** The family under test. */
  protected abstract ModelFamily family();

  /** Texts of config.json, small models, both spellings; one at least. */
  protected abstract List<String> configurations();

  private List<TransformerConfig> configs() throws IOException {
    List<TransformerConfig> configs = new ArrayList<>();
    for (String json : configurations()) {
      configs.add(family().config(HuggingFaceConfig.parse(json, FILE)));
    }
    assertFalse(configs.isEmpty());
    return configs;
  }

  @Test
  void isFoundUnderItsName() throws Exception {
    Class<?> type = family().getClass();
    assertEquals(type, ModelFamilies.find(family().name()).getClass());
    assertTrue(Modifier.isPublic(type.getModifiers()));
    assertNotNull(type.getConstructor());
    for (String json : configurations()) {
      HuggingFaceConfig source = HuggingFaceConfig.parse(json, FILE);
      assertEquals(type, ModelFamilies.installed().familyOf(source).getClass());
    }
  }

  @Test
  void recordsItsNameInTheConfiguration() throws IOException {
    for (TransformerConfig config : configs()) {
      assertEquals(family().name(), config.family());
    }
  }

  @Test
  void readsTheConfigurationItWrites() throws IOException {
    for (TransformerConfig config : configs()) {
      String json = JSON.writeValueAsString(family().huggingFaceFields(config));
      assertEquals(config, family().config(HuggingFaceConfig.parse(json, FILE)));
    }
  }

  @Test
  void comesBackFromMegatronArguments() throws IOException {
    for (TransformerConfig config : configs()) {
      assertEquals(config, MegatronArguments.config(FILE, MegatronArguments.of(config), null));
    }
  }

  @Test
  void namesTheFieldThatIsMissingOrWrong() throws IOException {
    for (String json : configurations()) {
      ObjectNode root = (ObjectNode) JSON.readTree(json);
      List<String> fields = new ArrayList<>();
      root.fieldNames().forEachRemaining(fields::add);
      for (String field : fields) {
        ObjectNode without = root.deepCopy();
        without.remove(field);
        requireReadOrNamed(without);
        ObjectNode wrong = root.deepCopy();
        wrong.put(field, "no such value");
        requireReadOrNamed(wrong);
      }
    }
  }

  private void requireReadOrNamed(ObjectNode root) throws IOException {
    HuggingFaceConfig source = HuggingFaceConfig.parse(root.toString(), FILE);
    try {
      assertNotNull(family().config(source));
    } catch (UncheckedIOException e) {
      assertInstanceOf(InvalidConfigException.class, e.getCause());
    }
  }

  @Test
  void mapsWeightsBothWaysBitForBit() throws IOException {
    for (TransformerConfig config : configs()) {
      WeightMapping mapping = family().weights(config);
      MemoryTensors source =
          MemoryTensors.random(mapping.huggingFaceTensors(DataType.BF16), config.vocabSize());
      MemoryTensors megatron = MemoryTensors.copyOf(mapping.toMegatron(source));
      assertEquals(mapping.megatronTensors(DataType.BF16), megatron.tensors());
      assertEquals(byteCount(source), byteCount(megatron));
      assertEquals(config.parameterCount() * DataType.BF16.bytes(), byteCount(megatron));
      MemoryTensors back = MemoryTensors.copyOf(mapping.toHuggingFace(megatron));
      assertEquals(source.tensors(), back.tensors());
      for (TensorInfo info : source.tensors()) {
        assertArrayEquals(source.bytes(info.name()), back.bytes(info.name()), info.name());
      }
    }
  }

  @Test
  void readsAnyByteRange() throws IOException {
    for (TransformerConfig config : configs()) {
      WeightMapping mapping = family().weights(config);
      MemoryTensors source = MemoryTensors.random(mapping.huggingFaceTensors(DataType.F32), 7);
      TensorSource view = mapping.toMegatron(source);
      MemoryTensors whole = MemoryTensors.copyOf(view);
      Random random = new Random(8);
      for (TensorInfo info : view.tensors()) {
        int size = (int) info.byteCount();
        int from = random.nextInt(size);
        int length = random.nextInt(size - from + 1);
        ByteBuffer part = ByteBuffer.allocate(length);
        view.read(info.name(), from, part);
        assertEquals(0, part.remaining());
        assertArrayEquals(
            Arrays.copyOfRange(whole.bytes(info.name()), from, from + length), part.array());
        assertThrows(
            IllegalArgumentException.class,
            () -> view.read(info.name(), size, ByteBuffer.allocate(1)));
      }
    }
  }

  @Test
  void listsEveryTensorThatIsMissingOrMisshapenOrUnknown() throws IOException {
    for (TransformerConfig config : configs()) {
      WeightMapping mapping = family().weights(config);
      List<TensorInfo> complete = mapping.huggingFaceTensors(DataType.F32);
      assertEquals(List.of(), mapping.huggingFaceProblems(complete));
      assertEquals(complete.size(), mapping.huggingFaceProblems(List.of()).size());
      List<TensorInfo> wrong = new ArrayList<>(complete);
      TensorInfo first = wrong.remove(0);
      TensorInfo second = wrong.remove(0);
      wrong.add(new TensorInfo(second.name(), second.type(), List.of(1L)));
      wrong.add(new TensorInfo("model.unknown.weight", DataType.F32, List.of(1L)));
      List<String> problems = mapping.huggingFaceProblems(wrong);
      assertEquals(3, problems.size(), problems::toString);
      assertTrue(problems.get(0).contains(first.name()), problems::toString);
      assertTrue(problems.get(1).contains(second.name()), problems::toString);
      assertTrue(problems.get(2).contains("model.unknown.weight"), problems::toString);
      List<TensorInfo> megatron = mapping.megatronTensors(DataType.F32);
      assertEquals(List.of(), mapping.megatronProblems(megatron));
      assertEquals(megatron.size(), mapping.megatronProblems(List.of()).size());
    }
  }

  private static long byteCount(TensorSource source) {
    return source.tensors().stream().mapToLong(TensorInfo::byteCount).sum();
  }
}
