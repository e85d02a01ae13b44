package io.github.pretrain4j.dataset;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Finds and reads reference files: small ones in the resources, all of them in a shared folder. */
public final class Golden {
  private Golden() {}

  /** The reference files that come with the module. */
  public static Path resources() {
    try {
      return Path.of(Objects.requireNonNull(Golden.class.getResource("/golden")).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** All reference files, if a folder above the working directory has them beside it. */
  public static @Nullable Path shared() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path golden = at.resolve("shared").resolve("golden");
      if (Files.isDirectory(golden)) {
        return golden;
      }
    }
    return null;
  }

  /** The places that have reference files. */
  public static List<Path> roots() {
    Path shared = shared();
    return shared == null ? List.of(resources()) : List.of(resources(), shared);
  }

  /** A JSON file as maps, lists, strings, longs, doubles, booleans and nulls. */
  public static @Nullable Object json(Path file) throws IOException {
    try (JsonParser parser = new JsonFactory().createParser(file.toFile())) {
      parser.nextToken();
      return value(parser);
    }
  }

  private static @Nullable Object value(JsonParser parser) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          parser.nextToken();
          map.put(key, value(parser));
        }
        return map;
      }
      case START_ARRAY -> {
        List<@Nullable Object> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(value(parser));
        }
        return list;
      }
      case VALUE_STRING -> {
        return parser.getText();
      }
      case VALUE_NUMBER_INT -> {
        return parser.getLongValue();
      }
      case VALUE_NUMBER_FLOAT -> {
        return parser.getDoubleValue();
      }
      case VALUE_TRUE -> {
        return true;
      }
      case VALUE_FALSE -> {
        return false;
      }
      case VALUE_NULL -> {
        return null;
      }
      default -> throw new IOException("unexpected " + parser.currentToken());
    }
  }

  /** An array of a {@code .npy} file, of 32-bit or 8-bit integers, read without the library. */
  public static int[] npy(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = bytes.getShort(8);
    byte[] dict = new byte[header];
    bytes.position(10).get(dict);
    boolean small = new String(dict, StandardCharsets.US_ASCII).contains("|u1");
    int[] array = new int[bytes.remaining() / (small ? 1 : 4)];
    for (int i = 0; i < array.length; i++) {
      array[i] = small ? bytes.get() & 0xff : bytes.getInt();
    }
    return array;
  }
}
