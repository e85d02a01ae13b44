package io.github.pretrain4j.generate;

import java.util.List;

/**
 * Text passing through until a stop text shows up. What could be the beginning of a stop text is
 * held back until the next characters decide. Of several stop texts the one that is complete first
 * wins, of those the one that begins first, so that the result does not depend on how the text was
 * cut into pieces.
 */
final class StopFilter {

  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean stopped;

  StopFilter(List<String> stops) {
    this.stops = List.copyOf(stops);
  }

  /** Takes more text and returns what is certain to precede any stop text. */
  String accept(String text) {
    if (stopped) {
      return "";
    }
    held.append(text);
    int begin = -1;
    int end = Integer.MAX_VALUE;
    for (String stop : stops) {
      int found = held.indexOf(stop);
      int foundEnd = found + stop.length();
      if (found >= 0 && (foundEnd < end || (foundEnd == end && found < begin))) {
        begin = found;
        end = foundEnd;
      }
    }
    stopped = begin >= 0;
    return release(stopped ? begin : held.length() - undecided());
  }

  /** The rest, once no more text will come. */
  String finish() {
    return stopped ? "" : release(held.length());
  }

  boolean stopped() {
    return stopped;
  }

  /** The length of the longest end of the held text that begins a stop text. */
  private int undecided() {
    int longest = 0;
    for (String stop : stops) {
      for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
        if (held.indexOf(stop.substring(0, length), held.length() - length) >= 0) {
          longest = length;
        }
      }
    }
    return longest;
  }

  private String release(int length) {
    String text = held.substring(0, length);
    held.delete(0, length);
    return text;
  }
}
