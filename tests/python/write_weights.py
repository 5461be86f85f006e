"""Writes the same weights as safetensors files of each type of floats, with metadata as PyTorch's users write them.

    python write_weights.py FOLDER
"""

import pathlib
import sys

import ml_dtypes
import numpy
import safetensors.numpy

kernel = numpy.array([[0.1, -2.5, 3.0], [1e-3, 65504.0, -0.0]])
bias = numpy.full(3, 1.5)
for dtype in (numpy.float32, numpy.float64, numpy.float16, ml_dtypes.bfloat16):
    tensors = {"dense/kernel": kernel.astype(dtype), "dense/bias": bias.astype(dtype)}
    path = pathlib.Path(sys.argv[1]) / f"{numpy.dtype(dtype).name}.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt", "epoch": "3"})
