package io.github.pretrain4j.dataset;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Puts datasets one after the other: what Megatron's {@code tools/merge_datasets.py} does, byte for
 * byte. Sequences and documents, empty ones too, keep their order. Memory does not grow with the
 * datasets.
 *
 * <p>If every source has a sidecar, the merged dataset gets the merged one.
 */
public final class DatasetMerger {
  private DatasetMerger() {}

  /**
   * Merges datasets of one token type.
   *
   * @param sources their prefixes, in order; at least one
   * @param output prefix of the merged dataset; may be one of the sources
   * @param modes whether the sources have sequence modes: with {@code DETECT}, as the first one
   *     that has sequences
   * @throws IllegalArgumentException if token types, modes, or the tokenizers of the sidecars
   *     differ
   * @throws CorruptDatasetException if a source contradicts itself
   */
  public static void merge(List<Path> sources, Path output, OpenOptions.Modes modes)
      throws IOException {
    if (sources.isEmpty()) {
      throw new IllegalArgumentException("nothing to merge");
    }
    OpenOptions options = OpenOptions.defaults().withModes(modes);
    List<DatasetMetadata> sidecars = new ArrayList<>();
    TokenType type = null;
    boolean multimodal = modes == OpenOptions.Modes.REQUIRE;
    for (Path source : sources) {
      try (IndexedDataset dataset = IndexedDataset.open(source, options)) {
        if (type != null && type != dataset.tokenType()) {
          throw new IllegalArgumentException(
              source + " has " + dataset.tokenType() + " tokens, " + sources.get(0) + " " + type);
        }
        type = dataset.tokenType();
        multimodal |= dataset.hasModes();
        DatasetOutput.metadata(dataset).ifPresent(sidecars::add);
      }
    }
    Optional<DatasetMetadata> sidecar =
        sidecars.size() == sources.size()
            ? Optional.of(DatasetMetadata.merge(sidecars))
            : Optional.empty();
    try (DatasetOutput files = new DatasetOutput()) {
      IndexedDatasetWriter writer =
          files.add(output, Objects.requireNonNull(type), multimodal, sidecar.orElse(null));
      for (Path source : sources) {
        try (IndexedDataset dataset = IndexedDataset.open(source, options)) {
          writer.append(dataset, 0, dataset.documentCount());
        }
      }
      files.commit();
    }
  }

  /**
   * The datasets of a directory, as Megatron takes them: by name, in the order of code points. A
   * file without its other half is an error, whatever it is; sub-directories and our own sidecars
   * are passed over.
   *
   * @throws FileSystemException if a file is no half of a pair
   */
  public static List<Path> prefixesIn(Path directory) throws IOException {
    List<Path> files;
    try (Stream<Path> listed = Files.list(directory)) {
      files = listed.filter(Files::isRegularFile).sorted().toList();
    }
    TreeMap<String, Path> prefixes = new TreeMap<>(DatasetMerger::compareCodePoints);
    for (Path file : files) {
      String name = file.getFileName().toString();
      int dot = name.lastIndexOf('.');
      String stem = dot <= 0 ? name : name.substring(0, dot);
      Path prefix = file.resolveSibling(stem);
      String partner = name.endsWith(".idx") ? ".bin" : ".idx";
      if (!Files.isRegularFile(IndexedDataset.withSuffix(prefix, partner))) {
        if (isSidecar(file, name)) {
          continue;
        }
        throw new FileSystemException(
            file.toString(), null, "is no half of a dataset: no " + stem + partner + " beside it");
      }
      prefixes.put(stem, prefix);
    }
    return List.copyOf(prefixes.values());
  }

  private static boolean isSidecar(Path file, String name) {
    String suffix = ".meta.json";
    if (!name.endsWith(suffix) || name.length() == suffix.length()) {
      return false;
    }
    String stem = name.substring(0, name.length() - suffix.length());
    return Files.isRegularFile(IndexedDataset.indexFile(file.resolveSibling(stem)));
  }

  private static int compareCodePoints(String one, String other) {
    int[] a = one.codePoints().toArray();
    int[] b = other.codePoints().toArray();
    return Arrays.compare(a, b);
  }
}
