package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;
import org.junit.jupiter.api.Test;

class DeployTargetsTest {

  /** A target that only has a name. */
  private record Named(String name) implements DeployTarget {
    @Override
    public Availability availability(ServiceReference service) {
      return new Availability.Unavailable("not a real one", "use another");
    }

    @Override
    public List<Finding> rules(DeployRequest request, PreflightReport preflight) {
      return List.of();
    }

    @Override
    public List<DeployStep> steps() {
      return List.of();
    }

    @Override
    public ServiceStatus status(ServiceReference service) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ServiceStatus stop(ServiceReference service, ProgressListener progress) {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void anUnknownNameListsTheKnownAndTheBroken() {
    Iterator<DeployTarget> targets =
        new Iterator<>() {
          private int at;

          @Override
          public boolean hasNext() {
            return at < 2;
          }

          @Override
          public DeployTarget next() {
            if (at++ == 0) {
              throw new ServiceConfigurationError("no class X");
            }
            return new Named("moon");
          }
        };
    DeployTargets found = DeployTargets.of(targets);
    assertEquals(List.of("moon"), found.names());
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> found.find("mars"));
    assertTrue(String.valueOf(e.getMessage()).contains("[moon]"));
    assertTrue(String.valueOf(e.getMessage()).contains("no class X"));
  }

  @Test
  void namesAreUniqueAndPlain() {
    assertThrows(
        IllegalStateException.class,
        () -> DeployTargets.of(List.<DeployTarget>of(new Named("a"), new Named("a")).iterator()));
    assertThrows(
        IllegalStateException.class,
        () -> DeployTargets.of(List.<DeployTarget>of(new Named("A b")).iterator()));
  }

  @Test
  void anUnavailableTargetSaysWhyAndWhatHelps() {
    DeployRequest request =
        DeployRequest.of(
            new ServiceReference("x", Path.of("store"), Map.of()), Path.of("model"), "hello");
    UnavailableException e =
        assertThrows(
            UnavailableException.class,
            () -> DeployFlow.run(new Named("moon"), request, ProgressListener.NONE));
    assertTrue(String.valueOf(e.getMessage()).contains("not a real one; use another"));
  }

  @Test
  void namesOfServicesArePlainFileNames() {
    for (String name : List.of("", " ", ".x", "a/b", "a\\b", "..", "a\nb", "x".repeat(201))) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new ServiceReference(name, Path.of("store"), Map.of()),
          name);
    }
  }
}
