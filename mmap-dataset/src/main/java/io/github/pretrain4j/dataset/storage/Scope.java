package io.github.pretrain4j.dataset.storage;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Resources of one owner: closes, in reverse order, what was opened so far. Idempotent. */
public final class Scope implements Closeable {
  private final Deque<Closeable> opened = new ArrayDeque<>();

  /** Takes charge of a resource, and returns it. */
  public <T extends Closeable> T add(T resource) {
    opened.push(resource);
    return resource;
  }

  /** Closes everything because of a failure; what goes wrong now is noted in it. */
  public void closeAfter(Throwable failure) {
    try {
      close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    while (!opened.isEmpty()) {
      try {
        opened.pop().close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
