package io.github.pretrain4j.tokenizer;

import java.util.Arrays;
import java.util.List;

/**
 * The ids of a text with what each stands for. Arrays are the caller's own: nobody else holds them.
 *
 * @param ids the ids
 * @param pieces for each id, the string the reference program prints for it
 * @param begins for each id, where its part of the original text begins
 * @param ends for each id, where it ends, exclusive
 */
@SuppressWarnings("ArrayRecordComponent") // one object of three arrays, as the caller needs them
public record Encoding(int[] ids, List<String> pieces, int[] begins, int[] ends) {

  /** Checks that all four are of one length. */
  public Encoding {
    if (pieces.size() != ids.length || begins.length != ids.length || ends.length != ids.length) {
      throw new IllegalArgumentException(
          ids.length
              + " ids, "
              + pieces.size()
              + " pieces, "
              + begins.length
              + " begins and "
              + ends.length
              + " ends");
    }
    pieces = List.copyOf(pieces);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Encoding that
        && Arrays.equals(ids, that.ids)
        && pieces.equals(that.pieces)
        && Arrays.equals(begins, that.begins)
        && Arrays.equals(ends, that.ends);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(ids) + pieces.hashCode();
  }

  @Override
  public String toString() {
    return "Encoding" + Arrays.toString(ids) + pieces;
  }
}
