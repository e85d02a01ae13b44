package io.github.pretrain4j.deploy;

import java.io.IOException;
import java.util.List;

/**
 * A place models can be deployed to. Implementations are found by {@link java.util.ServiceLoader},
 * have a public constructor without arguments that touches nothing, and keep no state: what must
 * survive goes to the journal.
 *
 * <p>A Hugging Face folder is deployed by {@link DeployFlow}, which runs {@link #steps} in order.
 * Between them the steps must tell the context the imported version, the endpoint and the first
 * answer. A step that makes something which must not be made twice (a model version, a paid
 * service) writes its intent to the journal first, and after an unclear answer looks the thing up
 * instead of making it again.
 */
public interface DeployTarget {

  /** {@code [a-z0-9-]+}, unique. */
  String name();

  /** Whether this target can serve {@code service} from here; costs no network traffic. */
  Availability availability(ServiceReference service);

  /** Findings of this target's own rules (names, sizes, formats) about a folder and a request. */
  List<Finding> rules(DeployRequest request, PreflightReport preflight);

  /** The way to a verified service, in order. The last step's {@code after} is VERIFIED. */
  List<DeployStep> steps();

  /** What is there now. Changes nothing and takes no lock. */
  ServiceStatus status(ServiceReference service) throws IOException, InterruptedException;

  /** Takes the service down if it is up, keeps its versions, and returns what is left. */
  ServiceStatus stop(ServiceReference service, ProgressListener progress)
      throws IOException, InterruptedException;
}
