package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.List;

/**
 * A vocabulary that has grown.
 *
 * @param model the extended model; ids below {@code oldSize} mean what they meant before
 * @param oldSize how many pieces there were, and the id of the first new one
 * @param oldIdsOfNewPieces for each new piece the ids that the old model divides its text into:
 *     what its row of an embedding can be made from
 * @param unreachable strings that were asked for and left out, because no encoder would ever make
 *     them
 */
public record Extension(
    SentencePieceModel model,
    int oldSize,
    List<int[]> oldIdsOfNewPieces,
    List<String> unreachable) {

  /** Copies the lists. */
  public Extension {
    oldIdsOfNewPieces = List.copyOf(oldIdsOfNewPieces);
    unreachable = List.copyOf(unreachable);
  }

  /** The new pieces in the order of their ids. */
  public List<SentencePieceModel.Piece> newPieces() {
    return model.pieces().subList(oldSize, model.pieces().size());
  }
}
