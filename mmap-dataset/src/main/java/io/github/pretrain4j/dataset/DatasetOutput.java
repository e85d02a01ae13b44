package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Datasets made of others, which appear together, with their sidecars if the others have such. */
final class DatasetOutput implements Closeable {
  private record Part(Path prefix, IndexedDatasetWriter writer, @Nullable PendingFile sidecar) {}

  private final Scope opened = new Scope();
  private final List<Part> parts = new ArrayList<>();

  /** Starts a dataset like the source, at this prefix. */
  IndexedDatasetWriter add(
      Path prefix, TokenType type, boolean multimodal, @Nullable DatasetMetadata metadata)
      throws IOException {
    IndexedDatasetWriter writer =
        multimodal
            ? IndexedDatasetWriter.createMultimodal(prefix, type)
            : IndexedDatasetWriter.create(prefix, type);
    opened.add(writer::close);
    PendingFile sidecar = null;
    if (metadata != null) {
      sidecar = opened.add(PendingFile.create(DatasetMetadata.file(prefix)));
      metadata.write(sidecar);
    }
    parts.add(new Part(prefix, writer, sidecar));
    return writer;
  }

  /** Makes all of them appear: data, then sidecars, then the indexes. */
  void commit() throws IOException {
    List<PendingFile> data = new ArrayList<>();
    List<PendingFile> sidecars = new ArrayList<>();
    List<PendingFile> indexes = new ArrayList<>();
    for (Part part : parts) {
      part.writer().sealUnhashed();
      data.add(part.writer().files().get(0));
      indexes.add(part.writer().files().get(1));
      if (part.sidecar() != null) {
        part.sidecar().sealUnhashed();
        sidecars.add(part.sidecar());
      }
    }
    List<PendingFile> all = new ArrayList<>(data);
    all.addAll(sidecars);
    all.addAll(indexes);
    FileCommit.commit(all, FileCommit.StepListener.NONE);
    for (Part part : parts) {
      if (part.sidecar() == null) {
        // One of the dataset that was here before says nothing of this one.
        Files.deleteIfExists(DatasetMetadata.file(part.prefix()));
      }
    }
  }

  /**
   * The sidecar of an open dataset.
   *
   * @throws CorruptDatasetException if it speaks of another dataset
   */
  static Optional<DatasetMetadata> metadata(IndexedDataset dataset) throws IOException {
    Optional<DatasetMetadata> metadata = DatasetMetadata.read(dataset.prefix());
    if (metadata.isPresent()) {
      DatasetMetadata its = metadata.get();
      String expected =
          counts(dataset.documentCount(), dataset.sequenceCount(), dataset.tokenCount());
      String found = counts(its.documents(), its.sequences(), its.tokens());
      if (!found.equals(expected) || its.type() != dataset.tokenType()) {
        throw new CorruptDatasetException(
            DatasetMetadata.file(dataset.prefix()),
            0,
            "sidecar",
            expected + " of " + dataset.tokenType() + ", as the dataset has",
            found + " of " + its.type());
      }
    }
    return metadata;
  }

  private static String counts(long documents, long sequences, long tokens) {
    return documents + " documents, " + sequences + " sequences, " + tokens + " tokens";
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
