"""Times (CPU-seconds) numpy's shuffles and Megatron's native helpers; the peer of IndexFigures.

usage: megatron_index.py FOLDER SEQUENCES     FOLDER holds helpers_cpp*.so, made of Megatron's helpers.cpp
"""
import sys
import time

import numpy

sys.path.insert(0, sys.argv[1])
import helpers_cpp

count = int(sys.argv[2])
S = 2048
lengths = (1 + ((numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B1)) >> 22)).astype(numpy.int32)
tokens = int(lengths.sum(dtype=numpy.int64))


def checksum(array):
    weights = numpy.arange(len(array), dtype=numpy.int64) & 1023
    return int((weights * array).sum(dtype=numpy.int64)) & 0xFFFFFFFF


random = numpy.random.RandomState(1234)
start = time.process_time()
documents = numpy.arange(count, dtype=numpy.int32)
random.shuffle(documents)
after_documents = time.process_time()
rows = helpers_cpp.build_sample_idx_int32(lengths, documents, S, 1, tokens, True, 1)
after_rows = time.process_time()
shuffle = numpy.arange(len(rows) - 1, dtype=numpy.uint32)
random.shuffle(shuffle)
end = time.process_time()
dataset = numpy.zeros(count, dtype=numpy.int16)
sample = numpy.zeros(count, dtype=numpy.int64)
blend_start = time.process_time()
helpers_cpp.build_blending_indices(dataset, sample, [0.1, 0.2, 0.3, 0.4], 4, count, False)
blend_end = time.process_time()
for name, seconds, check in (
    ("document index", after_documents - start, checksum(documents)),
    ("sample index", after_rows - after_documents, checksum(rows[:, 0].astype(numpy.int64) + rows[:, 1])),
    ("shuffle index", end - after_rows, checksum(shuffle)),
    ("all three", end - start, 0),
    ("blend", blend_end - blend_start, checksum(sample)),
):
    print(name, seconds, check, sep="\t")
