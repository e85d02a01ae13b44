package io.github.pretrain4j.dataset;

import java.util.Arrays;
import java.util.Random;

/** What can happen to a file. */
public enum Damage {
  EMPTY {
    @Override
    public byte[] apply(byte[] bytes, Random random) {
      return new byte[0];
    }
  },
  CUT {
    @Override
    public byte[] apply(byte[] bytes, Random random) {
      return Arrays.copyOf(bytes, random.nextInt(bytes.length));
    }
  },
  ZEROED {
    @Override
    public byte[] apply(byte[] bytes, Random random) {
      return new byte[bytes.length];
    }
  },
  GROWN {
    @Override
    public byte[] apply(byte[] bytes, Random random) {
      return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9));
    }
  };

  /** What becomes of a file of these bytes. */
  public abstract byte[] apply(byte[] bytes, Random random);
}
