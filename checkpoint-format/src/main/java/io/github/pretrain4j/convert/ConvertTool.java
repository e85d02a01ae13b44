package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code p4j-convert}: the command line of the two conversions. */
public final class ConvertTool implements ToolProvider {
  private static final String NAME = "p4j-convert";
  private static final int EXIT_WORLD = 1;
  private static final int EXIT_USAGE = 2;
  private static final int EXIT_BUG = 70;

  @Override
  public String name() {
    return NAME;
  }

  /** One line for the launcher's list; overrides {@code ToolProvider}'s on Java 19 and newer. */
  public Optional<String> description() {
    return Optional.of(
        "Convert between Hugging Face folders and Megatron checkpoints, with a proof");
  }

  @Override
  public int run(PrintWriter out, PrintWriter err, String... args) {
    ConvertCommand command = new ConvertCommand(out, err);
    CommandLine line = new CommandLine(command).setOut(out).setErr(err);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(
        (e, arguments) -> {
          err.println(NAME + ": error: " + e.getMessage());
          err.println("try " + NAME + " --help");
          return EXIT_USAGE;
        });
    line.setExecutionExceptionHandler(
        (e, commandLine, result) -> {
          int code = exitCode(e);
          err.println(NAME + ": error: " + (code == EXIT_BUG ? "a bug: " + e : message(e)));
          if (command.stacktrace || code == EXIT_BUG) {
            e.printStackTrace(err);
          }
          return code;
        });
    int code = line.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  private static int exitCode(Exception e) {
    return e instanceof IOException || e instanceof UncheckedIOException
        ? EXIT_WORLD
        : e instanceof IllegalArgumentException ? EXIT_USAGE : EXIT_BUG;
  }

  /** Java's own exceptions about files often say no more than the file's name. */
  private static String message(Exception e) {
    if (e instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      return message(unchecked.getCause());
    }
    if (e instanceof FileSystemException file && file.getReason() == null) {
      String what =
          e instanceof NoSuchFileException
              ? "no such file"
              : e instanceof AccessDeniedException
                  ? "permission denied"
                  : e.getClass().getSimpleName();
      return file.getFile() + ": " + what;
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  /** What {@code --to} takes. */
  private enum Target {
    MEGATRON,
    HUGGINGFACE
  }

  /** What {@code --format} takes. */
  private enum Format {
    SAFETENSORS,
    BIN
  }

  @Command(
      name = NAME,
      mixinStandardHelpOptions = true,
      sortOptions = false,
      description =
          "Converts a model between a Hugging Face directory and a Megatron checkpoint, and proves that every weight"
              + " came through.")
  private static final class ConvertCommand implements Callable<Integer> {
    private final PrintWriter out;
    private final PrintWriter err;

    @Option(names = "--to", required = true, description = "megatron or huggingface")
    private @Nullable Target to;

    @Option(
        names = "--input",
        required = true,
        description = "Hugging Face directory, or Megatron directory or its iter_... child")
    private @Nullable Path input;

    @Option(names = "--output", required = true, description = "a new or empty directory")
    private @Nullable Path output;

    @Option(
        names = "--tensor-model-parallel-size",
        description = "to megatron: tensor parallel ranks (default 1)")
    private @Nullable Integer tensorModelParallelSize;

    @Option(
        names = "--pipeline-model-parallel-size",
        description = "to megatron: pipeline stages (default 1)")
    private @Nullable Integer pipelineModelParallelSize;

    @Option(
        names = "--make-vocab-size-divisible-by",
        description =
            "to megatron: pad the vocabulary to a multiple of this and the tensor ranks (default 128)")
    private @Nullable Integer makeVocabSizeDivisibleBy;

    @Option(
        names = "--transformer-impl",
        description = "to megatron: whose parameter names, transformer_engine (default) or local")
    private @Nullable LayerSpec layerSpec;

    @Option(
        names = "--tokenizer-model",
        description = "tokenizer file or its directory; must fit the vocabulary")
    private @Nullable Path tokenizerModel;

    @Option(
        names = "--reference",
        description = "to huggingface: directory that gives config.json, tokenizer and the like")
    private @Nullable Path reference;

    @Option(names = "--format", description = "to huggingface: safetensors (default) or bin")
    private @Nullable Format format;

    @Option(names = "--num-shards", description = "to huggingface: exactly so many weight files")
    private @Nullable Integer numShards;

    @Option(
        names = "--max-shard-size",
        description = "to huggingface: weight files of at most, such as 5GB (default)")
    private @Nullable String maxShardSize;

    @Option(
        names = "--dtype",
        description = "round weights to float32, bfloat16 or float16; kept when left out")
    private @Nullable String dtype;

    @Option(names = "--report", description = "also write the report as JSON to this file")
    private @Nullable Path report;

    @Option(names = "--stacktrace", description = "show where an error arose")
    private boolean stacktrace;

    ConvertCommand(PrintWriter out, PrintWriter err) {
      this.out = out;
      this.err = err;
    }

    @Override
    public Integer call() throws IOException {
      checkReport();
      ConversionReport result = to == Target.MEGATRON ? toMegatron() : toHuggingFace();
      if (report != null) {
        DurableFiles.write(report, StandardCharsets.UTF_8.encode(result.toJson()));
      }
      out.print(result.toText());
      return 0;
    }

    /** A conversion may take an hour: what would fail after it must fail before. */
    private void checkReport() throws IOException {
      if (report == null) {
        return;
      }
      Path file = report.toAbsolutePath().normalize();
      Path parent = file.getParent();
      if (Files.isDirectory(file) || parent == null) {
        throw new FileAlreadyExistsException(
            file.toString(), null, "--report is a directory, expected a file");
      }
      if (parent.equals(given(output).toAbsolutePath().normalize())) {
        return; // which the conversion makes
      }
      if (!Files.isDirectory(parent)) {
        throw new NoSuchFileException(
            file.toString(), null, "--report lies in a directory that does not exist");
      }
      if (!Files.isWritable(parent)) {
        throw new AccessDeniedException(
            file.toString(), null, "--report lies in a directory that cannot be written to");
      }
    }

    private ConversionReport toMegatron() throws IOException {
      refuse("--to megatron", "--reference", reference);
      refuse("--to megatron", "--format", format);
      refuse("--to megatron", "--num-shards", numShards);
      refuse("--to megatron", "--max-shard-size", maxShardSize);
      return HuggingFaceToMegatron.run(
          new HuggingFaceToMegatron.Config(
              given(input),
              given(output),
              tensorModelParallelSize == null ? 1 : tensorModelParallelSize,
              pipelineModelParallelSize == null ? 1 : pipelineModelParallelSize,
              tokenizerModel,
              dataType(),
              layerSpec == null ? LayerSpec.TRANSFORMER_ENGINE : layerSpec,
              makeVocabSizeDivisibleBy == null ? 128 : makeVocabSizeDivisibleBy),
          new ProgressLines(err));
    }

    private ConversionReport toHuggingFace() throws IOException {
      refuse("--to huggingface", "--tensor-model-parallel-size", tensorModelParallelSize);
      refuse("--to huggingface", "--pipeline-model-parallel-size", pipelineModelParallelSize);
      refuse("--to huggingface", "--make-vocab-size-divisible-by", makeVocabSizeDivisibleBy);
      refuse("--to huggingface", "--transformer-impl", layerSpec);
      if (numShards != null && maxShardSize != null) {
        throw new IllegalArgumentException("--num-shards and --max-shard-size exclude each other");
      }
      ShardRule sharding =
          numShards != null
              ? new ShardRule.Count(numShards)
              : ShardRule.MaxSize.parse(maxShardSize == null ? "5GB" : maxShardSize);
      return MegatronToHuggingFace.run(
          new MegatronToHuggingFace.Config(
              given(input),
              given(output),
              reference,
              tokenizerModel,
              format == Format.BIN ? WeightFormat.TORCH : WeightFormat.SAFETENSORS,
              sharding,
              dataType()),
          new ProgressLines(err));
    }

    private @Nullable DataType dataType() {
      if (dtype == null) {
        return null;
      }
      return switch (dtype.toLowerCase(Locale.ROOT)) {
        case "float32", "fp32" -> DataType.F32;
        case "bfloat16", "bf16" -> DataType.BF16;
        case "float16", "fp16" -> DataType.F16;
        default ->
            throw new IllegalArgumentException(
                "--dtype " + dtype + ": expected float32, bfloat16 or float16");
      };
    }

    private static Path given(@Nullable Path path) {
      if (path == null) {
        throw new IllegalStateException("picocli insists on required options");
      }
      return path;
    }

    private static void refuse(String mode, String option, @Nullable Object value) {
      if (value != null) {
        throw new IllegalArgumentException(option + " has no meaning with " + mode);
      }
    }
  }

  /** Progress as lines, at most one every few seconds, so that it reads well in a log too. */
  private static final class ProgressLines implements ConversionListener {
    private static final long EVERY_NANOS = 3_000_000_000L;

    private final PrintWriter err;
    private @Nullable Phase current;
    private long phaseStart;
    private long lastLine;

    ProgressLines(PrintWriter err) {
      this.err = err;
    }

    @Override
    public void progress(Phase phase, long doneBytes, long totalBytes) {
      long now = System.nanoTime();
      if (phase != current) {
        current = phase;
        phaseStart = now;
        lastLine = now;
      }
      if (doneBytes == totalBytes) {
        err.printf(
            Locale.ROOT,
            "%s: %s done, %,d bytes in %.1f s%n",
            NAME,
            phase.name().toLowerCase(Locale.ROOT),
            totalBytes,
            (now - phaseStart) / 1e9);
        err.flush();
      } else if (now - lastLine > EVERY_NANOS && doneBytes > 0) {
        double left = (now - phaseStart) / 1e9 * (totalBytes - doneBytes) / doneBytes;
        err.printf(
            Locale.ROOT,
            "%s: %s %d%% of %,d bytes, %.0f s left%n",
            NAME,
            phase.name().toLowerCase(Locale.ROOT),
            100 * doneBytes / totalBytes,
            totalBytes,
            left);
        err.flush();
        lastLine = now;
      }
    }
  }
}
