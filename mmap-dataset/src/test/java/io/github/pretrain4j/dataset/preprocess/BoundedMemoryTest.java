package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Another JVM, of a heap far smaller than its input, which comes through its standard input. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class BoundedMemoryTest {
  private static final int MEBIBYTE = 1 << 20;

  @TempDir Path temporary;

  /** The other JVM's program. */
  static final class Program {
    private Program() {}

    /** Arguments: prefix, workers, ids for each byte of text. */
    public static void main(String[] args) throws IOException {
      int idsPerByte = Integer.parseInt(args[2]);
      TokenEncoder encoder =
          (utf8, offset, length, out) -> {
            for (int i = 0; i < length * idsPerByte; i++) {
              out.add(i);
            }
            out.add(1);
          };
      Preprocessor.Report report =
          Preprocessor.run(
              Preprocessor.Config.of(List.of("-"), Path.of(args[0]), 100_000)
                  .withWorkers(Integer.parseInt(args[1])),
              () -> encoder,
              Preprocessor.ProgressListener.NONE);
      Preprocessor.Output output = report.outputs().get(0);
      System.out.println(report.documents() + " documents, " + output.tokens() + " tokens");
    }
  }

  /** What the program says of so many lines of text of that length. */
  private String run(int heapMebibytes, int workers, int idsPerByte, int lines, int length)
      throws IOException, InterruptedException {
    Path said = temporary.resolve("said");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMebibytes + "m",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                Program.class.getName(),
                temporary.resolve("out").toString(),
                Integer.toString(workers),
                Integer.toString(idsPerByte))
            .redirectErrorStream(true)
            .redirectOutput(said.toFile())
            .start();
    byte[] line = ("{\"text\": \"" + "a".repeat(length) + "\"}\n").getBytes(StandardCharsets.UTF_8);
    try (OutputStream out = process.getOutputStream()) {
      for (int i = 0; i < lines; i++) {
        out.write(line);
      }
    } catch (IOException e) {
      // it has ended; what it said tells why
    }
    process.waitFor();
    return Files.readString(said).strip();
  }

  @Test
  void anInputOfSeveralHeapsIsRead() throws IOException, InterruptedException {
    int lines = 256 * MEBIBYTE / (1 << 13);
    assertEquals(lines + " documents, " + lines + " tokens", run(64, 2, 0, lines, (1 << 13) - 13));
  }

  /** Four bytes of ids for each byte of text, from more workers than the writer can follow. */
  @Test
  void anOutputOfSeveralHeapsIsWritten() throws IOException, InterruptedException {
    assertEquals("8000 documents, 32008000 tokens", run(64, 8, 1, 8000, 4000));
  }

  @Test
  void aLongLineFitsOrIsRefusedWithAReason() throws IOException, InterruptedException {
    assertEquals("3 documents, " + (9 * MEBIBYTE + 3) + " tokens", run(64, 2, 1, 3, 3 * MEBIBYTE));
    String refused = run(64, 2, 1, 1, 40 * MEBIBYTE);
    assertTrue(
        refused.contains("MalformedLineException: -: line 1, byte 0: expected a line of up to "),
        refused);
    assertTrue(refused.contains("a larger heap, -Xmx, allows more"), refused);
  }
}
