package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The checkpoint that a conversion makes. */
sealed interface Destination permits HuggingFaceDestination, MegatronDestination {

  /** Collects what stands in the way, and what is odd, before any tensor's data is read. */
  void check(List<String> problems, List<String> notes) throws IOException;

  /** All files, once {@link #check} has found nothing. */
  List<PlannedFile> plan() throws IOException;

  /**
   * Opens what was written and compares the files beside the tensors with what was planned.
   *
   * @return its tensors under the names of the origin; closing it closes the files
   */
  Written open(Path directory) throws IOException;

  /** Rows of the embedding, padding included; 0 if there is none of that name. */
  long vocabularyRows();

  /** Options under which Megatron-LM runs the model: as written, else as it was read. */
  List<String> megatronOptions(TransformerConfig model);

  /** For reports: {@code huggingface safetensors}, {@code megatron torch}. */
  String form();

  /**
   * What was written, opened.
   *
   * @param tensors under the origin's names
   * @param megatron under Megatron's names, the vocabulary's padding cut off; equal to {@code
   *     tensors} where those are Megatron's
   * @param places where each tensor lies
   */
  record Written(
      TensorSource tensors, TensorSource megatron, Places places, AutoCloseableFiles files)
      implements AutoCloseable {
    @Override
    public void close() throws IOException {
      files.close();
    }
  }

  /** Open files. */
  @FunctionalInterface
  interface AutoCloseableFiles {
    void close() throws IOException;
  }

  /** Where the tensors of an origin lie in the destination's files. */
  @FunctionalInterface
  interface Places {
    List<ConversionReport.Slice> of(String originName);
  }
}
