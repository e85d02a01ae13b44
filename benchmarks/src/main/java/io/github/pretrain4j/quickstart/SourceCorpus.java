package io.github.pretrain4j.quickstart;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Turns a sources jar into Megatron's input: one JSON object per line, one line per Java file.
 *
 * <p>Files are taken in the order of their names and every twentieth is held out for validation, so
 * that a jar gives the same corpus on every machine.
 */
final class SourceCorpus {
  private static final int HELD_OUT_EVERY = 20;
  private static final int MIN_CHARACTERS = 400;

  private final ObjectMapper json = new ObjectMapper();

  /** What was written: documents and bytes of the training and the held-out file. */
  record Written(Path train, int trainDocuments, Path valid, int validDocuments, long bytes) {}

  /** Writes {@code {name}_train.jsonl} and {@code {name}_valid.jsonl} into {@code directory}. */
  Written write(Path sourcesJar, Path directory, String name) throws IOException {
    Path train = directory.resolve(name + "_train.jsonl");
    Path valid = directory.resolve(name + "_valid.jsonl");
    int trainDocuments = 0;
    int validDocuments = 0;
    try (ZipFile jar = new ZipFile(sourcesJar.toFile());
        BufferedWriter trainOut = Files.newBufferedWriter(train);
        BufferedWriter validOut = Files.newBufferedWriter(valid)) {
      int index = 0;
      for (ZipEntry entry : javaFiles(jar)) {
        String text = read(jar, entry);
        if (text.length() < MIN_CHARACTERS) {
          continue;
        }
        boolean heldOut = index++ % HELD_OUT_EVERY == HELD_OUT_EVERY - 1;
        BufferedWriter out = heldOut ? validOut : trainOut;
        out.write(json.writeValueAsString(Map.of("text", text)));
        out.write('\n');
        if (heldOut) {
          validDocuments++;
        } else {
          trainDocuments++;
        }
      }
    }
    if (validDocuments == 0) {
      throw new IOException(sourcesJar + ": expected at least 20 Java files, found too few");
    }
    return new Written(
        train, trainDocuments, valid, validDocuments, Files.size(train) + Files.size(valid));
  }

  private static List<? extends ZipEntry> javaFiles(ZipFile jar) {
    return jar.stream()
        .filter(entry -> entry.getName().endsWith(".java"))
        .sorted(Comparator.comparing(ZipEntry::getName))
        .toList();
  }

  private static String read(ZipFile jar, ZipEntry entry) throws IOException {
    try (InputStream in = jar.getInputStream(entry)) {
      return withoutLicence(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  /** Drops the licence header: the same text at the top of every file teaches a model nothing. */
  private static String withoutLicence(String text) {
    int start = text.indexOf("\npackage ");
    return start > 0 ? text.substring(start + 1) : text;
  }
}
