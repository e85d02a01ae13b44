package io.github.pretrain4j.model;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The installed model families by name, and those that would not load. Immutable. */
public final class ModelFamilies {
  private static final Pattern NAME = Pattern.compile("[a-z0-9_-]+");

  /** A broken service file cannot make the search endless. */
  private static final int MAX_FAILURES = 100;

  private final Map<String, ModelFamily> byName;
  private final List<String> failures;

  private ModelFamilies(Map<String, ModelFamily> byName, List<String> failures) {
    this.byName = byName;
    this.failures = failures;
  }

  /**
   * Loads every family on the class path of {@code ModelFamily}, or of the thread's context loader.
   */
  public static ModelFamilies installed() {
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    return installed(context == null ? ModelFamily.class.getClassLoader() : context);
  }

  /** Loads every family that {@code loader} sees. */
  public static ModelFamilies installed(@Nullable ClassLoader loader) {
    Map<String, ModelFamily> byName = new TreeMap<>();
    List<String> failures = new ArrayList<>();
    Iterator<ModelFamily> families = ServiceLoader.load(ModelFamily.class, loader).iterator();
    while (failures.size() < MAX_FAILURES) {
      ModelFamily family;
      try {
        if (!families.hasNext()) {
          break;
        }
        family = families.next();
      } catch (ServiceConfigurationError e) {
        failures.add(e.getMessage() + (e.getCause() == null ? "" : " (" + e.getCause() + ")"));
        continue;
      }
      add(byName, family);
    }
    return new ModelFamilies(byName, failures);
  }

  /** Families given by hand, for tests and embedders without service files. */
  public static ModelFamilies of(ModelFamily... families) {
    Map<String, ModelFamily> byName = new TreeMap<>();
    for (ModelFamily family : families) {
      add(byName, family);
    }
    return new ModelFamilies(byName, List.of());
  }

  private static void add(Map<String, ModelFamily> byName, ModelFamily family) {
    String name = family.name();
    if (!isName(name)) {
      throw new IllegalStateException(
          family.getClass().getName() + ": name \"" + name + "\" is not of the form [a-z0-9_-]+");
    }
    ModelFamily other = byName.putIfAbsent(name, family);
    if (other != null) {
      throw new IllegalStateException(
          "two model families are named \""
              + name
              + "\": "
              + other.getClass().getName()
              + " and "
              + family.getClass().getName());
    }
  }

  /**
   * Whether {@code name} can be a family's: underscores too, because model_type has them
   * (qwen2_moe).
   */
  static boolean isName(String name) {
    return NAME.matcher(name).matches();
  }

  /**
   * The installed family of that name.
   *
   * @throws IllegalArgumentException if there is none; the message lists those there are and those
   *     that did not load
   */
  public static ModelFamily find(String name) {
    return installed().get(name);
  }

  /** As {@link #find}, among these. */
  public ModelFamily get(String name) {
    ModelFamily family = byName.get(name);
    if (family == null) {
      throw new IllegalArgumentException("unknown model family \"" + name + "\"; " + listKnown());
    }
    return family;
  }

  /** The names, sorted. */
  public Set<String> names() {
    return Collections.unmodifiableSet(byName.keySet());
  }

  /** One message for each service entry that would not load. */
  public List<String> failures() {
    return List.copyOf(failures);
  }

  /** The family that {@code source} names. */
  public ModelFamily familyOf(HuggingFaceConfig source) throws IOException {
    String name = checked(source.file(), source::modelType);
    ModelFamily family = byName.get(name);
    if (family == null) {
      throw new InvalidConfigException(
          source.file(), "model_type", "an installed family (" + listKnown() + ")", name);
    }
    return family;
  }

  /** Reads {@code source} by the family it names. */
  public TransformerConfig config(HuggingFaceConfig source) throws IOException {
    ModelFamily family = familyOf(source);
    return checked(source.file(), () -> family.config(source));
  }

  /**
   * As {@link #config(HuggingFaceConfig)}, for a model of which the tensors are known: see {@link
   * ModelFamily#config(HuggingFaceConfig, Collection)}.
   */
  public TransformerConfig config(HuggingFaceConfig source, Collection<TensorInfo> tensors)
      throws IOException {
    ModelFamily family = familyOf(source);
    return checked(source.file(), () -> family.config(source, tensors));
  }

  private String listKnown() {
    return "known: "
        + String.join(", ", byName.keySet())
        + (failures.isEmpty() ? "" : "; not loaded: " + String.join("; ", failures));
  }

  private interface Reading<T> {
    T read();
  }

  private static <T> T checked(Path file, Reading<T> reading) throws IOException {
    try {
      return reading.read();
    } catch (UncheckedIOException e) {
      IOException cause = e.getCause();
      throw cause;
    } catch (IllegalArgumentException e) {
      InvalidConfigException invalid =
          new InvalidConfigException(file, "", "a usable model", String.valueOf(e.getMessage()));
      invalid.initCause(e);
      throw invalid;
    }
  }
}
