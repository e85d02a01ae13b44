package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.AttentionShape;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Runs a model's operations as they are called and, in training mode, remembers them to run their
 * gradients backwards.
 *
 * <p>One iteration is: operations forward, {@link #linearCrossEntropy}, {@link #backward}, {@link
 * #reset}. Gradients of parameters are added into; activations and their gradients come from a pool
 * that is filled in the first iteration and reused from then on. Inference mode records nothing.
 * Not thread-safe; owns its memory until closed.
 *
 * <p>An operation that says it consumes an argument may overwrite that argument's memory: the
 * argument must not be used afterwards, which is checked.
 */
public final class Tape implements AutoCloseable {
  /** Rows of logits that exist at a time. */
  private static final int LOGIT_ROWS = 512;

  private final ComputeDevice device;
  private final boolean recording;
  private final BufferPool activations;
  private final BufferPool hostCopies;
  private final IdentityHashMap<int[], Storage> uploaded = new IdentityHashMap<>();
  private final List<Operation> operations = new ArrayList<>();

  /* How gradients flow.
   *
   * Each operation that is recorded keeps (retains) the storages its backward pass reads. Going backwards, an
   * operation takes its output's gradient and gives each input its share with contribute(): the first share is
   * written, later ones are added. A gradient can be one storage held by two tensors (both arguments of add); whoever
   * must add into a storage that is held twice gets a copy of its own first. When an operation is done, its output's
   * value and gradient and whatever it kept are released at once, so that gradients reuse the memory of activations.
   */
  private record Operation(Tensor output, List<Storage> kept, Consumer<Storage> backward) {}

  /** Writes, or adds, a gradient into a buffer. */
  @FunctionalInterface
  private interface GradientKernel {
    void run(boolean accumulate, DeviceBuffer target);
  }

  private Tape(ComputeDevice device, boolean recording) {
    this.device = device;
    this.recording = recording;
    this.activations = new BufferPool(device);
    this.hostCopies = new BufferPool(device);
  }

  /** A tape that records for a backward pass. */
  public static Tape training(ComputeDevice device) {
    return new Tape(device, true);
  }

  /** A tape that only computes forward. */
  public static Tape inference(ComputeDevice device) {
    return new Tape(device, false);
  }

  public ComputeDevice device() {
    return device;
  }

  /** Whether a backward pass will follow. */
  public boolean recording() {
    return recording;
  }

  // ---- inputs ----

  /** A tensor of given values; its gradient can be read after the backward pass. */
  public Tensor input(int batch, int length, int width, float[] values) {
    if (values.length != Math.multiplyExact(Math.multiplyExact(batch, length), width)) {
      throw new IllegalArgumentException(
          values.length + " values for an input of " + batch + " x " + length + " x " + width);
    }
    Tensor input = newTensor(batch, length, width);
    device.upload(MemorySegment.ofArray(values), input.value().buffer());
    return input;
  }

  /**
   * Rows of the embedding matrix, [B, T, D].
   *
   * @throws IllegalArgumentException if a token is not below V
   */
  public Tensor embedding(TokenBatch batch, Parameter weightVD) {
    requireRank(weightVD, 2);
    requireBelow(batch.tokensBT(), weightVD.dimension(0), "token", "vocabulary");
    DeviceBuffer tokens = indices(batch.tokensBT());
    Tensor y = newTensor(batch.batch(), batch.length(), weightVD.dimension(1));
    device.embedding(tokens, weightVD.value(), y.value().buffer());
    record(
        y,
        List.of(),
        dy -> {
          if (weightVD.trainable()) {
            device.embeddingBackward(tokens, dy.buffer(), weightVD.gradient());
          }
        });
    return y;
  }

  // ---- layers ----

  /** {@code y = x weight^T (+ bias)}. */
  public Tensor linear(Tensor x, Parameter weightOI, @Nullable Parameter biasO) {
    int outputs = weightOI.dimension(0);
    int inputs = requireInputs(x, weightOI);
    Storage xStorage = valueOf(x);
    Tensor y = newTensor(x.batch(), x.length(), outputs);
    DeviceBuffer yNO = y.value().buffer();
    device.gemm(
        false,
        true,
        x.rows(),
        outputs,
        inputs,
        xStorage.buffer(),
        inputs,
        weightOI.value(),
        inputs,
        0,
        yNO,
        outputs);
    if (biasO != null) {
      device.addBias(biasO.value(), yNO);
    }
    record(
        y,
        List.of(xStorage),
        dy -> {
          linearBackward(x, xStorage.buffer(), weightOI, dy.buffer());
          if (biasO != null && biasO.trainable()) {
            device.addBiasBackward(dy.buffer(), biasO.gradient());
          }
        });
    return y;
  }

  private void linearBackward(Tensor x, DeviceBuffer xNI, Parameter weightOI, DeviceBuffer dyNO) {
    int outputs = weightOI.dimension(0);
    int inputs = weightOI.dimension(1);
    if (weightOI.trainable()) {
      device.gemm(
          true,
          false,
          outputs,
          inputs,
          x.rows(),
          dyNO,
          outputs,
          xNI,
          inputs,
          1,
          weightOI.gradient(),
          inputs);
    }
    contribute(
        x,
        (accumulate, dxNI) ->
            device.gemm(
                false,
                false,
                x.rows(),
                inputs,
                outputs,
                dyNO,
                outputs,
                weightOI.value(),
                inputs,
                accumulate ? 1 : 0,
                dxNI,
                inputs));
  }

  /** {@code y = x / sqrt(mean(x^2) + epsilon) * weight}, row by row. */
  public Tensor rmsNorm(Tensor x, Parameter weightD, float epsilon) {
    requireRank(weightD, 1);
    if (weightD.dimension(0) != x.width()) {
      throw new IllegalArgumentException("rmsNorm of width " + x.width() + " with " + weightD);
    }
    Storage xStorage = valueOf(x);
    Storage rstd = activations.acquire(ElementType.F32, x.rows());
    Tensor y = newTensor(x.batch(), x.length(), x.width());
    device.rmsNorm(xStorage.buffer(), weightD.value(), epsilon, y.value().buffer(), rstd.buffer());
    record(
        y,
        List.of(xStorage, rstd),
        dy -> {
          // Nobody reads what is added here when the weight is frozen.
          Storage dWeight = activations.acquire(ElementType.F32, weightD.elementCount());
          DeviceBuffer dWeightD = weightD.trainable() ? weightD.gradient() : dWeight.buffer();
          contribute(
              x,
              (accumulate, dx) ->
                  device.rmsNormBackward(
                      dy.buffer(),
                      xStorage.buffer(),
                      weightD.value(),
                      rstd.buffer(),
                      accumulate,
                      dx,
                      dWeightD));
          dWeight.release();
        });
    rstd.release();
    return y;
  }

  /** {@code y = silu(gate) * up}, [B, T, F] of [B, T, 2F]: the gates of a row come first. */
  public Tensor swiglu(Tensor gateUp) {
    if (gateUp.width() % 2 != 0) {
      throw new IllegalArgumentException("swiglu of odd width " + gateUp.width());
    }
    int width = gateUp.width() / 2;
    Storage gateUpStorage = valueOf(gateUp);
    Tensor y = newTensor(gateUp.batch(), gateUp.length(), width);
    device.swiglu(width, gateUpStorage.buffer(), y.value().buffer());
    record(
        y,
        List.of(gateUpStorage),
        dy -> {
          Storage dGateUp = newStorage(gateUp);
          device.swigluBackward(width, dy.buffer(), gateUpStorage.buffer(), dGateUp.buffer());
          contribute(gateUp, dGateUp);
        });
    return y;
  }

  /** {@code a + b}; consumes {@code b}, the branch that joins the residual stream {@code a}. */
  public Tensor add(Tensor a, Tensor b) {
    if (a == b || a.rows() != b.rows() || a.width() != b.width()) {
      throw new IllegalArgumentException(
          "add of "
              + a.rows()
              + " x "
              + a.width()
              + " and "
              + b.rows()
              + " x "
              + b.width()
              + (a == b ? ", the same tensor" : ""));
    }
    Storage aStorage = valueOf(a);
    Storage bStorage = valueOf(b);
    Tensor sum;
    if (bStorage.shared()) {
      sum = newTensor(a.batch(), a.length(), a.width());
    } else {
      sum = new Tensor(this, a.batch(), a.length(), a.width(), bStorage.retain());
    }
    device.add(aStorage.buffer(), bStorage.buffer(), sum.value().buffer());
    b.takeValue().release();
    record(
        sum,
        List.of(),
        dy -> {
          contribute(a, dy.retain());
          contribute(b, dy.retain());
        });
    return sum;
  }

  // ---- attention ----

  /**
   * Turns the query and key heads of the fused QKV by their positions; consumes {@code qkv}.
   *
   * @throws IllegalArgumentException if a position is not in the table
   */
  public Tensor rotary(Tensor qkv, RotaryTable table, HeadLayout layout, TokenBatch batch) {
    AttentionShape shape = shapeOf(qkv, layout, qkv.length(), AttentionMask.causal());
    if (table.headWidth() != layout.headWidth()) {
      throw new IllegalArgumentException(
          "rotary table of head width " + table.headWidth() + " for " + layout);
    }
    if (batch.batch() != qkv.batch() || batch.length() != qkv.length()) {
      throw new IllegalArgumentException("positions of another batch");
    }
    requireBelow(batch.positionsBT(), table.maxPositions(), "position", "rotary table");
    DeviceBuffer positions = indices(batch.positionsBT());
    Tensor y = new Tensor(this, qkv.batch(), qkv.length(), qkv.width(), ownCopy(takeValue(qkv)));
    device.rotary(shape, positions, table.cosPK2(), table.sinPK2(), false, y.value().buffer());
    record(
        y,
        List.of(),
        dy -> {
          Storage dx = ownCopy(dy.retain(), 2);
          device.rotary(shape, positions, table.cosPK2(), table.sinPK2(), true, dx.buffer());
          contribute(qkv, dx);
        });
    return y;
  }

  /**
   * Causal attention, [B, T, H * K] of the fused QKV. With a cache in the mask, the QKV's keys and
   * values are appended to it and the queries see all of it.
   *
   * @throws IllegalStateException if the mask has a cache and the tape records, or the cache is
   *     full
   */
  public Tensor attention(Tensor qkv, HeadLayout layout, AttentionMask mask) {
    KvCache.Layer cache = mask.cache();
    if (cache != null) {
      return attentionOverCache(qkv, layout, mask, cache);
    }
    AttentionShape shape = shapeOf(qkv, layout, qkv.length(), mask);
    Storage qkvStorage = valueOf(qkv);
    Storage lse = activations.acquire(ElementType.F32, (long) qkv.rows() * layout.heads());
    Tensor y = newTensor(qkv.batch(), qkv.length(), layout.outputWidth());
    Storage yStorage = y.value();
    device.attention(shape, qkvStorage.buffer(), yStorage.buffer(), lse.buffer());
    record(
        y,
        List.of(qkvStorage, yStorage, lse),
        dy -> {
          Storage dQkv = newStorage(qkv);
          device.attentionBackward(
              shape,
              dy.buffer(),
              qkvStorage.buffer(),
              yStorage.buffer(),
              lse.buffer(),
              dQkv.buffer());
          contribute(qkv, dQkv);
        });
    lse.release();
    return y;
  }

  private Tensor attentionOverCache(
      Tensor qkv, HeadLayout layout, AttentionMask mask, KvCache.Layer cache) {
    if (recording) {
      throw new IllegalStateException(
          "attention over a cache has no backward pass: use an inference tape");
    }
    int keyLength = cache.extend(qkv.batch(), qkv.length(), layout);
    AttentionShape shape = shapeOf(qkv, layout, keyLength, mask);
    DeviceBuffer qkvNW = valueOf(qkv).buffer();
    device.appendKeyValues(shape, qkvNW, cache.bufferBCG2K());
    Tensor y = newTensor(qkv.batch(), qkv.length(), layout.outputWidth());
    device.attentionOverCache(shape, qkvNW, cache.bufferBCG2K(), y.value().buffer());
    return y;
  }

  // ---- heads ----

  /**
   * Cross-entropy of {@code softmax(x weight^T)}, without ever holding all logits.
   *
   * <p>When recording, the gradient of {@code lossScale * sum(mask * loss)} is computed in the same
   * pass: the weight's is added at once, {@code x}'s waits for {@link #backward}.
   *
   * @param labelsBT the token to predict at each position; ignored where the mask is 0
   * @param lossMaskBT weight of each position
   * @param lossScale factor of the objective, usually {@code 1 / (sum(mask) * number of
   *     micro-batches)}
   * @param vocabularySize columns that take part; the padding rows of the weight from there on do
   *     not
   */
  public Loss linearCrossEntropy(
      Tensor x,
      Parameter weightVD,
      int[] labelsBT,
      float[] lossMaskBT,
      float lossScale,
      int vocabularySize) {
    requireInputs(x, weightVD);
    int rows = x.rows();
    if (labelsBT.length != rows || lossMaskBT.length != rows) {
      throw new IllegalArgumentException(
          labelsBT.length
              + " labels and "
              + lossMaskBT.length
              + " mask values for "
              + rows
              + " rows");
    }
    if (vocabularySize < 1 || vocabularySize > weightVD.dimension(0)) {
      throw new IllegalArgumentException("vocabulary size " + vocabularySize + " for " + weightVD);
    }
    float[] weights = new float[rows];
    double weightSum = 0;
    for (int i = 0; i < rows; i++) {
      weights[i] = recording ? lossMaskBT[i] * lossScale : lossMaskBT[i];
      weightSum += lossMaskBT[i];
      if (weights[i] != 0 && (labelsBT[i] < 0 || labelsBT[i] >= vocabularySize)) {
        throw new IllegalArgumentException(
            "label "
                + labelsBT[i]
                + " at row "
                + i
                + " is not in the vocabulary of "
                + vocabularySize);
      }
    }
    float[] losses = new float[rows];
    crossEntropyInChunks(x, weightVD, vocabularySize, indices(labelsBT), weights, losses);
    double sum = 0;
    for (int i = 0; i < rows; i++) {
      sum += (double) lossMaskBT[i] * losses[i];
    }
    return new Loss(sum, weightSum, losses);
  }

  private void crossEntropyInChunks(
      Tensor x,
      Parameter weightVD,
      int vocabularySize,
      DeviceBuffer labelsN,
      float[] weights,
      float[] losses) {
    Storage weightsN = activations.acquire(ElementType.F32, weights.length);
    Storage lossesN = activations.acquire(ElementType.F32, weights.length);
    device.upload(MemorySegment.ofArray(weights), weightsN.buffer());
    DeviceBuffer xND = valueOf(x).buffer();
    int padded = weightVD.dimension(0);
    int inputs = x.width();
    int chunk = Math.min(LOGIT_ROWS, x.rows());
    Storage logits = activations.acquire(ElementType.F32, (long) chunk * padded);
    GradientKernel pass =
        (accumulate, dxND) -> {
          for (int row = 0; row < x.rows(); row += chunk) {
            int n = Math.min(chunk, x.rows() - row);
            DeviceBuffer xRows = device.slice(xND, (long) row * inputs, (long) n * inputs);
            DeviceBuffer logitsNV = device.slice(logits.buffer(), 0, (long) n * padded);
            device.gemm(
                false,
                true,
                n,
                padded,
                inputs,
                xRows,
                inputs,
                weightVD.value(),
                inputs,
                0,
                logitsNV,
                padded);
            device.softmaxCrossEntropy(
                vocabularySize,
                device.slice(labelsN, row, n),
                device.slice(weightsN.buffer(), row, n),
                recording,
                logitsNV,
                device.slice(lossesN.buffer(), row, n));
            if (recording) {
              DeviceBuffer dxRows = device.slice(dxND, (long) row * inputs, (long) n * inputs);
              float beta = accumulate ? 1 : 0;
              device.gemm(
                  false,
                  false,
                  n,
                  inputs,
                  padded,
                  logitsNV,
                  padded,
                  weightVD.value(),
                  inputs,
                  beta,
                  dxRows,
                  inputs);
              if (weightVD.trainable()) {
                device.gemm(
                    true,
                    false,
                    padded,
                    inputs,
                    n,
                    logitsNV,
                    padded,
                    xRows,
                    inputs,
                    1,
                    weightVD.gradient(),
                    inputs);
              }
            }
          }
        };
    if (recording) {
      contribute(x, pass);
    } else {
      pass.run(false, xND); // no gradient: the target is not touched
    }
    device.download(lossesN.buffer(), MemorySegment.ofArray(losses));
    logits.release();
    weightsN.release();
    lossesN.release();
  }

  /**
   * {@code x weight^T}: the scores of the next token. Take {@link #lastTokens} first to compute
   * only what is needed.
   */
  public Tensor logits(Tensor x, Parameter weightVD) {
    return linear(x, weightVD, null);
  }

  /** The last token of each sequence, [B, 1, width]; only in inference mode. */
  public Tensor lastTokens(Tensor x) {
    if (recording) {
      throw new IllegalStateException("lastTokens has no backward pass: use an inference tape");
    }
    DeviceBuffer from = valueOf(x).buffer();
    Tensor y = newTensor(x.batch(), 1, x.width());
    DeviceBuffer to = y.value().buffer();
    for (int b = 0; b < x.batch(); b++) {
      long row = (long) (b + 1) * x.length() - 1;
      device.copy(
          device.slice(from, row * x.width(), x.width()),
          device.slice(to, (long) b * x.width(), x.width()));
    }
    return y;
  }

  // ---- structure ----

  /**
   * Runs a part of the model whose intermediate tensors nobody needs afterwards, such as a layer.
   * In inference mode their memory is free again at the end; only the result stays.
   */
  public Tensor block(Tensor input, UnaryOperator<Tensor> body) {
    if (recording) {
      return body.apply(input);
    }
    int mark = activations.mark();
    Tensor output = body.apply(input);
    activations.releaseSince(mark, output.value());
    return output;
  }

  /** Adds to the gradient that {@code y} receives in the backward pass. */
  public void seedGradient(Tensor y, float[] dy) {
    if (!recording || dy.length != (long) y.rows() * y.width()) {
      throw new IllegalArgumentException(
          dy.length
              + " gradient elements for "
              + y.rows()
              + " x "
              + y.width()
              + (recording ? "" : " while not recording"));
    }
    valueOf(y);
    Storage gradient = newStorage(y);
    device.upload(MemorySegment.ofArray(dy), gradient.buffer());
    contribute(y, gradient);
  }

  /**
   * Runs all operations' gradients, last first. Afterwards only gradients of inputs and parameters
   * are left; {@link #reset} follows.
   */
  public void backward() {
    if (!recording) {
      throw new IllegalStateException("an inference tape has no backward pass");
    }
    for (Operation operation : operations.reversed()) {
      Storage dy = operation.output().takeGradient();
      if (dy != null) {
        operation.backward().accept(dy);
        dy.release();
      }
      operation.output().releaseValue();
      operation.kept().forEach(Storage::release);
    }
    operations.clear();
  }

  /** Forgets all tensors and takes their memory back. */
  public void reset() {
    operations.clear();
    uploaded.clear();
    activations.reset();
    hostCopies.reset();
  }

  /** Frees all memory; idempotent. */
  @Override
  public void close() {
    reset();
    activations.close();
    hostCopies.close();
  }

  // ---- inside ----

  private void record(Tensor output, List<Storage> kept, Consumer<Storage> backward) {
    if (recording) {
      kept.forEach(Storage::retain);
      operations.add(new Operation(output, kept, backward));
    }
  }

  private void contribute(Tensor x, GradientKernel kernel) {
    Storage present = x.takeGradient();
    if (present == null) {
      Storage fresh = newStorage(x);
      kernel.run(false, fresh.buffer());
      x.setGradient(fresh);
    } else {
      Storage own = ownCopy(present);
      kernel.run(true, own.buffer());
      x.setGradient(own);
    }
  }

  /** Takes over the caller's hold of {@code share}. */
  private void contribute(Tensor x, Storage share) {
    Storage present = x.takeGradient();
    if (present == null) {
      x.setGradient(share);
    } else {
      Storage own = ownCopy(present);
      device.add(own.buffer(), share.buffer(), own.buffer());
      share.release();
      x.setGradient(own);
    }
  }

  private Storage ownCopy(Storage held) {
    return ownCopy(held, 1);
  }

  /**
   * The same storage if nobody but its {@code expectedHolders} has it, else a copy; takes over the
   * caller's hold.
   */
  private Storage ownCopy(Storage held, int expectedHolders) {
    if (held.holders() <= expectedHolders) {
      return held;
    }
    Storage copy = activations.acquire(ElementType.F32, held.buffer().elementCount());
    device.copy(held.buffer(), copy.buffer());
    held.release();
    return copy;
  }

  private Tensor newTensor(int batch, int length, int width) {
    long elements = Math.multiplyExact((long) batch * length, (long) width);
    return new Tensor(this, batch, length, width, activations.acquire(ElementType.F32, elements));
  }

  private Storage newStorage(Tensor like) {
    return activations.acquire(ElementType.F32, (long) like.rows() * like.width());
  }

  private Storage valueOf(Tensor tensor) {
    if (!tensor.isOn(this)) {
      throw new IllegalArgumentException("this tensor belongs to another tape");
    }
    return tensor.value();
  }

  private Storage takeValue(Tensor tensor) {
    valueOf(tensor);
    return tensor.takeValue();
  }

  /** The device's copy of a host array, made once between resets. */
  private DeviceBuffer indices(int[] host) {
    return uploaded
        .computeIfAbsent(
            host,
            unused -> {
              Storage copy = hostCopies.acquire(ElementType.I32, host.length);
              device.upload(MemorySegment.ofArray(host), copy.buffer());
              return copy;
            })
        .buffer();
  }

  private AttentionShape shapeOf(Tensor qkv, HeadLayout layout, int keyLength, AttentionMask mask) {
    if (qkv.width() != layout.fusedWidth()) {
      throw new IllegalArgumentException(
          "a fused QKV of width " + qkv.width() + " is not " + layout);
    }
    return layout.shape(qkv.batch(), qkv.length(), keyLength, mask.window());
  }

  private static int requireInputs(Tensor x, Parameter weightOI) {
    requireRank(weightOI, 2);
    if (weightOI.dimension(1) != x.width()) {
      throw new IllegalArgumentException("input of width " + x.width() + " to " + weightOI);
    }
    return x.width();
  }

  private static void requireRank(Parameter parameter, int rank) {
    if (parameter.rank() != rank) {
      throw new IllegalArgumentException(parameter + ": expected " + rank + " dimensions");
    }
  }

  private static void requireBelow(int[] indices, int limit, String what, String of) {
    int bad = Arrays.stream(indices).filter(i -> i < 0 || i >= limit).findFirst().orElse(0);
    if (bad < 0 || bad >= limit) {
      throw new IllegalArgumentException(
          what + " " + bad + " is not in the " + of + " of " + limit);
    }
  }
}
