package io.github.pretrain4j.dataset;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a dataset between documents. Merging the parts in order gives its bytes again. The parts
 * appear together or not at all; the sidecar, if there is one, goes along, the documents of its
 * sources counted in their order.
 */
public final class DatasetSplitter {
  private DatasetSplitter() {}

  /**
   * Writes one dataset for each output, of equal numbers of documents, or one more.
   *
   * @param source prefix of the dataset
   * @param outputs prefixes of the parts, in order
   */
  public static void split(Path source, List<Path> outputs) throws IOException {
    double[] shares = new double[outputs.size()];
    Arrays.fill(shares, 1);
    split(source, outputs, shares);
  }

  /**
   * Writes one dataset for each output.
   *
   * @param source prefix of the dataset
   * @param outputs prefixes of the parts, in order
   * @param shares of the documents, in relation to each other
   */
  public static void split(Path source, List<Path> outputs, double[] shares) throws IOException {
    if (outputs.isEmpty() || outputs.size() != shares.length) {
      throw new IllegalArgumentException(
          shares.length + " shares for " + outputs.size() + " outputs");
    }
    double total = 0;
    for (double share : shares) {
      if (!(share >= 0) || Double.isInfinite(share)) {
        throw new IllegalArgumentException("a share must be a number from 0 on: " + share);
      }
      total += share;
    }
    if (!(total > 0) || Double.isInfinite(total)) {
      throw new IllegalArgumentException("the shares add up to " + total);
    }
    try (IndexedDataset dataset = IndexedDataset.open(source)) {
      long[] ends = new long[shares.length];
      double sum = 0;
      for (int i = 0; i < shares.length; i++) {
        sum += shares[i];
        ends[i] = Math.round(sum / total * dataset.documentCount());
      }
      ends[shares.length - 1] = dataset.documentCount();
      write(dataset, outputs, ends);
    }
  }

  /**
   * Writes a dataset of the first documents.
   *
   * @param source prefix of the dataset
   * @param output prefix of the new one
   * @param documents how many; all, if there are fewer
   */
  public static void head(Path source, Path output, long documents) throws IOException {
    if (documents < 0) {
      throw new IllegalArgumentException("a negative number of documents: " + documents);
    }
    try (IndexedDataset dataset = IndexedDataset.open(source)) {
      long[] ends = {Math.min(documents, dataset.documentCount())};
      write(dataset, List.of(output), ends);
    }
  }

  private static void write(IndexedDataset source, List<Path> outputs, long[] ends)
      throws IOException {
    DatasetMetadata metadata = DatasetOutput.metadata(source).orElse(null);
    try (DatasetOutput files = new DatasetOutput()) {
      long first = 0;
      for (int i = 0; i < ends.length; i++) {
        IndexedDatasetWriter writer =
            files.add(
                outputs.get(i),
                source.tokenType(),
                source.hasModes(),
                part(source, metadata, first, ends[i]));
        writer.append(source, first, ends[i] - first);
        first = ends[i];
      }
      files.commit();
    }
  }

  /** The sidecar of the documents from {@code first} up to {@code end}. */
  private static @Nullable DatasetMetadata part(
      IndexedDataset dataset, @Nullable DatasetMetadata whole, long first, long end)
      throws IOException {
    if (whole == null) {
      return null;
    }
    long firstSequence = dataset.firstSequence(first);
    long sequences = dataset.firstSequence(end) - firstSequence;
    List<DatasetMetadata.Source> sources = new ArrayList<>();
    long at = 0;
    for (DatasetMetadata.Source source : Objects.requireNonNull(whole).sources()) {
      long here = Math.max(0, Math.min(end, at + source.documents()) - Math.max(first, at));
      if (here > 0) {
        sources.add(
            new DatasetMetadata.Source(source.name(), source.bytes(), source.sha256(), here));
      }
      at += source.documents();
    }
    return new DatasetMetadata(
        whole.tool(),
        whole.tokenizer(),
        whole.key(),
        whole.level(),
        whole.appendEod(),
        whole.type(),
        end - first,
        sequences,
        tokens(dataset, firstSequence, sequences),
        sources);
  }

  private static long tokens(IndexedDataset dataset, long first, long count) throws IOException {
    if (count == 0) {
      return 0;
    }
    TokenSpan head = dataset.span(first);
    TokenSpan tail = dataset.span(first + count - 1);
    return (tail.byteOffset() - head.byteOffset()) / dataset.tokenType().bytes() + tail.length();
  }
}
