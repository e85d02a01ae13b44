package io.github.pretrain4j.checkpoint;

import java.util.Optional;

/**
 * Element type of a tensor in a checkpoint.
 *
 * <p>The constants stand in the order in which the safetensors writer lays tensors out (widest
 * alignment first), so that {@link #compareTo} is that order. Names are the safetensors names;
 * {@link #C128} exists only in torch files.
 */
public enum DataType {
  C128(16, Kind.COMPLEX, "complex128"),
  U64(8, Kind.UNSIGNED, "uint64"),
  I64(8, Kind.SIGNED, "int64"),
  F64(8, Kind.FLOATING, "float64"),
  C64(8, Kind.COMPLEX, "complex64"),
  F32(4, Kind.FLOATING, "float32"),
  U32(4, Kind.UNSIGNED, "uint32"),
  I32(4, Kind.SIGNED, "int32"),
  BF16(2, Kind.FLOATING, "bfloat16"),
  F16(2, Kind.FLOATING, "float16"),
  U16(2, Kind.UNSIGNED, "uint16"),
  I16(2, Kind.SIGNED, "int16"),
  F8_E4M3(1, Kind.FLOATING, "float8_e4m3fn"),
  F8_E5M2(1, Kind.FLOATING, "float8_e5m2"),
  I8(1, Kind.SIGNED, "int8"),
  U8(1, Kind.UNSIGNED, "uint8"),
  BOOL(1, Kind.BOOLEAN, "bool");

  private enum Kind {
    FLOATING,
    SIGNED,
    UNSIGNED,
    COMPLEX,
    BOOLEAN
  }

  private final int bytes;
  private final Kind kind;
  private final String torchName;

  DataType(int bytes, Kind kind, String torchName) {
    this.bytes = bytes;
    this.kind = kind;
    this.torchName = torchName;
  }

  /** Width of one element. */
  public int bytes() {
    return bytes;
  }

  /** True for the real floating-point types. */
  public boolean isFloatingPoint() {
    return kind == Kind.FLOATING;
  }

  boolean isComplex() {
    return kind == Kind.COMPLEX;
  }

  /**
   * PyTorch's name, as in {@code torch.bfloat16} and in the {@code torch_dtype} of a config.json.
   */
  public String torchName() {
    return torchName;
  }

  /** The type of that PyTorch name, without the {@code torch.} prefix. */
  public static Optional<DataType> ofTorchName(String torchName) {
    for (DataType type : values()) {
      if (type.torchName.equals(torchName)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
