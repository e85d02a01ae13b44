package io.github.pretrain4j.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.tokenizer.sentencepiece.BpeTrainer;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.TrainerConfig;
import io.github.pretrain4j.tokenizer.sentencepiece.UnigramTrainer;
import io.github.pretrain4j.tokenizer.sentencepiece.UnigramTrainerConfig;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A model file and texts to measure encoders with: those that are named, or small ones made here,
 * so that a benchmark runs everywhere. Texts are UTF-8 in memory; reading them is not measured.
 */
final class EncodeMaterial {
  /** Instead of a model file: a BPE model trained here. */
  static final String BPE = "bpe";

  /** Instead of a model file: a unigram model trained here. */
  static final String UNIGRAM = "unigram";

  /** Instead of a file of texts. */
  static final String GENERATED = "generated";

  private static final int VOCABULARY_SIZE = 2000;
  private static final int TRAINING_SENTENCES = 1000;
  private static final int SENTENCE_BYTES = 400;
  private static final int DOCUMENTS = 64;
  private static final int DOCUMENT_BYTES = 2048;

  private EncodeMaterial() {}

  /** The file of a model, made in {@code folder} if {@code model} is not a file's name. */
  static Path model(String model, Path folder) throws IOException {
    if (!model.equals(BPE) && !model.equals(UNIGRAM)) {
      return Path.of(model);
    }
    GeneratedText text = new GeneratedText(2);
    Iterator<String> sentences =
        Stream.generate(() -> text.sentence(SENTENCE_BYTES)).limit(TRAINING_SENTENCES).iterator();
    TrainerConfig config = TrainerConfig.llama(VOCABULARY_SIZE);
    SentencePieceModel trained =
        model.equals(BPE)
            ? BpeTrainer.train(sentences, config)
            : UnigramTrainer.train(
                sentences, config, UnigramTrainerConfig.defaults(), (step, done, total) -> {});
    Path file = folder.resolve(model + ".model");
    trained.write(file);
    return file;
  }

  /**
   * The texts of a file: the lines, or in a {@code .jsonl} file all strings of each object
   * together, up to so many bytes; or texts made here of the words that the models were trained on.
   */
  static byte[][] documents(String corpus, long maxBytes) throws IOException {
    List<byte[]> documents = new ArrayList<>();
    if (corpus.equals(GENERATED)) {
      GeneratedText text = new GeneratedText(3);
      for (int i = 0; i < DOCUMENTS; i++) {
        documents.add(text.sentence(DOCUMENT_BYTES).getBytes(StandardCharsets.UTF_8));
      }
      return documents.toArray(byte[][]::new);
    }
    boolean json = corpus.endsWith(".jsonl");
    ObjectMapper mapper = new ObjectMapper();
    long bytes = 0;
    try (BufferedReader lines = Files.newBufferedReader(Path.of(corpus))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        byte[] document =
            (json ? strings(mapper.readTree(line)) : line).getBytes(StandardCharsets.UTF_8);
        bytes += document.length;
        if (bytes > maxBytes) {
          break;
        }
        documents.add(document);
      }
    }
    return documents.toArray(byte[][]::new);
  }

  private static String strings(JsonNode object) {
    StringBuilder text = new StringBuilder();
    object.forEach(value -> text.append(value.isTextual() ? value.textValue() : ""));
    return text.toString();
  }

  /** All bytes of the documents. */
  static long byteCount(byte[][] documents) {
    long bytes = 0;
    for (byte[] document : documents) {
      bytes += document.length;
    }
    return bytes;
  }
}
