package io.github.pretrain4j.backend.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * Puts the shared libraries of oneDNN's native jar where the dynamic loader can open them: {@code
 * $XDG_CACHE_HOME/pretrain4j/onednn-CRC/}, by default under {@code ~/.cache}.
 *
 * <p>A file that is there with the jar's length and CRC-32 is used again; otherwise it is written
 * beside and renamed, so that several JVMs may do this at once.
 */
final class NativeLibraries {
  private static final System.Logger LOG = System.getLogger(NativeLibraries.class.getName());
  private static final String LIBRARY = "libdnnl.so.3";
  private static final String OPEN_MP = "libgomp.so.1";

  private NativeLibraries() {}

  /** The two files; the second needs the first. */
  record Extracted(Path openMp, Path library) {}

  /**
   * Extracts the libraries for this platform.
   *
   * @throws IOException if there are none, or the cache directory cannot be written
   */
  static Extracted extract() throws IOException {
    String folder = "/org/bytedeco/dnnl/" + platform() + "/";
    JarEntry library = entry(folder + LIBRARY);
    Path directory = cacheDirectory().resolve("onednn-%08x".formatted(library.getCrc()));
    Files.createDirectories(directory);
    return new Extracted(extract(folder, OPEN_MP, directory), extract(folder, LIBRARY, directory));
  }

  private static String platform() {
    String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    String architecture = System.getProperty("os.arch", "");
    if (!os.equals("linux") || !architecture.equals("amd64")) {
      throw new UnsupportedOperationException(
          "no oneDNN library for " + os + " on " + architecture);
    }
    return "linux-x86_64";
  }

  private static Path cacheDirectory() {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path root =
        cache != null && Path.of(cache).isAbsolute()
            ? Path.of(cache)
            : Path.of(System.getProperty("user.home"), ".cache");
    return root.resolve("pretrain4j");
  }

  private static JarEntry entry(String resource) throws IOException {
    URL url = NativeLibraries.class.getResource(resource);
    if (url == null) {
      throw new IOException("oneDNN's native jar is not on the class path (no " + resource + ")");
    }
    URLConnection connection = url.openConnection();
    if (connection instanceof JarURLConnection jar) {
      return jar.getJarEntry();
    }
    throw new IOException("oneDNN's native library is not in a jar: " + url);
  }

  private static Path extract(String folder, String name, Path directory) throws IOException {
    JarEntry entry = entry(folder + name);
    Path target = directory.resolve(name);
    if (Files.isRegularFile(target)
        && Files.size(target) == entry.getSize()
        && crc(Files.newInputStream(target)) == entry.getCrc()) {
      return target;
    }
    LOG.log(System.Logger.Level.INFO, "extracting {0} to {1}", name, directory);
    Path beside = Files.createTempFile(directory, name, ".tmp");
    try {
      long crc;
      try (InputStream in = open(folder + name);
          FileChannel out = FileChannel.open(beside, StandardOpenOption.WRITE)) {
        CheckedInputStream checked = new CheckedInputStream(in, new CRC32());
        checked.transferTo(Channels.newOutputStream(out));
        out.force(true);
        crc = checked.getChecksum().getValue();
      }
      if (crc != entry.getCrc()) {
        throw new IOException(
            "%s: expected CRC-32 %08x, found %08x".formatted(beside, entry.getCrc(), crc));
      }
      Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
      return target;
    } finally {
      Files.deleteIfExists(beside);
    }
  }

  private static InputStream open(String resource) throws IOException {
    InputStream in = NativeLibraries.class.getResourceAsStream(resource);
    if (in == null) {
      throw new IOException("no " + resource + " on the class path");
    }
    return in;
  }

  private static long crc(InputStream in) throws IOException {
    CRC32 crc = new CRC32();
    byte[] buffer = new byte[1 << 16];
    try (in) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        crc.update(buffer, 0, n);
      }
    }
    return crc.getValue();
  }
}
