package io.github.pretrain4j.tokenizer.djl;

import ai.djl.engine.EngineException;
import ai.djl.sentencepiece.jni.LibUtils;
import ai.djl.sentencepiece.jni.SentencePieceLibrary;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;

/**
 * A model inside the C++ library, and the only class that binds that library. Thread-safe: the
 * library only reads during a call. The native memory (some 200 bytes a piece) is freed when this
 * object is unreachable, so that no call can meet freed memory.
 */
final class NativeSentencePiece {
  private static final Cleaner CLEANER =
      Cleaner.create(
          task -> {
            Thread thread = new Thread(task, "pretrain4j-native-sentencepiece");
            thread.setDaemon(true);
            return thread;
          });

  /** The library looked at a model and did not want it. */
  static final class RefusedModelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RefusedModelException(EngineException cause) {
      super(cause.getMessage(), cause);
    }
  }

  private final long handle;

  private NativeSentencePiece(long handle) {
    this.handle = handle;
    CLEANER.register(this, () -> SentencePieceLibrary.LIB.deleteSentencePieceProcessor(handle));
  }

  /**
   * Loads the library and a model file's bytes into it.
   *
   * @throws RefusedModelException if the library does not accept the model
   * @throws LinkageError if DJL is absent, or the library does not fit the platform
   * @throws IllegalStateException if DJL cannot put the library where it could be loaded from
   */
  static NativeSentencePiece load(byte[] model) {
    LibUtils.loadLibrary(); // does nothing if it is loaded already
    NativeSentencePiece loaded =
        new NativeSentencePiece(SentencePieceLibrary.LIB.createSentencePieceProcessor());
    try {
      SentencePieceLibrary.LIB.loadModelFromBytes(loaded.handle, model);
    } catch (EngineException e) {
      throw new RefusedModelException(e);
    } finally {
      Reference.reachabilityFence(loaded);
    }
    return loaded;
  }

  /**
   * The ids of a text without lone surrogates.
   *
   * @throws IllegalArgumentException if the model cannot represent the text
   */
  int[] encode(String text) {
    try {
      return SentencePieceLibrary.LIB.encode(handle, text);
    } catch (EngineException e) {
      throw refused(e);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** The pieces of a text without lone surrogates, as {@link #encode} its ids. */
  String[] tokenize(String text) {
    try {
      return SentencePieceLibrary.LIB.tokenize(handle, text);
    } catch (EngineException e) {
      throw refused(e);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  private static IllegalArgumentException refused(EngineException e) {
    return new IllegalArgumentException(
        "the model cannot represent this text: " + e.getMessage(), e);
  }
}
