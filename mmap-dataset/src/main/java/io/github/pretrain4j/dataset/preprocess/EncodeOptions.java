package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How lines become ids.
 *
 * @param keys the fields whose texts are encoded
 * @param appendEod whether each document that is not empty ends with the eod
 * @param eodId the id of the eod
 * @param type what an id becomes on disk
 * @param splitter makes sentences, one sequence each, of each text; null leaves texts whole
 * @param failFast whether the first bad line ends everything; else it is a {@link RejectedLine}
 */
record EncodeOptions(
    List<String> keys,
    boolean appendEod,
    int eodId,
    TokenType type,
    @Nullable SentenceSplitter splitter,
    boolean failFast) {
  EncodeOptions {
    keys = List.copyOf(keys);
  }
}
