package io.github.pretrain4j.train;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.nn.Initialization;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.LanguageModels;
import io.github.pretrain4j.optim.AdamW;
import io.github.pretrain4j.optim.AdamW.AdamWConfig;
import io.github.pretrain4j.optim.OptimizerParamScheduler;
import io.github.pretrain4j.tensor.Loss;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.train.TrainListener.Evaluation;
import io.github.pretrain4j.train.TrainListener.Iteration;
import io.github.pretrain4j.train.TrainListener.Milestone;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One training run: built from a {@link TrainConfig}, run on the caller's thread, stopped from any.
 *
 * <p>{@link #create} opens data, tokenizer, checkpoint and device and checks that they fit
 * together; {@link #run} trains to the last iteration, or until {@link #stop} or an exit option,
 * and saves on the way. The loop is Megatron's: gradients of the micro-batches of an iteration are
 * added up, clipped by their global norm and applied once; after each iteration come log,
 * evaluation, save and exit, in this order. In a process there may be any number of trainers, one
 * after the other or at once.
 *
 * <p>The same configuration gives the same bits, also when the run is interrupted anywhere and
 * resumed from its last checkpoint.
 */
public final class Trainer implements AutoCloseable {

  /* How a loss becomes gradients (Megatron's default, the mean over micro-batches of the mean over tokens):
   *
   *   objective = 1/m * sum over micro-batches ( sum(mask * loss) / sum(mask) )
   *
   * so each micro-batch goes backward with the factor 1 / (m * sum(mask)), and gradients are added. A micro-batch whose
   * mask is all 0 contributes 0. The loss reported is the mean of the micro-batches' means.
   */

  private static final long NOTHING_SAVED = -1;

  private final TrainConfig config;
  private final List<TrainListener> listeners;
  private final Deque<AutoCloseable> resources = new ArrayDeque<>();
  private final TrainData data;
  private final LanguageModel model;
  private final AdamW optimizer;
  private final OptimizerParamScheduler scheduler;
  private final CheckpointSaver saver;
  private final Tape trainTape;
  private final Tape evaluationTape;
  private final double operationsPerIteration;
  private TrainState state;
  private double lastLoss = Double.NaN;
  private long lastSaved = NOTHING_SAVED;
  private boolean closed;
  private volatile boolean stopRequested;

  /**
   * How a run ended.
   *
   * @param iteration iterations done over all runs of this training
   * @param finished whether that was the last one; false if the run was stopped
   * @param lastLoss of the last iteration; NaN if there was none
   * @param checkpoint the last one saved by this run, if any
   */
  public record Summary(
      long iteration,
      long consumedSamples,
      boolean finished,
      double lastLoss,
      @Nullable Path checkpoint) {}

  private @Nullable Path lastCheckpoint;

  private Trainer(TrainConfig config, List<TrainListener> listeners) throws IOException {
    this.config = config;
    this.listeners = new ArrayList<>(listeners);
    try {
      if (config.run().metricsFile() != null) {
        this.listeners.add(opened(MetricsFile.open(config.run().metricsFile())));
      }
      TrainTokenizer tokenizer = TrainTokenizer.open(config.data(), config.model());
      try (CheckpointLoader loader = CheckpointLoader.open(config)) {
        Path missing = CheckpointLoader.missing(config.checkpoint());
        if (missing != null) {
          report(new Milestone.NoCheckpoint(missing, loader == null));
        }
        ModelChoice choice =
            ModelChoice.of(config, loader == null ? null : loader.checkpoint(), tokenizer);
        data =
            opened(
                TrainData.open(
                    config,
                    tokenizer,
                    choice.paddedVocabSize(),
                    loader == null ? TrainData.Position.START : loader.position()));
        ComputeDevice device = opened(openDevice(config.run()));
        model =
            opened(
                LanguageModels.build(
                    choice.config(),
                    choice.paddedVocabSize(),
                    config.data().seqLength(),
                    true,
                    device));
        OptimizerOptions options = config.optimizer();
        optimizer =
            opened(
                new AdamW(
                    new AdamWConfig(
                        options.adamBeta1(),
                        options.adamBeta2(),
                        options.adamEps(),
                        options.clipGrad()),
                    model.parameters()));
        if (loader == null) {
          Initialization.fill(model, config.run().seed(), config.model().initMethodStd());
          scheduler = new OptimizerParamScheduler(config.schedule());
          state = TrainState.START;
        } else {
          report(new Milestone.Loading(loader.directory(), loader.iteration()));
          loader.loadWeights(model);
          scheduler = new OptimizerParamScheduler(loader.schedule(config.schedule()));
          state = loader.resume(optimizer, scheduler, device);
          boolean resumed = config.checkpoint().loadsWhereItSaves();
          lastSaved = resumed && state.iteration() > 0 ? state.iteration() : NOTHING_SAVED;
        }
        trainTape = opened(Tape.training(device));
        evaluationTape = opened(Tape.inference(device));
      }
      data.start(state.consumedTrainSamples(), state.consumedValidSamples());
      saver = new CheckpointSaver(config, model, optimizer, scheduler);
      operationsPerIteration =
          ModelOperations.perIteration(
              model.config(),
              model.paddedVocabSize(),
              config.data().seqLength(),
              config.run().batchSize());
      report(new Milestone.SetupDone(describe()));
    } catch (IOException | RuntimeException | Error e) {
      closeAfter(e);
      throw e;
    }
  }

  /**
   * Opens everything a run needs and checks that it fits together.
   *
   * @param listeners hear from setup on
   * @throws IllegalArgumentException if options, checkpoint, tokenizer and data contradict each
   *     other
   * @throws io.github.pretrain4j.backend.UnavailableException if the backend cannot run here
   * @throws IOException if a file is missing or damaged
   */
  public static Trainer create(TrainConfig config, TrainListener... listeners) throws IOException {
    return new Trainer(config, List.of(listeners));
  }

  private static ComputeDevice openDevice(RunOptions run) {
    DeviceConfig threads =
        run.threads() == null ? DeviceConfig.ofAllProcessors() : new DeviceConfig(run.threads());
    return ComputeBackends.find(run.backend()).open(threads);
  }

  private <T extends AutoCloseable> T opened(T resource) {
    resources.push(resource);
    return resource;
  }

  private String describe() {
    return "%s: %,d parameters, %d rows of vocabulary, on %s; %d micro-batches of %d x %d tokens an iteration"
        .formatted(
            model.config().family(),
            model.parameters().elementCount(),
            model.paddedVocabSize(),
            model.parameters().device().description(),
            config.run().microBatches(),
            config.run().microBatchSize(),
            config.data().seqLength());
  }

  /** The model that is trained; valid until the trainer is closed. */
  public LanguageModel model() {
    return model;
  }

  /** Iterations done so far, over all runs of this training. */
  public long iteration() {
    return state.iteration();
  }

  /**
   * Asks the run to save and return after the iteration it is in. May be called from any thread.
   */
  public void stop() {
    stopRequested = true;
  }

  /**
   * Trains to the end, or until stopped.
   *
   * @throws DivergedException if a loss or gradient norm is not a number
   * @throws IOException if data cannot be read or a checkpoint not be written
   */
  public Summary run() throws IOException {
    if (closed) {
      throw new IllegalStateException("the trainer is closed");
    }
    RunOptions run = config.run();
    long start = System.nanoTime();
    if (state.iteration() == 0) {
      evaluateExtraSets(false);
    }
    if (!run.skipTrain()) {
      report(new Milestone.TrainingStarts(state.iteration()));
      while (state.iteration() < run.iterations()) {
        iterate();
        if (state.iteration() % run.evalInterval() == 0) {
          evaluate(false);
        }
        boolean exit = exitDue(start);
        if (saveDue() || exit) {
          save();
        }
        if (exit && state.iteration() < run.iterations()) {
          report(new Milestone.Exiting(state.iteration()));
          return summary(false);
        }
      }
      report(new Milestone.TrainingDone(state.iteration()));
      save();
    }
    evaluate(true);
    return summary(true);
  }

  private Summary summary(boolean finished) {
    return new Summary(
        state.iteration(), state.consumedTrainSamples(), finished, lastLoss, lastCheckpoint);
  }

  private boolean exitDue(long start) {
    RunOptions run = config.run();
    boolean interval = run.exitInterval() != null && state.iteration() % run.exitInterval() == 0;
    boolean overtime =
        run.exitDurationInMins() != null
            && (System.nanoTime() - start) / 60e9 > run.exitDurationInMins();
    return stopRequested || interval || overtime;
  }

  private boolean saveDue() {
    Integer interval = config.checkpoint().saveInterval();
    return interval != null && state.iteration() % interval == 0;
  }

  // ---- one iteration ----

  private void iterate() throws IOException {
    long start = System.nanoTime();
    RunOptions run = config.run();
    model.parameters().zeroGradients();
    double lossSum = 0;
    long tokens = 0;
    for (int i = 0; i < run.microBatches(); i++) {
      SampleBatch batch = data.nextTrain();
      lossSum += forwardBackward(batch, run.microBatches());
      tokens += batch.tokenCount();
    }
    double loss = lossSum / run.microBatches();
    requireNumber("loss", loss);
    double norm = optimizer.gradientNorm();
    requireNumber("gradient norm", norm);
    double learningRate = scheduler.learningRate();
    optimizer.update(learningRate, scheduler.weightDecay(), optimizer.clippingFactor(norm));
    scheduler.step(run.batchSize());
    lastLoss = loss;
    state =
        new TrainState(
            state.iteration() + 1,
            state.consumedTrainSamples() + run.batchSize(),
            state.consumedValidSamples(),
            state.floatingPointOperations() + operationsPerIteration);
    Iteration report =
        new Iteration(
            state.iteration(),
            run.iterations(),
            state.consumedTrainSamples(),
            run.batchSize(),
            tokens,
            loss,
            learningRate,
            scheduler.learningRate(),
            norm,
            operationsPerIteration,
            Duration.ofNanos(System.nanoTime() - start));
    for (TrainListener listener : listeners) {
      listener.iteration(report);
    }
  }

  private double forwardBackward(SampleBatch batch, int microBatches) {
    float scale = (float) (1 / (Math.max(batch.maskSum(), 1) * microBatches));
    try {
      Loss loss =
          model.loss(trainTape, batch.tokens(), batch.labelsBT(), batch.lossMaskBT(), scale);
      trainTape.backward();
      return loss.mean();
    } finally {
      trainTape.reset();
    }
  }

  private void requireNumber(String what, double value) throws DivergedException {
    if (!Double.isFinite(value) && !config.optimizer().noCheckForNanInLossAndGrad()) {
      throw new DivergedException(what, value, state.iteration() + 1);
    }
  }

  // ---- evaluation ----

  private void evaluate(boolean afterTraining) throws IOException {
    RunOptions run = config.run();
    if (run.evalIters() == 0) {
      return;
    }
    int count = run.evalIters() * run.microBatches();
    if (data.hasValidation()) {
      long start = System.nanoTime();
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += forward(data.nextValid()).mean();
      }
      state =
          new TrainState(
              state.iteration(),
              state.consumedTrainSamples(),
              state.consumedValidSamples() + (long) count * run.microBatchSize(),
              state.floatingPointOperations());
      report(Evaluation.VALIDATION, afterTraining, sum / count, start);
    }
    evaluateExtraSets(afterTraining);
    if (afterTraining && data.hasTest()) {
      long start = System.nanoTime();
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += forward(data.test(i)).mean();
      }
      report(Evaluation.TEST, true, sum / count, start);
    }
  }

  /** Always the same samples: at most as many as one evaluation of the validation split has. */
  private void evaluateExtraSets(boolean afterTraining) throws IOException {
    RunOptions run = config.run();
    for (String name : data.extraSets().keySet()) {
      long start = System.nanoTime();
      long samples =
          Math.min(
              Objects.requireNonNull(data.extraSets().get(name)).size(),
              (long) run.evalIters() * run.batchSize());
      double sum = 0;
      double weight = 0;
      for (long first = 0; first < samples; first += run.microBatchSize()) {
        Loss loss =
            forward(data.extra(name, first, (int) Math.min(run.microBatchSize(), samples - first)));
        sum += loss.sum();
        weight += loss.weight();
      }
      if (weight > 0) {
        report(name, afterTraining, sum / weight, start);
      }
    }
  }

  private Loss forward(SampleBatch batch) {
    try {
      return model.loss(evaluationTape, batch.tokens(), batch.labelsBT(), batch.lossMaskBT(), 1);
    } finally {
      evaluationTape.reset();
    }
  }

  private void report(String set, boolean afterTraining, double loss, long start)
      throws IOException {
    Evaluation report =
        new Evaluation(
            state.iteration(),
            set,
            afterTraining,
            loss,
            Duration.ofNanos(System.nanoTime() - start));
    for (TrainListener listener : listeners) {
      listener.evaluation(report);
    }
  }

  // ---- checkpoints ----

  private void save() throws IOException {
    Path root = config.checkpoint().save();
    if (root == null || lastSaved == state.iteration()) {
      return;
    }
    long start = System.nanoTime();
    report(new Milestone.Saving(root, state.iteration()));
    lastCheckpoint = saver.save(root, state, data.ledger(state.iteration()));
    lastSaved = state.iteration();
    report(
        new Milestone.Saved(root, state.iteration(), Duration.ofNanos(System.nanoTime() - start)));
  }

  private void report(Milestone milestone) throws IOException {
    for (TrainListener listener : listeners) {
      listener.milestone(milestone);
    }
  }

  // ---- the end ----

  private void closeAfter(Throwable failure) {
    closed = true;
    while (!resources.isEmpty()) {
      try {
        resources.pop().close();
      } catch (Exception e) { // AutoCloseable may throw anything
        failure.addSuppressed(e);
      }
    }
  }

  /** Frees memory and closes files; idempotent. */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    IOException failure = new IOException("closing the trainer");
    closeAfter(failure);
    if (failure.getSuppressed().length > 0) {
      throw failure;
    }
  }
}
