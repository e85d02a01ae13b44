package io.github.pretrain4j.dataset.sentences;

import java.io.IOException;
import java.nio.file.Path;

/** A file of Punkt parameters that is missing or not what NLTK writes. */
public final class PunktDataException extends IOException {
  private static final long serialVersionUID = 1L;

  PunktDataException(Path file, String problem) {
    super(file + ": " + problem);
  }

  PunktDataException(Path file, long byteOffset, String expected, Object found) {
    super(file + ": at byte " + byteOffset + ": expected " + expected + ", found " + found);
  }
}
