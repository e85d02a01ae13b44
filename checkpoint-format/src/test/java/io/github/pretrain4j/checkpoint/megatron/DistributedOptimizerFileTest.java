package io.github.pretrain4j.checkpoint.megatron;

import static io.github.pretrain4j.checkpoint.megatron.OptimizerFiles.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Flat buffers. The positions of the parameters were computed by Megatron-LM's own {@code
 * DistributedOptimizer._compute_per_buffer_param_layout}.
 */
final class DistributedOptimizerFileTest {
  private static final PickleObject TYPES =
      PyTuple.of(PyGlobal.of(DataType.BF16), PyGlobal.of(DataType.F32));

  private final Path directory;

  DistributedOptimizerFileTest(@TempDir Path directory) {
    this.directory = directory;
  }

  private final Map<String, byte[]> buffers = new HashMap<>();

  private static OptimizerFiles files(DataType type, long... sizes) {
    List<TensorInfo> infos = new ArrayList<>();
    for (int i = 0; i < sizes.length; i++) {
      infos.add(tensor("p" + i, type, sizes[i]));
    }
    return new OptimizerFiles(
        List.of(OptimizerFiles.chunk(infos.toArray(TensorInfo[]::new))), sizes.length);
  }

  private PickleObject flat(String name, byte[] bytes) {
    buffers.put(name, bytes);
    return TensorReference.contiguous(name, DataType.F32, List.of(bytes.length / 4L));
  }

  /** A buffer of all parameters of a chunk. */
  private PyDict buffer(
      OptimizerFiles files, int chunk, String name, long count, long... positions) {
    Map<OptimizerParameter, Long> starts = new LinkedHashMap<>();
    for (OptimizerParameter parameter : files.parameters()) {
      if (parameter.chunk() == chunk) {
        starts.put(parameter, positions[starts.size()]);
      }
    }
    Map<String, PickleObject> tensors = new LinkedHashMap<>();
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      String key = kind == OptimizerTensor.FP32_PARAM ? "param" : kind.key();
      tensors.put(key, flat(name + "/" + key, files.buffer(kind, starts, count)));
    }
    tensors.put("numel_unpadded", PickleObject.of(count));
    return new PyDict(false, Map.of(TYPES, PyDict.of(tensors)));
  }

  private static PyDict root(PyDict... buffers) {
    Map<PickleObject, PickleObject> root = new LinkedHashMap<>();
    root.put(PickleObject.of("buckets_coalesced"), PickleObject.of(true));
    for (int i = 0; i < buffers.length; i++) {
      root.put(PickleObject.of(i), buffers[i]);
    }
    return new PyDict(false, root);
  }

  private void check(OptimizerFiles files, PickleObject root) throws IOException {
    Path model = directory.resolve("model_optim_rng.pt");
    Path distributed = directory.resolve("distrib_optim.pt");
    OptimizerSettings settings =
        new OptimizerSettings(3, false, List.of(OptimizerFiles.group(1, false, false, 0.1)), null);
    PyDict group =
        OptimizerFiles.with(settings.groups().get(0), PickleObject.of("step"), PickleObject.of(3L));
    PyDict inner = PyDict.of(Map.of("param_groups", OptimizerFiles.list(List.of(group))));
    files.write(model, PyDict.of(Map.of("optimizer", inner)), List.of());
    OptimizerFiles.writeDistributed(distributed, root, buffers);
    try (TorchFileReader reader = TorchFileReader.open(model);
        TorchFileReader beside = TorchFileReader.open(distributed)) {
      PyDict top = (PyDict) reader.root();
      List<PyDict> models = new ArrayList<>();
      for (int c = 0; c < files.chunks.size(); c++) {
        models.add(
            (PyDict)
                Objects.requireNonNull(top.get(files.chunks.size() == 1 ? "model" : "model" + c)));
      }
      OptimizerShard shard =
          Objects.requireNonNull(OptimizerShard.read(model, reader, models, beside));
      assertTrue(shard.inDistributedFile());
      assertEquals(settings, shard.settings());
      for (OptimizerParameter parameter : files.parameters()) {
        for (OptimizerTensor kind : OptimizerTensor.values()) {
          PickleObject found =
              shard.tensors().containsKey(kind)
                  ? Objects.requireNonNull(shard.tensors().get(kind))
                      .get(parameter.chunk())
                      .get(parameter.key())
                  : null;
          if (kind == OptimizerTensor.FP32_PARAM && !parameter.isHalf()) {
            assertNull(found);
          } else {
            assertArrayEquals(
                files.bytes(kind, parameter),
                OptimizerFiles.read(beside, (TensorReference) Objects.requireNonNull(found)),
                kind + " " + parameter.key());
          }
        }
      }
    }
  }

  private String refusal(OptimizerFiles files, PickleObject root) {
    return String.valueOf(
        assertThrows(CorruptCheckpointException.class, () -> check(files, root)).getMessage());
  }

  @Test
  void readsParametersInReverseOrderWithoutPadding() throws IOException {
    OptimizerFiles files = files(DataType.BF16, 128, 64, 64, 192);
    check(files, root(buffer(files, 0, "0", 448, 320, 256, 192, 0)));
  }

  @Test
  void readsParametersThatStartAtMultiplesOf64() throws IOException {
    OptimizerFiles files = files(DataType.BF16, 70, 5, 33, 64, 9);
    check(files, root(buffer(files, 0, "0", 326, 256, 192, 128, 64, 0)));
  }

  @Test
  void readsBucketsOfALimitedSize() throws IOException {
    OptimizerFiles files = files(DataType.BF16, 70, 5, 33, 64, 9);
    files.arguments.put("ddp_bucket_size", PickleObject.of(5L));
    // after every parameter a new bucket, whose padding at the end is not in the file
    check(files, root(buffer(files, 0, "0", 181, 111, 106, 73, 9, 0)));
  }

  @Test
  void readsASharedEmbeddingInABucketOfItsOwn() throws IOException {
    OptimizerFiles files =
        new OptimizerFiles(
            List.of(
                OptimizerFiles.chunk(
                    tensor("a", DataType.BF16, 9),
                    tensor("b", DataType.BF16, 5),
                    tensor("c", DataType.BF16, 33),
                    tensor("d", DataType.BF16, 64),
                    tensor("output_layer.weight", DataType.BF16, 7, 10))),
            5);
    files.arguments.put("pipeline_model_parallel_size", PickleObject.of(2L));
    files.arguments.put("data_parallel_size", PickleObject.of(3L));
    check(files, root(buffer(files, 0, "0", 271, 262, 198, 134, 70, 0)));
  }

  @Test
  void readsABufferForEveryChunkAndType() throws IOException {
    OptimizerFiles files =
        new OptimizerFiles(
            List.of(
                OptimizerFiles.chunk(tensor("a", DataType.BF16, 64), tensor("b", DataType.BF16, 9)),
                OptimizerFiles.chunk(
                    tensor("a", DataType.BF16, 30), tensor("b", DataType.BF16, 64))),
            6);
    check(files, root(buffer(files, 0, "0", 128, 64, 0), buffer(files, 1, "1", 94, 64, 0)));
  }

  @Test
  void readsAModelOfFp32() throws IOException {
    OptimizerFiles files = files(DataType.F32, 64, 128);
    Map<PickleObject, PickleObject> single = new LinkedHashMap<>();
    buffer(files, 0, "0", 192, 128, 0)
        .entries()
        .forEach((types, tensors) -> single.put(PyGlobal.of(DataType.F32), tensors));
    check(files, root(new PyDict(false, single)));
  }

  /** One tensor per bucket, with padding behind: before buckets were put together. */
  @Test
  void readsBucketsApart() throws IOException {
    OptimizerFiles files = files(DataType.BF16, 70, 5, 33, 64, 9);
    List<OptimizerParameter> parameters = files.parameters();
    Map<String, PickleObject> tensors = new LinkedHashMap<>();
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      String key = kind == OptimizerTensor.FP32_PARAM ? "param" : kind.key();
      tensors.put(
          key,
          OptimizerFiles.list(
              List.of(
                  flat(
                      key + "0",
                      files.buffer(
                          kind, Map.of(parameters.get(4), 0L, parameters.get(3), 9L), 128)),
                  flat(
                      key + "1",
                      files.buffer(
                          kind,
                          Map.of(
                              parameters.get(2),
                              0L,
                              parameters.get(1),
                              33L,
                              parameters.get(0),
                              38L),
                          256)))));
    }
    PyDict buffer = new PyDict(false, Map.of(TYPES, PyDict.of(tensors)));
    check(files, withBucketSizes(root(buffer), 73, 108));
    assertTrue(
        refusal(files, withBucketSizes(root(buffer), 9, 172)).contains("element 0 of p3 is"));
    assertTrue(refusal(files, withBucketSizes(root(buffer), 10, 128)).contains("whole parameters"));
    assertTrue(refusal(files, root(buffer)).contains("order is not known"));
  }

  private static PyDict withBucketSizes(PyDict root, long... sizes) {
    PickleObject numbers =
        OptimizerFiles.list(Arrays.stream(sizes).mapToObj(PickleObject::of).toList());
    return OptimizerFiles.with(
        root,
        PickleObject.of("per_bucket_numel_unpadded"),
        OptimizerFiles.list(List.of(new PyDict(false, Map.of(TYPES, numbers)))));
  }

  @Test
  void refusesAnotherOrder() {
    OptimizerFiles files = files(DataType.BF16, 64, 64);
    String refusal = refusal(files, root(buffer(files, 0, "0", 128, 0, 64)));
    assertTrue(refusal.contains("order of parameters in buffer 0"), refusal);
    assertTrue(refusal.contains("element 0 of p1 is"), refusal);
  }

  @Test
  void refusesALengthThatNoPlanGives() {
    OptimizerFiles files = files(DataType.BF16, 70, 5);
    String refusal = refusal(files, root(buffer(files, 0, "0", 200, 64, 0)));
    assertTrue(refusal.contains("found 134 elements for 2 parameters"), refusal);
  }

  @Test
  void refusesBuffersThatAreMissingOrOfAnotherType() {
    OptimizerFiles files = files(DataType.BF16, 64);
    assertTrue(refusal(files, root()).contains("expected 1 buffers, found 0"));
    OptimizerFiles half = files(DataType.F16, 64);
    assertTrue(refusal(half, root(buffer(half, 0, "0", 64, 0))).contains("type of buffer 0"));
    PyDict buffer = buffer(files, 0, "0", 64, 0);
    PyDict tensors = (PyDict) buffer.entries().values().iterator().next();
    PyDict without = OptimizerFiles.with(tensors, PickleObject.of("exp_avg"), null);
    assertTrue(
        refusal(files, root(new PyDict(false, Map.of(TYPES, without))))
            .contains("exp_avg of buffer 0"));
  }
}
