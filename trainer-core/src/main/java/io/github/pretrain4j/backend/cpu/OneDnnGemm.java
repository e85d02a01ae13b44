package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.cpu.OneDnn.Arguments;
import io.github.pretrain4j.backend.cpu.OneDnn.Product;
import io.github.pretrain4j.backend.cpu.OneDnn.Strided;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Products by oneDNN, each in the calling thread. A product is compiled once for each set of sizes
 * and shared; streams, argument lists and scratch memory are each thread's own.
 */
final class OneDnnGemm implements TileGemm {
  /** Compiled products kept; beyond it all are dropped and compiled again as needed. */
  private static final int MAX_PRODUCTS = 2_048;

  private record Key(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      int lda,
      int ldb,
      int ldc,
      boolean accumulate) {}

  /** What belongs to one thread of the pool. */
  private static final class Participant {
    final MemorySegment stream;
    final Map<Key, Arguments> arguments = new HashMap<>();
    final ScratchMemory scratch = new ScratchMemory();

    Participant(MemorySegment stream) {
      this.stream = stream;
    }
  }

  private final OneDnn oneDnn;
  private final Map<Key, Product> products = new ConcurrentHashMap<>();
  private final List<Participant> participants = new ArrayList<>();
  private Arena argumentMemory = Arena.ofShared();
  private boolean closed;

  OneDnnGemm(OneDnn oneDnn, int threads) {
    this.oneDnn = oneDnn;
    for (int i = 0; i < threads; i++) {
      participants.add(new Participant(oneDnn.createStream()));
    }
  }

  @Override
  public String description() {
    return "oneDNN " + oneDnn.version();
  }

  @Override
  public void multiply(
      int participant,
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      MemorySegment a,
      long aOffset,
      int lda,
      MemorySegment b,
      long bOffset,
      int ldb,
      boolean accumulate,
      MemorySegment c,
      long cOffset,
      int ldc) {
    Participant own = participants.get(participant);
    Key key = new Key(transposeA, transposeB, m, n, k, lda, ldb, ldc, accumulate);
    Product product = products.computeIfAbsent(key, this::compile);
    Arguments arguments =
        own.arguments.computeIfAbsent(
            key, unused -> oneDnn.createArguments(argumentMemory, product));
    oneDnn.execute(
        product,
        own.stream,
        arguments,
        from(a, aOffset),
        from(b, bOffset),
        from(c, cOffset),
        own.scratch.bytes(product.scratchBytes()));
  }

  private Product compile(Key key) {
    return oneDnn.createProduct(
        Strided.of(key.transposeA(), key.m(), key.k(), key.lda()),
        Strided.of(key.transposeB(), key.k(), key.n(), key.ldb()),
        Strided.of(false, key.m(), key.n(), key.ldc()),
        key.accumulate());
  }

  private static MemorySegment from(MemorySegment segment, long offset) {
    return segment.asSlice(offset * Float.BYTES);
  }

  @Override
  public void trim() {
    if (products.size() > MAX_PRODUCTS) {
      dropProducts();
    }
  }

  private void dropProducts() {
    for (Participant participant : participants) {
      participant.arguments.values().forEach(oneDnn::destroyArguments);
      participant.arguments.clear();
    }
    products.values().forEach(oneDnn::destroyProduct);
    products.clear();
    argumentMemory.close();
    argumentMemory = Arena.ofShared();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      dropProducts();
      argumentMemory.close();
      for (Participant participant : participants) {
        participant.scratch.close();
        oneDnn.destroyStream(participant.stream);
      }
      oneDnn.destroyEngine();
    }
  }
}
