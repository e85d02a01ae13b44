package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The hashes of a source's tensors, to be compared with what comes back. */
record RoundTrip(
    List<TensorInfo> tensors, Map<String, String> hashes, Map<String, String> convertedHashes) {

  /** Hashes the named tensors, as they are and rounded to {@code dataType} if that is not null. */
  static RoundTrip of(
      TensorSource source,
      List<String> names,
      @Nullable DataType dataType,
      List<String> notes,
      ConversionListener listener)
      throws IOException {
    List<TensorInfo> tensors = names.stream().map(source::get).toList();
    Map<String, String> hashes =
        TensorHashes.of(source, names, listener, ConversionListener.Phase.READ);
    if (dataType == null) {
      return new RoundTrip(tensors, hashes, hashes);
    }
    ConvertedTypeSource converted = new ConvertedTypeSource(source, dataType);
    Map<String, String> convertedHashes =
        TensorHashes.of(converted, names, ConversionListener.NONE, ConversionListener.Phase.READ);
    if (converted.overflows() > 0) {
      notes.add(converted.overflows() + " finite values became infinite in " + dataType);
    }
    return new RoundTrip(tensors, hashes, convertedHashes);
  }

  /**
   * Hashes what came back.
   *
   * @param written where it was read from, for the message
   * @throws CorruptCheckpointException if a tensor is not the same
   */
  List<ConversionReport.Tensor> compare(
      TensorSource back, Path written, ConversionListener listener) throws IOException {
    List<String> names = tensors.stream().map(TensorInfo::name).toList();
    Map<String, String> backHashes =
        TensorHashes.of(back, names, listener, ConversionListener.Phase.VERIFY);
    List<ConversionReport.Tensor> result = new ArrayList<>();
    for (TensorInfo info : tensors) {
      String name = info.name();
      ConversionReport.Tensor tensor =
          new ConversionReport.Tensor(
              name,
              info.type().name(),
              info.shape(),
              Objects.requireNonNull(hashes.get(name)),
              Objects.requireNonNull(convertedHashes.get(name)),
              Objects.requireNonNull(backHashes.get(name)));
      if (!tensor.roundTrips()) {
        throw new CorruptCheckpointException(
            written,
            0,
            "tensor " + name + " read back",
            "sha256 " + tensor.convertedSha256(),
            tensor.roundTripSha256());
      }
      result.add(tensor);
    }
    return result;
  }
}
