package io.github.pretrain4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Turns what a step threw into one line on the error stream and an exit code. */
final class ToolErrors {

  private static final String VECTOR_MODULE = "jdk.incubator.vector";

  private ToolErrors() {}

  /**
   * Prints {@code p4j-NAME: error: …} (the stack trace too, if asked or if it is a bug) and returns
   * the exit code.
   */
  static int report(String tool, Throwable thrown, boolean stackTrace, PrintWriter err) {
    int code = code(thrown);
    err.printf("%s: error: %s%n", tool, message(thrown));
    if (code == ExitCode.BUG) {
      err.println("This is a bug in pretrain4j. Please report it with the lines below.");
    }
    if (stackTrace || code == ExitCode.BUG) {
      thrown.printStackTrace(err);
    }
    return code;
  }

  private static int code(Throwable thrown) {
    if (thrown instanceof IOException
        || thrown instanceof UncheckedIOException
        || thrown instanceof OutOfMemoryError) {
      return ExitCode.WORLD;
    }
    if (isUnavailable(thrown) || missesVectorModule(thrown)) {
      return ExitCode.UNAVAILABLE;
    }
    return thrown instanceof IllegalArgumentException ? ExitCode.USAGE : ExitCode.BUG;
  }

  /** The leaves each have an exception of this name; none of them imports another's. */
  private static boolean isUnavailable(Throwable thrown) {
    return thrown.getClass().getSimpleName().equals("UnavailableException");
  }

  private static boolean missesVectorModule(Throwable thrown) {
    return thrown instanceof NoClassDefFoundError error
        && String.valueOf(error.getMessage()).startsWith("jdk/incubator/vector/");
  }

  private static String message(Throwable thrown) {
    if (missesVectorModule(thrown)) {
      return "this JVM was started without the module %s: use bin/p4j, or add --add-modules %s to the java command"
          .formatted(VECTOR_MODULE, VECTOR_MODULE);
    }
    if (thrown instanceof OutOfMemoryError) {
      return "out of memory%s; give the JVM more, for example P4J_JAVA_OPTIONS=-Xmx16g"
          .formatted(thrown.getMessage() == null ? "" : " (" + thrown.getMessage() + ")");
    }
    if (thrown instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      return message(unchecked.getCause());
    }
    if (thrown instanceof FileSystemException failure) {
      return fileMessage(failure);
    }
    String message = thrown.getMessage();
    return message == null || message.isBlank() ? thrown.toString() : message;
  }

  /** The JDK's file exceptions carry only the path as message. */
  private static String fileMessage(FileSystemException failure) {
    String kind = reason(failure);
    String detail = failure.getReason();
    String reason = detail == null || detail.equals(kind) ? kind : kind + " (" + detail + ")";
    return failure.getFile() == null ? reason : failure.getFile() + ": " + reason;
  }

  private static String reason(FileSystemException failure) {
    if (failure instanceof NoSuchFileException) {
      return "no such file or directory";
    }
    if (failure instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (failure instanceof FileAlreadyExistsException) {
      return "already exists";
    }
    if (failure instanceof NotDirectoryException) {
      return "is not a directory";
    }
    if (failure instanceof DirectoryNotEmptyException) {
      return "the directory is not empty";
    }
    String reason = failure.getReason();
    return reason == null ? failure.getClass().getSimpleName() : reason;
  }
}
