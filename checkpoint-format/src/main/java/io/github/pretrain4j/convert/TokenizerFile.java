package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * As much of a tokenizer's file as a converter needs: how many ids it has, and which are special.
 *
 * @param file {@code tokenizer.model} (SentencePiece) or {@code tokenizer.json}
 * @param size highest id + 1, added tokens included
 * @param special null for {@code tokenizer.json}
 */
record TokenizerFile(Path file, int size, @Nullable Special special) {
  /** Special ids, -1 where there is none, and their pieces. */
  record Special(int unkId, int bosId, int eosId, int padId, List<String> pieces) {
    @Nullable String piece(int id) {
      return id >= 0 && id < pieces.size() ? pieces.get(id) : null;
    }
  }

  private static final long MAX_BYTES = 512L << 20;
  private static final int MAX_PIECES = 1 << 24;

  boolean isSentencePiece() {
    return special != null;
  }

  /** What it is called in a model's directory, where loaders look for it under one name only. */
  String companionName() {
    return isSentencePiece() ? "tokenizer.model" : "tokenizer.json";
  }

  /** Reads {@code fileOrDirectory}; of a directory its tokenizer.model, else its tokenizer.json. */
  static TokenizerFile read(Path fileOrDirectory) throws IOException {
    Path file = fileOrDirectory;
    if (Files.isDirectory(file)) {
      Path model = file.resolve("tokenizer.model");
      file = Files.exists(model) ? model : file.resolve("tokenizer.json");
    }
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString(), null, "no tokenizer.model or tokenizer.json");
    }
    long bytes = Files.size(file);
    if (bytes > MAX_BYTES) {
      throw new CorruptCheckpointException(file, 0, "size", "at most " + MAX_BYTES, bytes);
    }
    int added = addedSize(file.resolveSibling("added_tokens.json"));
    if (file.getFileName().toString().endsWith(".json")) {
      return new TokenizerFile(file, Math.max(added, jsonSize(file)), null);
    }
    Special special = sentencePiece(file, ByteBuffer.wrap(Files.readAllBytes(file)));
    return new TokenizerFile(file, Math.max(added, special.pieces.size()), special);
  }

  private static int addedSize(Path file) throws IOException {
    int size = 0;
    if (Files.exists(file)) {
      for (JsonNode id : json(file)) {
        size = Math.max(size, id.asInt(-1) + 1);
      }
    }
    return size;
  }

  private static int jsonSize(Path file) throws IOException {
    JsonNode root = json(file);
    JsonNode vocabulary = root.path("model").path("vocab");
    int size = vocabulary.isArray() ? vocabulary.size() : 0;
    if (vocabulary.isObject()) {
      for (JsonNode id : vocabulary) {
        size = Math.max(size, id.asInt(-1) + 1);
      }
    }
    for (JsonNode token : root.path("added_tokens")) {
      size = Math.max(size, token.path("id").asInt(-1) + 1);
    }
    if (size == 0) {
      throw new CorruptCheckpointException(file, 0, "model.vocab", "tokens", "none");
    }
    return size;
  }

  private static JsonNode json(Path file) throws IOException {
    try {
      return new ObjectMapper().readTree(file.toFile());
    } catch (JsonProcessingException e) {
      CorruptCheckpointException corrupt =
          new CorruptCheckpointException(
              file,
              Math.max(0, e.getLocation() == null ? 0 : e.getLocation().getByteOffset()),
              "content",
              "JSON",
              e.getOriginalMessage());
      corrupt.initCause(e);
      throw corrupt;
    }
  }

  /**
   * ModelProto: field 1 the pieces, each with its text in field 1; field 2 the trainer's settings
   * with special ids.
   */
  private static Special sentencePiece(Path file, ByteBuffer in) throws IOException {
    List<String> pieces = new ArrayList<>();
    int[] ids = {0, 1, 2, -1};
    while (in.hasRemaining()) {
      long tag = varint(file, in);
      if (tag == (1 << 3 | 2)) {
        if (pieces.size() == MAX_PIECES) {
          throw new CorruptCheckpointException(
              file, in.position(), "pieces", "at most " + MAX_PIECES, "more");
        }
        pieces.add(pieceText(file, in, message(file, in)));
      } else if (tag == (2 << 3 | 2)) {
        int end = message(file, in);
        while (in.position() < end) {
          long field = varint(file, in);
          int special = (int) (field >>> 3) - 40;
          if (special >= 0 && special < ids.length && (field & 7) == 0) {
            ids[special] = (int) varint(file, in);
          } else {
            skip(file, in, field);
          }
        }
      } else {
        skip(file, in, tag);
      }
    }
    if (pieces.isEmpty()) {
      throw new CorruptCheckpointException(
          file, 0, "content", "a SentencePiece model", "no pieces");
    }
    return new Special(ids[0], ids[1], ids[2], ids[3], pieces);
  }

  private static String pieceText(Path file, ByteBuffer in, int end) throws IOException {
    String text = "";
    while (in.position() < end) {
      long field = varint(file, in);
      if (field == (1 << 3 | 2)) {
        byte[] bytes = new byte[message(file, in) - in.position()];
        in.get(bytes);
        text = new String(bytes, StandardCharsets.UTF_8);
      } else {
        skip(file, in, field);
      }
    }
    return text;
  }

  /** Reads a length and returns where the message ends. */
  private static int message(Path file, ByteBuffer in) throws IOException {
    int at = in.position();
    long length = varint(file, in);
    if (length < 0 || length > in.remaining()) {
      throw new CorruptCheckpointException(
          file, at, "length", "at most " + in.remaining() + " bytes", length);
    }
    return in.position() + (int) length;
  }

  private static void skip(Path file, ByteBuffer in, long tag) throws IOException {
    int at = in.position();
    int type = (int) (tag & 7);
    int end =
        switch (type) {
          case 0 -> {
            varint(file, in);
            yield in.position();
          }
          case 1 -> in.position() + Long.BYTES;
          case 2 -> message(file, in);
          case 5 -> in.position() + Integer.BYTES;
          default -> -1;
        };
    if (end < 0 || end > in.limit()) {
      throw new CorruptCheckpointException(
          file, at, "field", "a SentencePiece model", "wire type " + type);
    }
    in.position(end);
  }

  private static long varint(Path file, ByteBuffer in) throws IOException {
    int at = in.position();
    long value = 0;
    for (int shift = 0; shift < Long.SIZE && in.hasRemaining(); shift += 7) {
      byte next = in.get();
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw new CorruptCheckpointException(file, at, "number", "at most 10 bytes", "no end");
  }
}
