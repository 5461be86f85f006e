"""Checks ONNX files of quantized models with ONNX' own checker, runs them with ONNX Runtime, and compares the predictions.

    python check_onnx_quantized.py FOLDER

The folder has pairs `N.onnx` and `N.safetensors`; the latter has `inputs` and Inkstone's `predictions` (N, values).
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime
import onnx_versions
import safetensors

# Of the largest prediction, where that is more than 1: a value near the middle between two bytes may become either.
TOLERANCE = 0.02
# Most predictions are those of the same bytes.
MEDIAN = 1e-5

worst, compared, operators, medians, fused = (0.0, "none"), 0, set(), [], set()
paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for path in paths:
    with safetensors.safe_open(path.with_suffix(".safetensors"), "numpy") as file:
        name, inputs, expected = file.metadata()["name"], file.get_tensor("inputs"), file.get_tensor("predictions")
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx_versions.check(model, {"input": inputs}, {"output": expected})
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(path.with_suffix(".optimized"))
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (predictions,) = session.run(["output"], {"input": inputs})
    except Exception as error:
        raise AssertionError(f"model {name!r}: {onnx.printer.to_text(model.graph)[:3000]}") from error
    predictions = predictions.reshape(expected.shape)
    differences = numpy.abs(predictions - expected) / max(1, numpy.abs(expected).max())
    assert differences.max() <= TOLERANCE, (name, differences.max(), onnx.printer.to_text(model.graph)[:3000])
    worst = max(worst, (float(differences.max()), name))
    medians.append(float(numpy.median(differences)))
    compared += expected.size
    operators |= {node.op_type for node in model.graph.node}
    fused |= {node.op_type for node in onnx.load(path.with_suffix(".optimized")).graph.node}
assert {"Conv", "Gemm", "MaxPool", "QuantizeLinear", "DequantizeLinear"} <= operators, operators
assert {"QLinearConv"} <= fused, fused
assert numpy.median(medians) <= MEDIAN, numpy.median(medians)
print(
    f"{len(paths)} models, {compared} predictions of ONNX Runtime {onnxruntime.__version__} on bytes differ by at most "
    f"{worst[0]:.2g} ({worst[1]}), half of the models by {numpy.median(medians):.2g}; operators {sorted(fused)}"
)
