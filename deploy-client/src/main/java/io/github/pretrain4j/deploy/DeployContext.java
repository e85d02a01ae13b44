package io.github.pretrain4j.deploy;

import org.jspecify.annotations.Nullable;

/** What the steps of one flow share. Used by one thread. */
public final class DeployContext {
  private final DeployRequest request;
  private final PreflightReport preflight;
  private final DeployJournal journal;
  private final ProgressListener progress;
  private @Nullable ModelVersion version;
  private @Nullable Endpoint endpoint;
  private @Nullable FirstAnswer firstAnswer;

  DeployContext(
      DeployRequest request,
      PreflightReport preflight,
      DeployJournal journal,
      ProgressListener progress) {
    this.request = request;
    this.preflight = preflight;
    this.journal = journal;
    this.progress = progress;
  }

  public DeployRequest request() {
    return request;
  }

  public PreflightReport preflight() {
    return preflight;
  }

  public DeployJournal journal() {
    return journal;
  }

  public ProgressListener progress() {
    return progress;
  }

  /** How the model is asked: as requested, or as the tokenizer suggests. */
  public GenerationMode mode() {
    GenerationMode requested = request.mode();
    if (requested != null) {
      return requested;
    }
    return preflight.chatTemplate() ? GenerationMode.CHAT : GenerationMode.COMPLETION;
  }

  /** The model is there, as this version. */
  public void imported(ModelVersion imported) {
    version = imported;
  }

  /** The service is ready here. */
  public void serving(Endpoint serving) {
    endpoint = serving;
  }

  /** The service has answered this. */
  public void answered(FirstAnswer answer) {
    firstAnswer = answer;
  }

  /** The imported version; an earlier step must have given it. */
  public ModelVersion version() {
    return given(version, "version");
  }

  /** The endpoint; an earlier step must have given it. */
  public Endpoint endpoint() {
    return given(endpoint, "endpoint");
  }

  FirstAnswer firstAnswer() {
    return given(firstAnswer, "first answer");
  }

  private static <T> T given(@Nullable T value, String what) {
    if (value == null) {
      throw new IllegalStateException("no step of this target has given the " + what);
    }
    return value;
  }
}
