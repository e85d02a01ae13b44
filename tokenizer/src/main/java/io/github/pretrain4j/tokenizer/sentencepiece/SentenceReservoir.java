package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.List;

/**
 * A random sample of bounded size from a stream of unknown length: algorithm R. The random numbers
 * are splitmix64's, so that a seed means the same sample on every Java.
 *
 * @see <a href="https://dl.acm.org/doi/10.1145/3147.3165">Vitter, 1985</a>
 */
final class SentenceReservoir {
  private final int capacity;
  private final List<String> sentences = new ArrayList<>();
  private long state;
  private long seen;

  SentenceReservoir(int capacity, long seed) {
    this.capacity = capacity;
    this.state = seed;
  }

  void add(String sentence) {
    seen++;
    if (sentences.size() < capacity) {
      sentences.add(sentence);
      return;
    }
    long at = Long.remainderUnsigned(nextRandom(), seen);
    if (at < capacity) {
      sentences.set((int) at, sentence);
    }
  }

  List<String> sentences() {
    return sentences;
  }

  long seen() {
    return seen;
  }

  private long nextRandom() {
    state += 0x9E3779B97F4A7C15L;
    long z = state;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
