package io.github.pretrain4j.dataset.preprocess;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What a journal says; the layout of {@link Journal}'s payloads is here and nowhere else. */
sealed interface JournalRecord {
  /** Writes the payload: a kind byte, then the fields in their order. */
  void write(DataOutputStream out) throws IOException;

  /** The payload's bytes. */
  default byte[] toBytes() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    write(new DataOutputStream(bytes));
    return bytes.toByteArray();
  }

  /** Reads a payload whose checksum is right; what is wrong nevertheless is an IOException. */
  static JournalRecord read(DataInputStream in) throws IOException {
    byte kind = in.readByte();
    return switch (kind) {
      case Start.KIND -> Start.read(in);
      case Progress.KIND -> Progress.read(in);
      case Sealed.KIND -> Sealed.read(in);
      case Abandoned.KIND -> new Abandoned();
      default -> throw new IOException("no kind of record: " + kind);
    };
  }

  /** One setting of a run, for the message if a later run's is different. */
  record Setting(String name, String value) {}

  /** An input when the run began. */
  record Input(String name, long bytes, long modifiedMillis) {}

  /**
   * The first record: which run this is.
   *
   * @param settings everything that decides the bytes of the outputs
   * @param inputs the inputs in their order
   * @param files names of all files it makes, beside the journal
   * @param partitionLines lines of a sequential partition, else 0
   */
  record Start(List<Setting> settings, List<Input> inputs, List<String> files, long partitionLines)
      implements JournalRecord {
    static final byte KIND = 1;

    @Override
    public void write(DataOutputStream out) throws IOException {
      out.writeByte(KIND);
      out.writeInt(settings.size());
      for (Setting setting : settings) {
        writeText(out, setting.name());
        writeText(out, setting.value());
      }
      out.writeInt(inputs.size());
      for (Input input : inputs) {
        writeText(out, input.name());
        out.writeLong(input.bytes());
        out.writeLong(input.modifiedMillis());
      }
      out.writeInt(files.size());
      for (String file : files) {
        writeText(out, file);
      }
      out.writeLong(partitionLines);
    }

    static Start read(DataInputStream in) throws IOException {
      List<Setting> settings = new ArrayList<>();
      for (int i = count(in); i > 0; i--) {
        settings.add(new Setting(readText(in), readText(in)));
      }
      List<Input> inputs = new ArrayList<>();
      for (int i = count(in); i > 0; i--) {
        inputs.add(new Input(readText(in), in.readLong(), in.readLong()));
      }
      List<String> files = new ArrayList<>();
      for (int i = count(in); i > 0; i--) {
        files.add(readText(in));
      }
      return new Start(settings, inputs, files, in.readLong());
    }
  }

  /** An input that was read to its end; documents of it for each partition. */
  record Finished(long bytes, String sha256, List<Long> documents) {}

  /** How much of a file was on disk, and its SHA-256. */
  record Stream(String name, long bytes, String sha256) {}

  /**
   * How far the run was; everything it says is on disk.
   *
   * @param position where to go on
   * @param prefixSha256 SHA-256 of the input at the position, decompressed, up to there
   * @param lines lines of all inputs before the position
   * @param inputBytes bytes of all inputs, decompressed, before the position
   * @param rejected lines left out
   * @param policy what became of them
   * @param finished inputs that ended since the record before
   * @param documents of the input at the position, for each partition
   * @param streams the files being written
   */
  record Progress(
      InputPosition position,
      String prefixSha256,
      long lines,
      long inputBytes,
      long rejected,
      BadLinePolicy policy,
      List<Finished> finished,
      List<Long> documents,
      List<Stream> streams)
      implements JournalRecord {
    static final byte KIND = 2;

    @Override
    public void write(DataOutputStream out) throws IOException {
      out.writeByte(KIND);
      out.writeInt(position.file());
      out.writeLong(position.byteOffset());
      out.writeLong(position.lineNumber());
      writeText(out, prefixSha256);
      out.writeLong(lines);
      out.writeLong(inputBytes);
      out.writeLong(rejected);
      writeText(out, policy.name());
      out.writeInt(finished.size());
      for (Finished input : finished) {
        out.writeLong(input.bytes());
        writeText(out, input.sha256());
        writeLongs(out, input.documents());
      }
      writeLongs(out, documents);
      writeStreams(out, streams);
    }

    static Progress read(DataInputStream in) throws IOException {
      InputPosition position = new InputPosition(in.readInt(), in.readLong(), in.readLong());
      String prefixSha256 = readText(in);
      long lines = in.readLong();
      long inputBytes = in.readLong();
      long rejected = in.readLong();
      BadLinePolicy policy = BadLinePolicy.valueOf(readText(in));
      List<Finished> finished = new ArrayList<>();
      for (int i = count(in); i > 0; i--) {
        finished.add(new Finished(in.readLong(), readText(in), readLongs(in)));
      }
      return new Progress(
          position,
          prefixSha256,
          lines,
          inputBytes,
          rejected,
          policy,
          finished,
          readLongs(in),
          readStreams(in));
    }
  }

  /** A dataset that is complete; {@code data} and {@code index} count in the sealed files. */
  record SealedOutput(
      String key,
      String prefix,
      boolean partition,
      long documents,
      long sequences,
      long tokens,
      int data,
      int index) {}

  /**
   * All files are complete and on disk; what is left is to rename them.
   *
   * @param files in the order in which they must appear
   */
  record Sealed(
      long documents,
      long inputBytes,
      long rejected,
      List<Stream> files,
      List<SealedOutput> outputs)
      implements JournalRecord {
    static final byte KIND = 3;

    @Override
    public void write(DataOutputStream out) throws IOException {
      out.writeByte(KIND);
      out.writeLong(documents);
      out.writeLong(inputBytes);
      out.writeLong(rejected);
      writeStreams(out, files);
      out.writeInt(outputs.size());
      for (SealedOutput output : outputs) {
        writeText(out, output.key());
        writeText(out, output.prefix());
        out.writeBoolean(output.partition());
        out.writeLong(output.documents());
        out.writeLong(output.sequences());
        out.writeLong(output.tokens());
        out.writeInt(output.data());
        out.writeInt(output.index());
      }
    }

    static Sealed read(DataInputStream in) throws IOException {
      long documents = in.readLong();
      long inputBytes = in.readLong();
      long rejected = in.readLong();
      List<Stream> files = readStreams(in);
      List<SealedOutput> outputs = new ArrayList<>();
      for (int i = count(in); i > 0; i--) {
        outputs.add(
            new SealedOutput(
                readText(in),
                readText(in),
                in.readBoolean(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readInt(),
                in.readInt()));
      }
      return new Sealed(documents, inputBytes, rejected, files, outputs);
    }
  }

  /** The run's files are being deleted. */
  record Abandoned() implements JournalRecord {
    static final byte KIND = 4;

    @Override
    public void write(DataOutputStream out) throws IOException {
      out.writeByte(KIND);
    }
  }

  private static void writeText(DataOutputStream out, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static String readText(DataInputStream in) throws IOException {
    byte[] bytes = in.readNBytes(count(in));
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static void writeLongs(DataOutputStream out, List<Long> values) throws IOException {
    out.writeInt(values.size());
    for (long value : values) {
      out.writeLong(value);
    }
  }

  private static List<Long> readLongs(DataInputStream in) throws IOException {
    List<Long> values = new ArrayList<>();
    for (int i = count(in); i > 0; i--) {
      values.add(in.readLong());
    }
    return values;
  }

  private static void writeStreams(DataOutputStream out, List<Stream> streams) throws IOException {
    out.writeInt(streams.size());
    for (Stream stream : streams) {
      writeText(out, stream.name());
      out.writeLong(stream.bytes());
      writeText(out, stream.sha256());
    }
  }

  private static List<Stream> readStreams(DataInputStream in) throws IOException {
    List<Stream> streams = new ArrayList<>();
    for (int i = count(in); i > 0; i--) {
      streams.add(new Stream(readText(in), in.readLong(), readText(in)));
    }
    return streams;
  }

  /** A number of things, each of a byte at least: no more than bytes are left. */
  private static int count(DataInputStream in) throws IOException {
    int count = in.readInt();
    if (count < 0 || count > in.available()) {
      throw new IOException("a count of " + count + " with " + in.available() + " bytes left");
    }
    return count;
  }
}
