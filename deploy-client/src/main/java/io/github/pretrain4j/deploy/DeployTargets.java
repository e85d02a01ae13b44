package io.github.pretrain4j.deploy;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Finds deploy targets by name. */
public final class DeployTargets {
  private static final Pattern NAME = Pattern.compile("[a-z0-9-]+");

  private final SortedMap<String, DeployTarget> byName = new TreeMap<>();
  private final List<String> unloadable = new ArrayList<>();

  private DeployTargets(Iterator<DeployTarget> targets) {
    while (true) {
      DeployTarget target;
      try {
        if (!targets.hasNext()) {
          return;
        }
        target = targets.next();
      } catch (ServiceConfigurationError e) {
        unloadable.add(String.valueOf(e.getMessage()));
        continue;
      }
      if (!NAME.matcher(target.name()).matches()) {
        throw new IllegalStateException(
            target.getClass().getName() + " has the unusable name '" + target.name() + "'");
      }
      DeployTarget other = byName.put(target.name(), target);
      if (other != null) {
        throw new IllegalStateException(
            "two deploy targets are named '"
                + target.name()
                + "': "
                + other.getClass().getName()
                + " and "
                + target.getClass().getName());
      }
    }
  }

  /** The targets the context class loader sees. */
  public static DeployTargets load() {
    return new DeployTargets(ServiceLoader.load(DeployTarget.class).iterator());
  }

  static DeployTargets of(Iterator<DeployTarget> targets) {
    return new DeployTargets(targets);
  }

  /** All names, sorted. */
  public List<String> names() {
    return List.copyOf(byName.keySet());
  }

  /**
   * The target of that name.
   *
   * @throws IllegalArgumentException if there is none; the message lists those there are and what
   *     would not load
   */
  public DeployTarget find(String name) {
    DeployTarget target = byName.get(name);
    if (target == null) {
      throw new IllegalArgumentException(
          "no deploy target '"
              + name
              + "'; known: "
              + byName.keySet()
              + (unloadable.isEmpty() ? "" : "; could not be loaded: " + unloadable));
    }
    return target;
  }
}
