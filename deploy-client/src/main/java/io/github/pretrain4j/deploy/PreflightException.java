package io.github.pretrain4j.deploy;

import java.util.stream.Collectors;

/** The folder must not be deployed as it is: the message and the report list every finding. */
public final class PreflightException extends DeployException {
  private final transient PreflightReport report;

  public PreflightException(PreflightReport report) {
    super(
        report.directory()
            + " cannot be deployed:"
            + report.findings().stream()
                .map(finding -> "\n  " + finding)
                .collect(Collectors.joining()));
    this.report = report;
  }

  public PreflightReport report() {
    return report;
  }
}
