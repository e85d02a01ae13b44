package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** safetensors files of the reference implementation, our own, and broken ones. */
class SafetensorsTest {
  private final Path temporary;

  SafetensorsTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  @TestFactory
  List<DynamicTest> rewritesReferenceFilesByteForByte() throws IOException {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> listed = Files.list(SharedFiles.torchResources())) {
      listed.filter(file -> file.toString().endsWith(".safetensors")).sorted().forEach(files::add);
    }
    return files.stream().map(this::rewriteTest).toList();
  }

  @TestFactory
  @Tag("shared")
  List<DynamicTest> rewritesSharedFilesByteForByte() throws IOException {
    return SharedFiles.golden("hf", ".safetensors").stream().map(this::rewriteTest).toList();
  }

  private DynamicTest rewriteTest(Path file) {
    return DynamicTest.dynamicTest(file.toString(), () -> rewrite(file));
  }

  private void rewrite(Path file) throws IOException {
    Path copy = temporary.resolve("copy.safetensors");
    try (SafetensorsReader reader = SafetensorsReader.open(file)) {
      SafetensorsWriter.write(
          copy, reader.tensors(), reader.metadata(), TensorContent.copyOf(reader));
    }
    assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(copy));
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("io.github.pretrain4j.checkpoint.Seeds#seeds")
  void readsBackWhatItWrote(long seed) throws IOException {
    Random random = new Random(seed);
    Map<TensorInfo, byte[]> tensors = new LinkedHashMap<>();
    for (int i = random.nextInt(10); i > 0; i--) {
      List<Long> shape = new ArrayList<>();
      for (int rank = random.nextInt(4); rank > 0; rank--) {
        shape.add((long) random.nextInt(6));
      }
      List<DataType> types = EnumSet.complementOf(EnumSet.of(DataType.C128)).stream().toList();
      DataType type = types.get(random.nextInt(types.size()));
      TensorInfo info =
          new TensorInfo(i + "\"\\\n\u0001é权\uD83D\uDE00" + random.nextInt(), type, shape);
      byte[] data = new byte[(int) info.byteCount()];
      random.nextBytes(data);
      tensors.put(info, data);
    }
    Path file = temporary.resolve("x.safetensors");
    Map<String, String> metadata = seed % 2 == 0 ? Map.of("format", "pt\t/") : Map.of();
    SafetensorsWriter.write(
        file,
        tensors.keySet(),
        metadata,
        (info, out) -> {
          byte[] data = java.util.Objects.requireNonNull(tensors.get(info));
          for (int at = 0; at < data.length; at += 5) {
            out.write(ByteBuffer.wrap(data, at, Math.min(5, data.length - at)));
          }
        });
    try (SafetensorsReader reader = SafetensorsReader.open(file)) {
      assertEquals(metadata, reader.metadata());
      assertEquals(tensors.size(), reader.tensors().size());
      for (Map.Entry<TensorInfo, byte[]> tensor : tensors.entrySet()) {
        assertEquals(tensor.getKey(), reader.find(tensor.getKey().name()));
        ByteBuffer data = ByteBuffer.allocateDirect(tensor.getValue().length);
        reader.read(tensor.getKey().name(), 0, data);
        assertEquals(ByteBuffer.wrap(tensor.getValue()), data.flip());
      }
    }
  }

  private Path file(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json);
    return Files.write(temporary.resolve("x.safetensors"), bytes.array());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        " {\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":{\"x\":[1]}}} \n",
        "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"shape\":[],\"dtype\":\"BOOL\",\"data_offsets\":[0,1]}}"
      })
  void acceptsWhatTheReferenceAccepts(String header) throws IOException {
    SafetensorsReader.open(file(header, header.contains("BOOL") ? 1 : 0)).close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "x",
        "[]",
        "{",
        "{}{}",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"__metadata__\":{\"k\":1}}",
        "{\"__metadata__\":{},\"__metadata__\":{}}",
        "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"C128\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807,9],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            + "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[[[[[[[[[[1]]]]]]]]]],\"data_offsets\":[0,4]}}"
      })
  void refusesBrokenHeaders(String header) throws IOException {
    Path file = file(header, 4);
    CorruptCheckpointException refused =
        assertThrows(CorruptCheckpointException.class, () -> SafetensorsReader.open(file));
    assertEquals(file, refused.file());
  }

  @Test
  void refusesBrokenLengths() throws IOException {
    Path file = temporary.resolve("x.safetensors");
    for (long length : new long[] {-1, 100_000_001, Long.MAX_VALUE, 3}) {
      byte[] bytes = ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
      Files.write(file, bytes);
      assertThrows(CorruptCheckpointException.class, () -> SafetensorsReader.open(file));
    }
    Files.write(file, new byte[7]);
    assertThrows(CorruptCheckpointException.class, () -> SafetensorsReader.open(file));
  }

  @Test
  void refusesContentOfAnotherLengthAndLeavesNothing() throws IOException {
    Path file = temporary.resolve("x.safetensors");
    List<TensorInfo> tensors = List.of(new TensorInfo("a", DataType.F32, List.of(2L)));
    for (int bytes : new int[] {0, 7, 9}) {
      assertThrows(
          IllegalStateException.class,
          () ->
              SafetensorsWriter.write(
                  file, tensors, Map.of(), (info, out) -> out.write(ByteBuffer.allocate(bytes))));
    }
    try (Stream<Path> left = Files.list(temporary)) {
      assertEquals(0, left.count());
    }
  }
}
