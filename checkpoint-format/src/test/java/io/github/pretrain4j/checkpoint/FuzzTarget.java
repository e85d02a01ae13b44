package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A kind of file that is damaged and read again, from the golden files among the resources. */
enum FuzzTarget {
  SAFETENSORS,
  TORCH,
  LEGACY,
  HUGGING_FACE_INDEX,
  METADATA,
  DISTCP,
  MEGATRON,
  TRACKER;

  private static final Path GOLDEN = Path.of("src/test/resources/golden").toAbsolutePath();
  private static final Path LLAMA = GOLDEN.resolve("hf/llama/safetensors");
  private static final Path MEGATRON_LLAMA = GOLDEN.resolve("megatron/llama_mcore_te_tp2pp2_bf16");
  private static final Path TORCH_DIST_LLAMA =
      GOLDEN.resolve("megatron/llama_head_torch_dist_tp2pp2_bf16");
  private static final List<String> ARCHIVES =
      List.of(
          "views.pt",
          "dtypes.pt",
          "nested.pt",
          "numpy.pt",
          "protocol4.pt",
          "tied.pt",
          "parameters.pt",
          "new_dtypes.pt",
          "unknown_class.pt",
          "extra_state.pt");

  /** Files to damage, and how to read them. */
  static final class Case {
    private final FuzzTarget target;
    private final Path directory;
    private final List<Original> originals = new ArrayList<>();

    /** A file, where its mutants are written, and where its pickle is if it is an archive. */
    private static final class Original {
      private final byte[] bytes;
      private final Path place;
      private final @Nullable ZipRecord pickle;

      Original(byte[] bytes, Path place, @Nullable ZipRecord pickle) {
        this.bytes = bytes;
        this.place = place;
        this.pickle = pickle;
      }
    }

    private Case(FuzzTarget target, Path directory) {
      this.target = target;
      this.directory = directory;
    }

    private void add(Path file, Path place) throws IOException {
      byte[] bytes = Files.readAllBytes(file);
      ZipRecord pickle = null;
      if (target == TORCH || target == MEGATRON) {
        try (FileBytes archive = FileBytes.open(file)) {
          pickle = ZipDirectory.read(archive).records().get("data.pkl");
        }
      }
      originals.add(new Original(bytes, place, pickle));
    }

    /**
     * Damages one file and reads it.
     *
     * @return whether the damage was refused
     * @throws AssertionError if reading ends in anything but data or a typed error
     */
    boolean run(Random random) throws IOException {
      Original original = originals.get(random.nextInt(originals.size()));
      Files.write(original.place, target.mutant(original, random));
      try {
        target.read(original.place, directory);
        return false;
      } catch (CorruptCheckpointException e) {
        return true;
      } catch (NoSuchFileException e) {
        if (target == HUGGING_FACE_INDEX) {
          return true; // it names another file
        }
        throw new AssertionError(e);
      } catch (IOException | RuntimeException | Error e) {
        throw new AssertionError(e);
      } finally {
        if (directory.resolve("whole").toFile().exists()) {
          Files.write(original.place, original.bytes);
        }
      }
    }
  }

  /** Prepares the files in a directory that is empty. */
  Case prepare(Path directory) throws IOException {
    Case prepared = new Case(this, directory);
    Path whole = directory.resolve("whole");
    switch (this) {
      case SAFETENSORS -> {
        Path file = SharedFiles.torchResources().resolve("dtypes.expected.safetensors");
        prepared.add(file, directory.resolve("mutant.safetensors"));
      }
      case TORCH -> {
        for (String name : ARCHIVES) {
          prepared.add(SharedFiles.torchResources().resolve(name), directory.resolve("mutant.pt"));
        }
      }
      case LEGACY -> {
        for (String name : List.of("views_legacy.pt", "dtypes_legacy.pt")) {
          prepared.add(SharedFiles.torchResources().resolve(name), directory.resolve("mutant.pt"));
        }
      }
      case HUGGING_FACE_INDEX -> {
        copy(LLAMA, whole);
        prepared.add(
            LLAMA.resolve("model.safetensors.index.json"),
            whole.resolve("model.safetensors.index.json"));
      }
      case METADATA -> {
        copy(TORCH_DIST_LLAMA, whole);
        Path file = Path.of("iter_0000001", ".metadata");
        prepared.add(TORCH_DIST_LLAMA.resolve(file), whole.resolve(file));
      }
      case DISTCP -> {
        copy(TORCH_DIST_LLAMA, whole);
        for (int i = 0; i < 4; i++) {
          Path file = Path.of("iter_0000001", "__" + i + "_0.distcp");
          prepared.add(TORCH_DIST_LLAMA.resolve(file), whole.resolve(file));
        }
      }
      case MEGATRON -> {
        copy(MEGATRON_LLAMA, whole);
        for (String rank : List.of("00_000", "01_000", "00_001", "01_001")) {
          Path file = Path.of("iter_0000001", "mp_rank_" + rank, "model_optim_rng.pt");
          prepared.add(MEGATRON_LLAMA.resolve(file), whole.resolve(file));
        }
      }
      case TRACKER -> {
        copy(MEGATRON_LLAMA, whole);
        Path file = Path.of("latest_checkpointed_iteration.txt");
        prepared.add(MEGATRON_LLAMA.resolve(file), whole.resolve(file));
      }
    }
    return prepared;
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }

  private byte[] mutant(Case.Original original, Random random) {
    boolean knowing = random.nextInt(3) > 0;
    byte[] bytes = original.bytes;
    return switch (this) {
      case SAFETENSORS ->
          knowing ? Mutations.safetensorsHeader(bytes, random) : Mutations.any(bytes, random);
      case HUGGING_FACE_INDEX -> Mutations.json(bytes, random);
      case LEGACY, METADATA ->
          knowing ? Mutations.pickle(bytes, random) : Mutations.any(bytes, random);
      case TORCH, MEGATRON ->
          knowing && original.pickle != null
              ? Mutations.pickleInArchive(bytes, original.pickle, random)
              : Mutations.any(bytes, random);
      case DISTCP, TRACKER -> Mutations.any(bytes, random);
    };
  }

  private void read(Path file, Path directory) throws IOException {
    switch (this) {
      case SAFETENSORS -> {
        try (SafetensorsReader reader = SafetensorsReader.open(file)) {
          readAll(reader);
        }
      }
      case TORCH, LEGACY -> {
        try (TorchFileReader reader = TorchFileReader.open(file)) {
          ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
          for (TensorReference tensor : TorchTrees.tensors(reader.root())) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), tensor.byteCount()));
            reader.read(tensor, 0, buffer);
          }
          reader.verify();
        }
      }
      case HUGGING_FACE_INDEX -> {
        try (HuggingFaceCheckpoint checkpoint =
            HuggingFaceCheckpoint.open(directory.resolve("whole"))) {
          readAll(checkpoint);
        }
      }
      case METADATA, DISTCP, MEGATRON, TRACKER -> {
        try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(directory.resolve("whole"))) {
          readAll(checkpoint.fullTensors());
          TensorSource optimizer = checkpoint.optimizerTensors();
          if (optimizer != null) {
            readAll(optimizer);
          }
        }
      }
    }
  }

  /** The first and last megabyte of each tensor: mutants may claim tensors of any size. */
  private static void readAll(TensorSource source) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
    for (TensorInfo info : source.tensors()) {
      int length = (int) Math.min(buffer.capacity(), info.byteCount());
      source.read(info.name(), 0, buffer.clear().limit(length));
      source.read(info.name(), info.byteCount() - length, buffer.clear().limit(length));
    }
  }
}
