package io.github.pretrain4j.checkpoint;

import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import java.util.Map;
import java.util.Set;

/** The names that pickles of checkpoints refer to. */
final class PickleGlobals {
  /** Python 2's module names, which protocol 2 still uses. */
  private static final Map<String, String> PYTHON_2_MODULES =
      Map.of("__builtin__", "builtins", "copy_reg", "copyreg");

  /** Storage classes of module torch by type. */
  static final Map<DataType, String> STORAGE_CLASSES =
      Map.ofEntries(
          Map.entry(DataType.F64, "DoubleStorage"),
          Map.entry(DataType.F32, "FloatStorage"),
          Map.entry(DataType.F16, "HalfStorage"),
          Map.entry(DataType.BF16, "BFloat16Storage"),
          Map.entry(DataType.I64, "LongStorage"),
          Map.entry(DataType.I32, "IntStorage"),
          Map.entry(DataType.I16, "ShortStorage"),
          Map.entry(DataType.I8, "CharStorage"),
          Map.entry(DataType.U8, "ByteStorage"),
          Map.entry(DataType.BOOL, "BoolStorage"),
          Map.entry(DataType.C128, "ComplexDoubleStorage"),
          Map.entry(DataType.C64, "ComplexFloatStorage"));

  /** Kinds of tensors that have no strided data: skipping them would lose weights. */
  static final Set<String> UNSUPPORTED_TENSORS =
      Set.of(
          "torch._utils._rebuild_qtensor",
          "torch._utils._rebuild_sparse_tensor",
          "torch._utils._rebuild_sparse_csr_tensor",
          "torch._utils._rebuild_nested_tensor",
          "torch._utils._rebuild_wrapper_subclass",
          "torch._utils._rebuild_device_tensor_from_numpy",
          "torch._utils._rebuild_device_tensor_from_cpu_tensor");

  /** What a strict reader accepts beside data types and storage classes. */
  private static final Set<String> KNOWN =
      Set.of(
          "torch._utils._rebuild_tensor",
          "torch._utils._rebuild_tensor_v2",
          "torch._utils._rebuild_tensor_v3",
          "torch._utils._rebuild_parameter",
          "torch._utils._rebuild_parameter_with_state",
          "torch._utils._rebuild_meta_tensor_no_storage",
          "torch._tensor._rebuild_from_type_v2",
          "torch.serialization._get_layout",
          "torch.nn.parameter.Parameter",
          "torch.Tensor",
          "torch.Size",
          "torch.device",
          "collections.OrderedDict",
          "collections.Counter",
          "_codecs.encode",
          "_io.BytesIO",
          "builtins.set",
          "builtins.frozenset",
          "builtins.bytes",
          "builtins.bytearray",
          "builtins.complex",
          "argparse.Namespace",
          "types.SimpleNamespace",
          "numpy.core.multiarray._reconstruct",
          "numpy._core.multiarray._reconstruct",
          "numpy.core.multiarray.scalar",
          "numpy._core.multiarray.scalar",
          "numpy.ndarray",
          "numpy.dtype");

  /** Classes of the metadata of distributed checkpoints, whose modules moved between releases. */
  private static final Set<String> DISTRIBUTED =
      Set.of(
          "Metadata",
          "MCoreMetadata",
          "TensorStorageMetadata",
          "BytesStorageMetadata",
          "ChunkStorageMetadata",
          "TensorProperties",
          "MetadataIndex",
          "StorageMeta",
          "_MEM_FORMAT_ENCODING",
          "_StorageInfo",
          "SavePlan",
          "MCoreSavePlan",
          "WriteItem",
          "WriteItemType",
          "TensorWriteData",
          "BytesIOWriteData");

  private PickleGlobals() {}

  private static boolean isDistributed(String module) {
    return module.startsWith("torch.distributed.")
        || module.startsWith("megatron.core.dist_checkpointing.");
  }

  static PyGlobal named(String module, String name) {
    return new PyGlobal(PYTHON_2_MODULES.getOrDefault(module, module), name);
  }

  /** The module name that protocol 2 uses. */
  static String protocol2Module(String module) {
    return switch (module) {
      case "builtins" -> "__builtin__";
      case "copyreg" -> "copy_reg";
      default -> module;
    };
  }

  static boolean isKnown(PyGlobal global) {
    return KNOWN.contains(global.qualifiedName())
        || (DISTRIBUTED.contains(global.name()) && isDistributed(global.module()))
        || isStorageClass(global)
        || (global.module().equals("torch") && DataType.ofTorchName(global.name()).isPresent());
  }

  static boolean isStorageClass(PyGlobal global) {
    return global.name().endsWith("Storage")
        && (global.module().equals("torch")
            || global.module().startsWith("torch.") // torch.cuda, torch.storage
            || global.module().startsWith("torch_")); // other makers' devices
  }
}
