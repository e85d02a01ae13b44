package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.storage.MappedFile;
import java.util.Objects;

/**
 * An array of numbers that is either on the heap, as built, or mapped from a cache file, as found;
 * a mapped one may have any length and costs no heap. Thread-safe, never written.
 */
abstract sealed class IndexArray {
  private final long length;

  private IndexArray(long length) {
    this.length = length;
  }

  /** Number of elements. */
  final long length() {
    return length;
  }

  /** One element; callers check the index. */
  abstract long get(long index);

  /** Copies elements that are known to fit an int. */
  void copy(long from, int[] into, int count) {
    for (int i = 0; i < count; i++) {
      into[i] = (int) get(from + i);
    }
  }

  /** On the heap. */
  static IndexArray of(int[] elements) {
    return new Ints(elements);
  }

  /** On the heap. */
  static IndexArray of(short[] elements) {
    return new Shorts(elements);
  }

  /** Two elements a long, the first in the low half: what a row of two is in a file. */
  static IndexArray ofPairs(long[] pairs) {
    return new Pairs(pairs);
  }

  /** In a file. */
  static IndexArray mapped(MappedFile file, long byteOffset, long length, NpyFile.Type type) {
    return switch (type) {
      case INT16 -> new Mapped2(file, byteOffset, length);
      case INT32 -> new Mapped4(file, byteOffset, length);
      case UINT32 -> new MappedUnsigned4(file, byteOffset, length);
      case INT64 -> new Mapped8(file, byteOffset, length);
    };
  }

  private static final class Ints extends IndexArray {
    private final int[] elements;

    Ints(int[] elements) {
      super(elements.length);
      this.elements = elements;
    }

    @Override
    long get(long index) {
      return elements[(int) index];
    }

    @Override
    void copy(long from, int[] into, int count) {
      System.arraycopy(elements, Math.toIntExact(from), into, 0, count);
    }
  }

  private static final class Shorts extends IndexArray {
    private final short[] elements;

    Shorts(short[] elements) {
      super(elements.length);
      this.elements = elements;
    }

    @Override
    long get(long index) {
      return elements[(int) index];
    }
  }

  private static final class Pairs extends IndexArray {
    private final long[] pairs;

    Pairs(long[] pairs) {
      super(2L * pairs.length);
      this.pairs = pairs;
    }

    @Override
    long get(long index) {
      long pair = pairs[(int) (index >> 1)];
      return (index & 1) == 0 ? (int) pair : pair >> 32;
    }
  }

  private static final class Mapped2 extends IndexArray {
    private final MappedFile file;
    private final long byteOffset;

    Mapped2(MappedFile file, long byteOffset, long length) {
      super(length);
      this.file = file;
      this.byteOffset = byteOffset;
    }

    @Override
    long get(long index) {
      long at = byteOffset + 2 * Objects.checkIndex(index, length());
      return file.chunk(at).getShort(file.inChunk(at));
    }
  }

  private static final class Mapped4 extends IndexArray {
    private final MappedFile file;
    private final long byteOffset;

    Mapped4(MappedFile file, long byteOffset, long length) {
      super(length);
      this.file = file;
      this.byteOffset = byteOffset;
    }

    @Override
    long get(long index) {
      return file.getInt(byteOffset + 4 * Objects.checkIndex(index, length()));
    }
  }

  private static final class MappedUnsigned4 extends IndexArray {
    private final MappedFile file;
    private final long byteOffset;

    MappedUnsigned4(MappedFile file, long byteOffset, long length) {
      super(length);
      this.file = file;
      this.byteOffset = byteOffset;
    }

    @Override
    long get(long index) {
      return file.getInt(byteOffset + 4 * Objects.checkIndex(index, length())) & 0xffff_ffffL;
    }
  }

  private static final class Mapped8 extends IndexArray {
    private final MappedFile file;
    private final long byteOffset;

    Mapped8(MappedFile file, long byteOffset, long length) {
      super(length);
      this.file = file;
      this.byteOffset = byteOffset;
    }

    @Override
    long get(long index) {
      return file.getLong(byteOffset + 8 * Objects.checkIndex(index, length()));
    }
  }
}
