package io.github.pretrain4j.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The part of oneDNN's C API that matrix products need, and the two calls that keep its OpenMP
 * runtime to one thread. The only class that binds the library.
 *
 * <p>Handles are opaque pointers. Every call that reports an error throws {@link
 * IllegalStateException}: with sizes checked before, it is a bug or out of memory. The libraries
 * stay loaded until the JVM ends.
 *
 * @see <a href="https://uxlfoundation.github.io/oneDNN/">oneDNN documentation</a>
 */
@SuppressWarnings("restricted") // binding native code is what this class is for
final class OneDnn {
  private static final int CPU = 1;
  private static final int STREAM_IN_ORDER = 1;
  private static final int F32 = 3;
  private static final int SCRATCHPAD_BY_USER = 1;
  private static final int QUERY_SCRATCHPAD = 136;
  private static final int SRC = 1;
  private static final int DST = 17;
  private static final int WEIGHTS = 33;
  private static final int SCRATCHPAD = 80;

  /** {@code dnnl_exec_arg_t}: an int, padding, a pointer. */
  private static final long ARGUMENT_BYTES = 16;

  private static final long ARGUMENT_MEMORY = 8;

  private final MethodHandle setNumThreads;
  private final MethodHandle streamCreate;
  private final MethodHandle streamDestroy;
  private final MethodHandle engineDestroy;
  private final MethodHandle memoryDescCreate;
  private final MethodHandle memoryDescDestroy;
  private final MethodHandle memoryDescSize;
  private final MethodHandle attrCreate;
  private final MethodHandle attrDestroy;
  private final MethodHandle attrSetScratchpadMode;
  private final MethodHandle attrSetPostOps;
  private final MethodHandle postOpsCreate;
  private final MethodHandle postOpsDestroy;
  private final MethodHandle postOpsAppendSum;
  private final MethodHandle matmulDescCreate;
  private final MethodHandle primitiveDescDestroy;
  private final MethodHandle primitiveDescQuery;
  private final MethodHandle primitiveCreate;
  private final MethodHandle primitiveDestroy;
  private final MethodHandle primitiveExecute;
  private final MethodHandle memoryCreate;
  private final MethodHandle memoryDestroy;
  private final MethodHandle memorySetHandle;
  private final MemorySegment engine;
  private final String version;

  /**
   * Loads the libraries.
   *
   * @throws IllegalArgumentException if one cannot be loaded
   * @throws java.util.NoSuchElementException if one lacks a function
   */
  OneDnn(Path openMpLibrary, Path library) {
    Linker linker = Linker.nativeLinker();
    // An OpenMP thread of a primitive somebody else runs must not spin on a core that computes.
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle setenv =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("setenv"),
              FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
      call(setenv, arena.allocateFrom("GOMP_SPINCOUNT"), arena.allocateFrom("0"), 1);
    }
    SymbolLookup openMp = SymbolLookup.libraryLookup(openMpLibrary, Arena.global());
    setNumThreads =
        linker.downcallHandle(
            openMp.findOrThrow("omp_set_num_threads"), FunctionDescriptor.ofVoid(JAVA_INT));

    SymbolLookup dnnl = SymbolLookup.libraryLookup(library, Arena.global());
    streamCreate = status(linker, dnnl, "dnnl_stream_create", ADDRESS, ADDRESS, JAVA_INT);
    streamDestroy = status(linker, dnnl, "dnnl_stream_destroy", ADDRESS);
    engineDestroy = status(linker, dnnl, "dnnl_engine_destroy", ADDRESS);
    memoryDescCreate =
        status(
            linker,
            dnnl,
            "dnnl_memory_desc_create_with_strides",
            ADDRESS,
            JAVA_INT,
            ADDRESS,
            JAVA_INT,
            ADDRESS);
    memoryDescDestroy = status(linker, dnnl, "dnnl_memory_desc_destroy", ADDRESS);
    memoryDescSize =
        linker.downcallHandle(
            dnnl.findOrThrow("dnnl_memory_desc_get_size"),
            FunctionDescriptor.of(JAVA_LONG, ADDRESS));
    attrCreate = status(linker, dnnl, "dnnl_primitive_attr_create", ADDRESS);
    attrDestroy = status(linker, dnnl, "dnnl_primitive_attr_destroy", ADDRESS);
    attrSetScratchpadMode =
        status(linker, dnnl, "dnnl_primitive_attr_set_scratchpad_mode", ADDRESS, JAVA_INT);
    attrSetPostOps = status(linker, dnnl, "dnnl_primitive_attr_set_post_ops", ADDRESS, ADDRESS);
    postOpsCreate = status(linker, dnnl, "dnnl_post_ops_create", ADDRESS);
    postOpsDestroy = status(linker, dnnl, "dnnl_post_ops_destroy", ADDRESS);
    postOpsAppendSum =
        status(linker, dnnl, "dnnl_post_ops_append_sum", ADDRESS, JAVA_FLOAT, JAVA_INT, JAVA_INT);
    matmulDescCreate =
        status(
            linker,
            dnnl,
            "dnnl_matmul_primitive_desc_create",
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS);
    primitiveDescDestroy = status(linker, dnnl, "dnnl_primitive_desc_destroy", ADDRESS);
    primitiveDescQuery =
        linker.downcallHandle(
            dnnl.findOrThrow("dnnl_primitive_desc_query_md"),
            FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
    primitiveCreate = status(linker, dnnl, "dnnl_primitive_create", ADDRESS, ADDRESS);
    primitiveDestroy = status(linker, dnnl, "dnnl_primitive_destroy", ADDRESS);
    primitiveExecute =
        status(linker, dnnl, "dnnl_primitive_execute", ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
    memoryCreate = status(linker, dnnl, "dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    memoryDestroy = status(linker, dnnl, "dnnl_memory_destroy", ADDRESS);
    memorySetHandle = status(linker, dnnl, "dnnl_memory_set_data_handle", ADDRESS, ADDRESS);
    version = readVersion(linker, dnnl);
    engine = createEngine(linker, dnnl);
  }

  private static MethodHandle status(
      Linker linker, SymbolLookup library, String name, MemoryLayout... arguments) {
    return linker.downcallHandle(
        library.findOrThrow(name), FunctionDescriptor.of(JAVA_INT, arguments));
  }

  private static String readVersion(Linker linker, SymbolLookup dnnl) {
    MethodHandle handle =
        linker.downcallHandle(dnnl.findOrThrow("dnnl_version"), FunctionDescriptor.of(ADDRESS));
    MemorySegment numbers = ((MemorySegment) call(handle)).reinterpret(3L * Integer.BYTES);
    return numbers.getAtIndex(JAVA_INT, 0)
        + "."
        + numbers.getAtIndex(JAVA_INT, 1)
        + "."
        + numbers.getAtIndex(JAVA_INT, 2);
  }

  private static MemorySegment createEngine(Linker linker, SymbolLookup dnnl) {
    MethodHandle create = status(linker, dnnl, "dnnl_engine_create", ADDRESS, JAVA_INT, JAVA_LONG);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ADDRESS);
      check("engine", (int) call(create, result, CPU, 0L));
      return result.get(ADDRESS, 0);
    }
  }

  String version() {
    return version;
  }

  /** An execution stream for one thread. */
  MemorySegment createStream() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ADDRESS);
      check("stream", (int) call(streamCreate, result, engine, STREAM_IN_ORDER));
      return result.get(ADDRESS, 0);
    }
  }

  void destroyStream(MemorySegment stream) {
    check("stream", (int) call(streamDestroy, stream));
  }

  void destroyEngine() {
    check("engine", (int) call(engineDestroy, engine));
  }

  /** A matrix as oneDNN sees it: rows, columns, and elements from one to the next of each. */
  record Strided(long rows, long columns, long rowStride, long columnStride) {
    static Strided of(boolean transposed, int rows, int columns, int stride) {
      return transposed
          ? new Strided(rows, columns, 1, stride)
          : new Strided(rows, columns, stride, 1);
    }
  }

  /**
   * A compiled product for one set of sizes, usable by several threads, each with {@link Arguments}
   * of its own.
   */
  record Product(
      MemorySegment primitive,
      MemorySegment descA,
      MemorySegment descB,
      MemorySegment descC,
      MemorySegment primitiveDesc,
      MemorySegment scratchDesc,
      long scratchBytes) {}

  /**
   * Compiles {@code c = a b} or {@code c += a b} for one thread, the calling one's OpenMP setting
   * included.
   */
  Product createProduct(Strided a, Strided b, Strided c, boolean accumulate) {
    call(setNumThreads, 1);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ADDRESS);
      MemorySegment descA = describe(arena, a);
      MemorySegment descB = describe(arena, b);
      MemorySegment descC = describe(arena, c);
      check("attributes", (int) call(attrCreate, result));
      MemorySegment attributes = result.get(ADDRESS, 0);
      check("scratchpad", (int) call(attrSetScratchpadMode, attributes, SCRATCHPAD_BY_USER));
      if (accumulate) {
        check("post-operations", (int) call(postOpsCreate, result));
        MemorySegment postOps = result.get(ADDRESS, 0);
        check("sum", (int) call(postOpsAppendSum, postOps, 1f, 0, 0));
        check("post-operations", (int) call(attrSetPostOps, attributes, postOps));
        check("post-operations", (int) call(postOpsDestroy, postOps));
      }
      check(
          "matmul " + a + " x " + b,
          (int)
              call(
                  matmulDescCreate,
                  result,
                  engine,
                  descA,
                  descB,
                  MemorySegment.NULL,
                  descC,
                  attributes));
      MemorySegment primitiveDesc = result.get(ADDRESS, 0);
      check("attributes", (int) call(attrDestroy, attributes));
      MemorySegment scratchDesc =
          (MemorySegment) call(primitiveDescQuery, primitiveDesc, QUERY_SCRATCHPAD, 0);
      long scratchBytes = (long) call(memoryDescSize, scratchDesc);
      check("primitive", (int) call(primitiveCreate, result, primitiveDesc));
      return new Product(
          result.get(ADDRESS, 0), descA, descB, descC, primitiveDesc, scratchDesc, scratchBytes);
    }
  }

  private MemorySegment describe(Arena arena, Strided matrix) {
    MemorySegment result = arena.allocate(ADDRESS);
    MemorySegment sizes = arena.allocateFrom(JAVA_LONG, matrix.rows(), matrix.columns());
    MemorySegment strides =
        arena.allocateFrom(JAVA_LONG, matrix.rowStride(), matrix.columnStride());
    check("matrix " + matrix, (int) call(memoryDescCreate, result, 2, sizes, F32, strides));
    return result.get(ADDRESS, 0);
  }

  void destroyProduct(Product product) {
    check("primitive", (int) call(primitiveDestroy, product.primitive()));
    check(
        "primitive",
        (int) call(primitiveDescDestroy, product.primitiveDesc())); // the scratch's with it
    check("matrix", (int) call(memoryDescDestroy, product.descA()));
    check("matrix", (int) call(memoryDescDestroy, product.descB()));
    check("matrix", (int) call(memoryDescDestroy, product.descC()));
  }

  /** One thread's argument list of a product: a, b, c and scratch. */
  record Arguments(MemorySegment list) {
    MemorySegment memory(int index) {
      return list.get(ADDRESS, index * ARGUMENT_BYTES + ARGUMENT_MEMORY);
    }
  }

  /** A thread's argument list, in memory that lives as long as {@code arena}. */
  Arguments createArguments(Arena arena, Product product) {
    MemorySegment list = arena.allocate(4 * ARGUMENT_BYTES, 8);
    int[] kinds = {SRC, WEIGHTS, DST, SCRATCHPAD};
    MemorySegment[] descs = {
      product.descA(), product.descB(), product.descC(), product.scratchDesc()
    };
    MemorySegment result = arena.allocate(ADDRESS);
    for (int i = 0; i < 4; i++) {
      check("memory", (int) call(memoryCreate, result, descs[i], engine, MemorySegment.NULL));
      list.set(JAVA_INT, i * ARGUMENT_BYTES, kinds[i]);
      list.set(ADDRESS, i * ARGUMENT_BYTES + ARGUMENT_MEMORY, result.get(ADDRESS, 0));
    }
    return new Arguments(list);
  }

  void destroyArguments(Arguments arguments) {
    for (int i = 0; i < 4; i++) {
      check("memory", (int) call(memoryDestroy, arguments.memory(i)));
    }
  }

  /** Runs a product in the calling thread and returns when it is done. */
  void execute(
      Product product,
      MemorySegment stream,
      Arguments arguments,
      MemorySegment a,
      MemorySegment b,
      MemorySegment c,
      MemorySegment scratch) {
    try {
      check("a", (int) memorySetHandle.invokeExact(arguments.memory(0), a));
      check("b", (int) memorySetHandle.invokeExact(arguments.memory(1), b));
      check("c", (int) memorySetHandle.invokeExact(arguments.memory(2), c));
      check("scratch", (int) memorySetHandle.invokeExact(arguments.memory(3), scratch));
      check(
          "execution",
          (int) primitiveExecute.invokeExact(product.primitive(), stream, 4, arguments.list()));
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("a native call cannot throw", e);
    }
  }

  private static Object call(MethodHandle handle, Object... arguments) {
    try {
      return handle.invokeWithArguments(arguments);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("a native call cannot throw", e);
    }
  }

  private static void check(String what, int status) {
    if (status != 0) {
      String reason =
          switch (status) {
            case 1 -> "out of memory";
            case 2 -> "invalid arguments";
            case 3 -> "not implemented";
            case 5 -> "failed while running";
            default -> "status " + status;
          };
      throw new IllegalStateException("oneDNN: " + what + ": " + reason);
    }
  }
}
