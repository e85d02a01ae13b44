package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.DurableFiles;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.checkpoint.megatron.CheckpointFormat;
import io.github.pretrain4j.checkpoint.megatron.ExpertLayout;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
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
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code p4j-convert}: the command line of {@link Conversion}. */
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
        "Convert Hugging Face folders and Megatron checkpoints into each other, with a proof");
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
          "Converts a Hugging Face directory or a Megatron checkpoint into either, over any ranks and in any format,"
              + " and proves that every weight came through. After a kill the same command goes on where it was.")
  private static final class ConvertCommand implements Callable<Integer> {
    private static final int DEFAULT_WORKERS =
        Math.min(4, Runtime.getRuntime().availableProcessors());

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
        names = "--virtual-pipeline-model-parallel-size",
        description = "to megatron: chunks of layers on each stage (default 1)")
    private @Nullable Integer virtualPipelineModelParallelSize;

    @Option(
        names = "--layers-of-chunks",
        split = ",",
        description =
            "to megatron: layers of each pipeline chunk in the order of the layers, such as 3,5,5,3 (default: even)")
    private @Nullable List<Integer> layersOfChunks;

    @Option(
        names = "--expert-model-parallel-size",
        description = "to megatron: groups that experts are dealt out to (default 1)")
    private @Nullable Integer expertModelParallelSize;

    @Option(
        names = "--expert-tensor-parallel-size",
        description = "to megatron: ranks that share an expert (default: tensor parallel ranks)")
    private @Nullable Integer expertTensorParallelSize;

    @Option(names = "--ckpt-format", description = "to megatron: torch (default) or torch_dist")
    private @Nullable CheckpointFormat ckptFormat;

    @Option(
        names = "--transformer-impl",
        description =
            "to megatron: whose parameter names, transformer_engine, local or legacy (default: the"
                + " source's, else transformer_engine)")
    private @Nullable LayerSpec layerSpec;

    @Option(
        names = "--expert-layout",
        description =
            "to megatron: how experts are stored, sequential, grouped or legacy_grouped (default:"
                + " the source's, else sequential)")
    private @Nullable ExpertLayout expertLayout;

    @Option(
        names = "--release",
        description = "to megatron: weights to start from, in release instead of iter_...")
    private boolean release;

    @Option(
        names = "--make-vocab-size-divisible-by",
        description =
            "to megatron: pad the vocabulary to a multiple of this and the tensor ranks (default:"
                + " the source's, else 128)")
    private @Nullable Integer makeVocabSizeDivisibleBy;

    @Option(
        names = "--vocab-size",
        description = "true size of the vocabulary, where a Megatron checkpoint does not record it")
    private @Nullable Integer vocabSize;

    @Option(
        names = "--no-optimizer",
        description = "from megatron to megatron: leave the optimizer's state out")
    private boolean noOptimizer;

    @Option(
        names = "--tokenizer-model",
        description = "tokenizer file or its directory; must fit the vocabulary")
    private @Nullable Path tokenizerModel;

    @Option(
        names = "--reference",
        description =
            "from megatron: Hugging Face directory that gives config.json, tokenizer and the like")
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
        names = "--config-dialect",
        description =
            "to huggingface: spell config.json as transformers 4 or 5 does (default: as it is, else 4)")
    private @Nullable Integer dialect;

    @Option(
        names = "--dtype",
        description = "round weights to float32, bfloat16 or float16; kept when left out")
    private @Nullable String dtype;

    @Option(
        names = "--new-token-pieces",
        description =
            "grow the vocabulary: JSON with the old ids of each new token; its row is the mean of theirs")
    private @Nullable Path newTokenPieces;

    @Option(
        names = "--new-vocab-size",
        description = "grow the vocabulary to this; without --new-token-pieces by random rows")
    private @Nullable Integer newVocabSize;

    @Option(
        names = "--new-token-noise",
        description = "standard deviation of random rows (default 0.02)")
    private @Nullable Double newTokenNoise;

    @Option(names = "--seed", description = "of random rows (default 1234)")
    private @Nullable Long seed;

    @Option(
        names = "--prove-logits",
        description =
            "compare what source and target compute after this text, or these token ids between commas")
    private @Nullable String proveLogits;

    @Option(names = "--workers", description = "threads (default: processors, at most 4)")
    private @Nullable Integer workers;

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
      ConversionReport result = Conversion.run(config(), new ProgressLines(err));
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

    private ConversionConfig config() throws IOException {
      return ConversionConfig.of(
              given(input),
              given(output),
              to == Target.MEGATRON ? megatronTarget() : huggingFaceTarget())
          .withReference(reference)
          .withTokenizerModel(tokenizerModel)
          .withDataType(dataType())
          .withVocabSize(vocabSize)
          .withGrowth(growth())
          .withOptimizer(!noOptimizer)
          .withWorkers(workers == null ? DEFAULT_WORKERS : workers)
          .withPrompt(proveLogits == null ? null : LogitsPrompt.parse(proveLogits));
    }

    private ConversionTarget megatronTarget() {
      refuse("--to megatron", "--format", format);
      refuse("--to megatron", "--num-shards", numShards);
      refuse("--to megatron", "--max-shard-size", maxShardSize);
      refuse("--to megatron", "--config-dialect", dialect);
      ParallelLayout layout =
          ParallelLayout.of(
              tensorModelParallelSize == null ? 1 : tensorModelParallelSize,
              pipelineModelParallelSize == null ? 1 : pipelineModelParallelSize);
      if (virtualPipelineModelParallelSize != null) {
        layout = layout.withVirtualPipeline(virtualPipelineModelParallelSize);
      }
      if (layersOfChunks != null) {
        layout = layout.withLayersOfChunks(layersOfChunks);
      }
      if (expertModelParallelSize != null) {
        layout = layout.withExpertParallel(expertModelParallelSize);
      }
      if (expertTensorParallelSize != null) {
        layout = layout.withExpertTensorParallel(expertTensorParallelSize);
      }
      return new ConversionTarget.Megatron(
          ckptFormat == null ? CheckpointFormat.TORCH : ckptFormat,
          layout,
          layerSpec,
          expertLayout,
          makeVocabSizeDivisibleBy,
          release);
    }

    private ConversionTarget huggingFaceTarget() {
      refuse("--to huggingface", "--tensor-model-parallel-size", tensorModelParallelSize);
      refuse("--to huggingface", "--pipeline-model-parallel-size", pipelineModelParallelSize);
      refuse(
          "--to huggingface",
          "--virtual-pipeline-model-parallel-size",
          virtualPipelineModelParallelSize);
      refuse("--to huggingface", "--layers-of-chunks", layersOfChunks);
      refuse("--to huggingface", "--expert-model-parallel-size", expertModelParallelSize);
      refuse("--to huggingface", "--expert-tensor-parallel-size", expertTensorParallelSize);
      refuse("--to huggingface", "--ckpt-format", ckptFormat);
      refuse("--to huggingface", "--expert-layout", expertLayout);
      refuse("--to huggingface", "--release", release ? true : null);
      refuse("--to huggingface", "--make-vocab-size-divisible-by", makeVocabSizeDivisibleBy);
      refuse("--to huggingface", "--transformer-impl", layerSpec);
      if (numShards != null && maxShardSize != null) {
        throw new IllegalArgumentException("--num-shards and --max-shard-size exclude each other");
      }
      if (dialect != null && dialect != 4 && dialect != 5) {
        throw new IllegalArgumentException("--config-dialect " + dialect + ": expected 4 or 5");
      }
      return new ConversionTarget.HuggingFace(
          format == Format.BIN ? WeightFormat.TORCH : WeightFormat.SAFETENSORS,
          numShards != null
              ? new ShardRule.Count(numShards)
              : ShardRule.MaxSize.parse(maxShardSize == null ? "5GB" : maxShardSize),
          dialect == null
              ? null
              : dialect == 4 ? ConfigDialect.TRANSFORMERS_4 : ConfigDialect.TRANSFORMERS_5);
    }

    private @Nullable VocabularyGrowth growth() throws IOException {
      if (newTokenPieces != null) {
        refuse("--new-token-pieces", "--new-token-noise", newTokenNoise);
        refuse("--new-token-pieces", "--seed", seed);
        return new VocabularyGrowth(
            newVocabSize, VocabularyGrowth.MeanOfPieces.read(newTokenPieces));
      }
      if (newVocabSize == null) {
        refuse("a vocabulary that does not grow", "--new-token-noise", newTokenNoise);
        refuse("a vocabulary that does not grow", "--seed", seed);
        return null;
      }
      return new VocabularyGrowth(
          newVocabSize,
          new VocabularyGrowth.Noise(
              seed == null ? 1234 : seed, newTokenNoise == null ? 0.02 : newTokenNoise));
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
