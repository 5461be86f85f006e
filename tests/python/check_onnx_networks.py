"""Runs exported networks with several inputs or outputs in ONNX Runtime, and compares every output.

    python check_onnx_networks.py folder

The folder has pairs `N.onnx` and `N.safetensors`; the latter has an array for each input and each output, under the graph's names.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime
import onnx_versions
import safetensors.numpy

TOLERANCE = 1e-5
paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
compared, worst = 0, 0.0
for path in paths:
    arrays = safetensors.numpy.load_file(path.with_suffix(".safetensors"))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {value.name: arrays.pop(value.name) for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    assert set(names) == set(arrays), (names, arrays.keys())
    onnx_versions.check(model, inputs, arrays)
    for count in (len(next(iter(inputs.values()))), 1):
        found = session.run(names, {name: value[:count] for name, value in inputs.items()})
        for name, value in zip(names, found):
            expected = arrays[name][:count]
            assert value.shape == expected.shape, (path.name, name, value.shape, expected.shape)
            difference = numpy.abs(value - expected).max()
            assert difference <= TOLERANCE, (path.name, name, difference)
            worst = max(worst, float(difference))
    compared += len(names)
print(f"{len(paths)} networks, {compared} outputs of ONNX Runtime {onnxruntime.__version__} differ by at most {worst:.2g}")
