package io.github.pretrain4j.train;

/**
 * Where a run stands, beside model, optimizer and schedule.
 *
 * @param iteration iterations done
 * @param consumedTrainSamples training samples consumed
 * @param consumedValidSamples validation samples consumed
 * @param floatingPointOperations done so far, by Megatron's count
 */
record TrainState(
    long iteration,
    long consumedTrainSamples,
    long consumedValidSamples,
    double floatingPointOperations) {
  static final TrainState START = new TrainState(0, 0, 0, 0);
}
