package io.github.pretrain4j.backend;

import io.github.pretrain4j.backend.Availability.Available;
import io.github.pretrain4j.backend.Availability.Unavailable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The installed {@link ComputeBackend}s, by name. */
public final class ComputeBackends {
  /** The name that means "the best one that works here". */
  public static final String AUTO = "auto";

  private ComputeBackends() {}

  /**
   * All installed backends, best first; whether they work here is for {@link
   * ComputeBackend#availability()} to say.
   */
  public static List<ComputeBackend> installed() {
    TreeMap<String, ComputeBackend> byName = new TreeMap<>();
    for (ComputeBackend backend : ServiceLoader.load(ComputeBackend.class)) {
      ComputeBackend other = byName.putIfAbsent(backend.name(), backend);
      if (other != null) {
        throw new IllegalStateException(
            "two compute backends are named '"
                + backend.name()
                + "': "
                + other.getClass().getName()
                + " and "
                + backend.getClass().getName());
      }
    }
    List<ComputeBackend> backends = new ArrayList<>(byName.values());
    backends.sort(Comparator.comparingInt(ComputeBackend::priority).reversed());
    return List.copyOf(backends);
  }

  /**
   * The backend of that name, or for {@value #AUTO} the best one that works here.
   *
   * @throws IllegalArgumentException if none has that name; lists those there are
   * @throws UnavailableException if it cannot run here
   */
  public static ComputeBackend find(String name) {
    List<ComputeBackend> installed = installed();
    for (ComputeBackend backend : installed) {
      boolean wanted = name.equals(AUTO) || name.equals(backend.name());
      if (wanted && backend.availability() instanceof Available) {
        return backend;
      }
      if (name.equals(backend.name()) && backend.availability() instanceof Unavailable missing) {
        throw new UnavailableException(
            "backend '" + name + "': " + missing.reason(), missing.remedy());
      }
    }
    if (name.equals(AUTO)) {
      throw new UnavailableException(
          "no compute backend works here: " + describe(installed), "see each backend's remedy");
    }
    throw new IllegalArgumentException(
        "unknown compute backend '" + name + "'; installed: " + describe(installed));
  }

  private static String describe(List<ComputeBackend> backends) {
    List<String> lines = new ArrayList<>();
    for (ComputeBackend backend : backends) {
      lines.add(
          switch (backend.availability()) {
            case Available available -> backend.name();
            case Unavailable missing ->
                backend.name() + " (not here: " + missing.reason() + "; " + missing.remedy() + ")";
          });
    }
    return String.join(", ", lines);
  }
}
