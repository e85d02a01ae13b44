package io.github.pretrain4j.deploy;

import java.net.URI;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Where a service is reached.
 *
 * @param base what {@code /v1/completions} is appended to
 * @param model the model name to ask for
 * @param details what else the target knows: process id, log, service id
 */
public record Endpoint(URI base, String model, SortedMap<String, String> details) {
  public Endpoint {
    details = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(details));
  }
}
