package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron checkpoint of the {@code torch_dist} format: model and optimizer as whole tensors
 * under canonical names, and the state that is not sharded.
 *
 * <p>Thread-safe; {@link #close} is idempotent.
 */
public final class TorchDistCheckpoint implements AutoCloseable {
  private TorchDistCheckpoint() {}

  /** Whether a directory ({@code iter_…} or {@code release}) is of this format. */
  public static boolean isIn(Path iterationDirectory) {
    return Files.isRegularFile(iterationDirectory.resolve(".metadata"));
  }

  /**
   * Opens a checkpoint.
   *
   * @param iterationDirectory the {@code iter_…} or {@code release} directory
   * @throws io.github.pretrain4j.checkpoint.CorruptCheckpointException if it is damaged, or holds
   *     model tensors that have no canonical name; all of them are listed
   */
  public static TorchDistCheckpoint open(Path iterationDirectory) throws IOException {
    throw new UnsupportedOperationException();
  }

  /** The model. Closing it does not close the checkpoint. */
  public TensorSource fullTensors() {
    throw new UnsupportedOperationException();
  }

  /**
   * The optimizer's tensors, {@code optimizer.state.exp_avg.NAME} and so on with a canonical NAME;
   * null if there are none. Closing it does not close the checkpoint.
   */
  public @Nullable TensorSource optimizerTensors() {
    throw new UnsupportedOperationException();
  }

  /** The attributes of {@code args}, as {@link MegatronCheckpoint#arguments} gives them. */
  public Map<String, @Nullable Object> arguments() {
    throw new UnsupportedOperationException();
  }

  /**
   * What is not sharded: {@code args}, {@code iteration}, {@code checkpoint_version}, {@code
   * opt_param_scheduler}, {@code optimizer} without its big tensors, ….
   */
  public PickleObject.PyDict commonState() {
    throw new UnsupportedOperationException();
  }

  /** Reads a tensor found in {@link #commonState}: packed bytes from {@code byteOffset} on. */
  public void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException {
    throw new UnsupportedOperationException();
  }

  /** Reads every item whole and checks its checksums. */
  public void verify() throws IOException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() throws IOException {}
}
