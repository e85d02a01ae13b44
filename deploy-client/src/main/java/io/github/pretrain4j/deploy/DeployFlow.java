package io.github.pretrain4j.deploy;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.List;

/** Deploys: preflight, then the steps of a target, with the journal kept up to date around each. */
public final class DeployFlow {
  private DeployFlow() {}

  /**
   * Brings {@code request.model()} to a service that has answered, or continues where an earlier
   * run was cut off.
   *
   * @throws UnavailableException if the target cannot be used here
   * @throws PreflightException if the folder has errors; nothing was changed
   * @throws InterruptedException if the thread was interrupted; run it again to continue
   */
  public static DeployReport run(
      DeployTarget target, DeployRequest request, ProgressListener progress)
      throws IOException, InterruptedException {
    if (target.availability(request.service()) instanceof Availability.Unavailable unavailable) {
      throw new UnavailableException(
          "target '" + target.name() + "' is not available: " + unavailable.reason(),
          unavailable.remedy());
    }
    PreflightReport preflight = check(target, request, progress);
    try (DeployJournal journal = DeployJournal.open(request.service(), target.name())) {
      DeployContext context = new DeployContext(request, preflight, journal, progress);
      journal.enter(DeployState.PREPARED, "preflight", null);
      List<DeployReport.StepTime> times = new ArrayList<>();
      for (DeployStep step : target.steps()) {
        long start = System.nanoTime();
        run(step, context);
        times.add(new DeployReport.StepTime(step.name(), (System.nanoTime() - start) / 1e9));
      }
      return new DeployReport(
          target.name(),
          request.service().name(),
          DeployState.VERIFIED,
          context.version(),
          context.endpoint(),
          context.firstAnswer(),
          times,
          preflight);
    }
  }

  /** The first step alone: what preflight and the target's rules say, without changing anything. */
  public static PreflightReport preflight(DeployTarget target, DeployRequest request)
      throws IOException {
    PreflightReport report =
        Preflight.inspect(request.model(), request.mode(), request.transformersVersion());
    return report.with(target.rules(request, report));
  }

  private static PreflightReport check(
      DeployTarget target, DeployRequest request, ProgressListener progress) throws IOException {
    PreflightReport report = preflight(target, request);
    if (report.hasErrors()) {
      throw new PreflightException(report);
    }
    progress.message(
        "preflight",
        report.files().size() + " files, " + report.totalBytes() + " bytes, no errors");
    for (Finding finding : report.findings()) {
      progress.message("preflight", finding.toString());
    }
    return report;
  }

  private static void run(DeployStep step, DeployContext context)
      throws IOException, InterruptedException {
    DeployJournal journal = context.journal();
    journal.enter(step.during(), step.name(), null);
    try {
      step.action().run(context);
    } catch (InterruptedException e) {
      note(journal, DeployState.CANCELLED, step, e);
      throw e;
    } catch (ClosedByInterruptException e) { // an interrupt that met a file operation
      Thread.interrupted(); // or the journal could not be written either
      InterruptedException interrupted = new InterruptedException(step.name() + " was interrupted");
      interrupted.initCause(e);
      note(journal, DeployState.CANCELLED, step, interrupted);
      throw interrupted;
    } catch (IOException | RuntimeException e) {
      note(journal, DeployState.FAILED, step, e);
      throw e;
    }
    journal.enter(step.after(), step.name(), null);
  }

  private static void note(
      DeployJournal journal, DeployState state, DeployStep step, Exception cause) {
    try {
      journal.enter(state, step.name(), String.valueOf(cause.getMessage()));
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }
}
