package io.github.pretrain4j.nn;

import static io.github.pretrain4j.nn.ArrayTensorSource.floats;
import static io.github.pretrain4j.nn.ArrayTensorSource.integers;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import io.github.pretrain4j.optim.AdamW;
import io.github.pretrain4j.optim.AdamW.AdamWConfig;
import io.github.pretrain4j.tensor.Loss;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.TokenBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Logits, loss, every gradient and twenty AdamW updates against transformers and PyTorch in fp32.
 *
 * <p>Another order of fp32 sums moves logits by up to 6e-6 here, hence 2e-5; gradients are compared
 * relative to the largest element of their tensor, 1e-4; losses to 1e-4 and norms to 1e-3 relative.
 */
final class GoldenModelTest {
  private static final List<String> BACKENDS = List.of("java", "cpu");
  private static final double LOGITS = 2e-5;
  private static final double GRADIENTS = 1e-4;

  @TestFactory
  List<DynamicTest> llama() {
    return tests("llama", SharedFiles.resource("golden/hf/llama"));
  }

  @TestFactory
  List<DynamicTest> others() {
    List<DynamicTest> tests = new ArrayList<>();
    SharedFiles.golden()
        .ifPresent(
            golden -> {
              for (String name :
                  List.of(
                      "llama-tied", "mistral", "qwen2", "llama-rope-linear", "llama-rope-llama3")) {
                tests.addAll(tests(name, golden.resolve("hf").resolve(name)));
              }
            });
    return tests;
  }

  private static List<DynamicTest> tests(String name, Path directory) {
    List<DynamicTest> tests = new ArrayList<>();
    for (String backend : BACKENDS) {
      String on = name + " on " + backend;
      tests.add(DynamicTest.dynamicTest(on + ": logits", () -> checkLogits(backend, directory)));
      tests.add(
          DynamicTest.dynamicTest(
              on + ": loss and gradients", () -> checkGradients(backend, directory)));
      if (Files.exists(directory.resolve("train_fp32.json"))) {
        tests.add(
            DynamicTest.dynamicTest(
                on + ": training curve", () -> checkTraining(backend, directory)));
      }
    }
    return tests;
  }

  private static ComputeDevice device(String backend) {
    return ComputeBackends.find(backend).open(new DeviceConfig(1));
  }

  private static WeightMapping mapping(Path directory) throws IOException {
    HuggingFaceConfig source = HuggingFaceConfig.read(directory.resolve("safetensors"));
    TransformerConfig config = ModelFamilies.installed().config(source);
    return ModelFamilies.find(config.family()).weights(config);
  }

  private static LanguageModel model(Path directory, ComputeDevice device, boolean trainable)
      throws IOException {
    WeightMapping mapping = mapping(directory);
    LanguageModel model =
        LanguageModels.build(mapping.config(), mapping.config().vocabSize(), 64, trainable, device);
    try (ArrayTensorSource checkpoint =
            ArrayTensorSource.ofShards(directory.resolve("safetensors"));
        TensorSource source = mapping.toMegatron(checkpoint)) {
      WeightLoading.load(model, source, directory.toString());
    }
    return model;
  }

  private static void checkLogits(String backend, Path directory) throws IOException {
    try (ComputeDevice device = device(backend);
        SafetensorsReader reference =
            SafetensorsReader.open(directory.resolve("reference.safetensors"));
        LanguageModel model = model(directory, device, false);
        Tape tape = Tape.inference(device)) {
      List<Long> shape = reference.get("input_ids").shape();
      TokenBatch batch =
          TokenBatch.of(
              shape.get(0).intValue(), shape.get(1).intValue(), integers(reference, "input_ids"));
      float[] found = tape.logits(model.forward(tape, batch, null), model.outputWeight()).toArray();
      float[] expected = floats(reference, "logits");
      assertEquals(expected.length, found.length);
      double worst = 0;
      for (int i = 0; i < found.length; i++) {
        worst = Math.max(worst, Math.abs(found[i] - expected[i]));
      }
      assertTrue(worst <= LOGITS, "largest difference " + worst);
    }
  }

  /**
   * Labels as PyTorch's models take them: shifted by one inside, -100 where nothing is predicted.
   */
  @SuppressWarnings("ArrayRecordComponent") // carries numbers, never compared
  private record Target(int[] labels, float[] mask, int count) {
    static Target of(int[] labelsBT, int batch, int length) {
      int[] labels = new int[labelsBT.length];
      float[] mask = new float[labelsBT.length];
      int count = 0;
      for (int b = 0; b < batch; b++) {
        for (int t = 0; t + 1 < length; t++) {
          int label = labelsBT[b * length + t + 1];
          if (label >= 0) {
            labels[b * length + t] = label;
            mask[b * length + t] = 1;
            count++;
          }
        }
      }
      return new Target(labels, mask, count);
    }
  }

  private static void checkGradients(String backend, Path directory) throws IOException {
    WeightMapping mapping = mapping(directory);
    try (ComputeDevice device = device(backend);
        SafetensorsReader reference =
            SafetensorsReader.open(directory.resolve("reference.safetensors"));
        SafetensorsReader gradients =
            SafetensorsReader.open(directory.resolve("gradients.safetensors"));
        LanguageModel model = model(directory, device, true);
        Tape tape = Tape.training(device)) {
      int batch = reference.get("input_ids").shape().get(0).intValue();
      int length = reference.get("input_ids").shape().get(1).intValue();
      Target target = Target.of(integers(reference, "labels"), batch, length);
      TokenBatch tokens = TokenBatch.of(batch, length, integers(reference, "input_ids"));
      Loss loss = model.loss(tape, tokens, target.labels(), target.mask(), 1f / target.count());
      tape.backward();
      assertEquals(floats(reference, "loss")[0], loss.mean(), 1e-5);
      ArrayTensorSource found = new ArrayTensorSource();
      for (Parameter parameter : model.parameters().parameters()) {
        found.put(parameter.name(), parameter.shape(), parameter.gradientToArray());
      }
      try (TensorSource mapped = mapping.toHuggingFace(found)) {
        for (TensorInfo info : gradients.tensors()) {
          compareGradient(info.name(), floats(gradients, info.name()), floats(mapped, info.name()));
        }
      }
    }
  }

  private static void compareGradient(String name, float[] expected, float[] found) {
    assertEquals(expected.length, found.length, name);
    double largest = 0;
    double worst = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      worst = Math.max(worst, Math.abs(found[i] - expected[i]));
    }
    assertTrue(
        worst <= GRADIENTS * largest,
        name + ": difference " + worst + " for a largest element of " + largest);
  }

  private static void checkTraining(String backend, Path directory) throws IOException {
    JsonNode run = new ObjectMapper().readTree(directory.resolve("train_fp32.json").toFile());
    try (ComputeDevice device = device(backend);
        SafetensorsReader data =
            SafetensorsReader.open(directory.resolve("train_data.safetensors"));
        LanguageModel model = model(directory, device, true);
        AdamW optimizer =
            new AdamW(
                new AdamWConfig(
                    run.get("betas").get(0).asDouble(),
                    run.get("betas").get(1).asDouble(),
                    run.get("eps").asDouble(),
                    run.get("grad_clip_norm").asDouble()),
                model.parameters());
        Tape tape = Tape.training(device)) {
      int[] all = integers(data, "tokens");
      int batch = data.get("tokens").shape().get(1).intValue();
      int length = data.get("tokens").shape().get(2).intValue();
      for (JsonNode step : run.get("curve")) {
        int number = step.get("step").asInt();
        int[] tokens = new int[batch * length];
        System.arraycopy(all, (number - 1) * tokens.length, tokens, 0, tokens.length);
        Target target = Target.of(tokens, batch, length);
        model.parameters().zeroGradients();
        Loss loss =
            model.loss(
                tape,
                TokenBatch.of(batch, length, tokens),
                target.labels(),
                target.mask(),
                1f / target.count());
        tape.backward();
        tape.reset();
        double norm = optimizer.gradientNorm();
        optimizer.update(step.get("lr").asDouble(), 0.1, optimizer.clippingFactor(norm));
        assertEquals(step.get("loss").asDouble(), loss.mean(), 1e-4, "loss of step " + number);
        double expectedNorm = step.get("grad_norm_before_clip").asDouble();
        assertEquals(expectedNorm, norm, 1e-3 * expectedNorm, "gradient norm of step " + number);
      }
      compareWeights(directory, model);
    }
  }

  /**
   * After twenty updates of at most 2e-3 each, where one of the references strays by up to 2e-5
   * from the other.
   */
  private static void compareWeights(Path directory, LanguageModel model) throws IOException {
    Path file = directory.resolve("train_weights_step20.safetensors");
    if (!Files.exists(file)) {
      return;
    }
    ArrayTensorSource found = new ArrayTensorSource();
    for (Parameter parameter : model.parameters().parameters()) {
      found.put(parameter.name(), parameter.shape(), parameter.valueToArray());
    }
    double squares = 0;
    long count = 0;
    try (SafetensorsReader expected = SafetensorsReader.open(file);
        TensorSource mapped = mapping(directory).toHuggingFace(found)) {
      for (TensorInfo info : expected.tensors()) {
        float[] theirs = floats(expected, info.name());
        float[] ours = floats(mapped, info.name());
        for (int i = 0; i < theirs.length; i++) {
          squares += Math.pow(theirs[i] - ours[i], 2);
        }
        count += theirs.length;
      }
    }
    double distance = Math.sqrt(squares / count);
    assertTrue(distance < 1e-5, "root mean square distance of the weights " + distance);
  }
}
