package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.HuggingFaceConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A checkpoint that is looked at, whatever its format. Thread-safe; closing is idempotent. */
sealed interface Subject extends AutoCloseable
    permits HuggingFaceSubject, MegatronSubject, FileSubject {

  /** Opens what {@code path} names, and checks its structure. */
  static Subject open(Path path) throws IOException {
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString());
    }
    if (!Files.isDirectory(path)) {
      return FileSubject.open(path);
    }
    return isMegatron(path) ? MegatronSubject.open(path) : HuggingFaceSubject.open(path);
  }

  private static boolean isMegatron(Path directory) throws IOException {
    if (Files.exists(directory.resolve("latest_checkpointed_iteration.txt"))
        || Files.exists(directory.resolve(".metadata"))) {
      return true;
    }
    try (Stream<Path> children = Files.list(directory)) {
      return children.anyMatch(child -> child.getFileName().toString().startsWith("mp_rank_"));
    }
  }

  /** What was opened. */
  Path path();

  /** The format in words: {@code huggingface safetensors}, {@code megatron torch}, …. */
  String format();

  /** What else is known of the whole, in words, by name and in order. */
  Map<String, String> facts();

  /** The weights. Closing the source does not close the subject. */
  TensorSource tensors();

  /** The state of the optimizer, if there is one and the format shows it as whole tensors. */
  @Nullable TensorSource optimizerTensors();

  /** The file that holds a tensor, relative to the path, or how it is spread; empty if unknown. */
  String placeOf(String tensor);

  /** What is odd but does no harm. */
  List<String> warnings();

  /** Reads what has checksums and checks it. */
  void verifyChecksums() throws IOException;

  /**
   * Contradictions inside the checkpoint: replicas that differ, tensors that should be there.
   *
   * @param reference what the model should be; null to rely on what the checkpoint says
   */
  List<String> problems(@Nullable HuggingFaceConfig reference) throws IOException;

  /** Whether {@link #problems} knows which tensors there should be. */
  boolean knowsWhatShouldBeThere(@Nullable HuggingFaceConfig reference);

  @Override
  void close() throws IOException;
}
