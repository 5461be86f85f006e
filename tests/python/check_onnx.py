"""Checks ONNX files that Inkstone wrote with ONNX' own checker, runs them with ONNX Runtime, and compares the predictions.

    python check_onnx.py FOLDER

The runtime is the newest, or the one that PYTHONPATH leads to. The folder has pairs `N.onnx` and `N.safetensors`; the latter has `inputs` (N, H, W, C), Inkstone's `predictions` (N, classes),
and the model's weights in Keras' layouts.
"""

import collections
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import onnx_versions
import safetensors
from onnx import numpy_helper, shape_inference

# Of the largest prediction, where that is more than 1.
TOLERANCE = 1e-5


def shape(value):
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


# Numbers that are settings of layers, no weights.
SETTINGS = {"mask_value", "zero", "scale", "offset", "mean", "deviation", "least", "scales", "roi", "epsilon"}


def as_keras(kernel):
    """A kernel with its axes as Keras has them."""
    return kernel.transpose({2: (0, 1), 3: (2, 1, 0), 4: (2, 3, 1, 0)}[kernel.ndim])


def check(model, inputs, predictions, weights):
    """The file says of itself what it should, and holds the weights."""
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "inkstone" and model.producer_version, model
    assert {entry.key for entry in model.metadata_props} == {"epochs", "seed"}, model.metadata_props
    (image,), (output,) = model.graph.input, model.graph.output
    assert (image.name, output.name) == ("input", "output")
    assert shape(image) == ["batch", *inputs.shape[1:]], shape(image)
    assert shape(output) == ["batch", predictions.shape[1]], shape(output)
    # What ONNX works out from the input alone.
    inferred = onnx.ModelProto()
    inferred.CopyFrom(model)
    inferred.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(inferred, check_type=True, strict_mode=True, data_prop=True)
    # Behind a `Resize` it has a new name for the batch.
    resizes = any(node.op_type == "Resize" for node in model.graph.node)
    known = slice(1, None) if resizes else slice(None)
    assert shape(inferred.graph.output[0])[known] == shape(output)[known], shape(inferred.graph.output[0])
    onnx_versions.check(model, {"input": inputs}, {"output": predictions})
    # Shapes and paddings are whole numbers, and what a layer computes with may be a single number: no weights.
    floats = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims]
    floats = [tensor for tensor in floats if tensor.name in weights or tensor.name.rsplit("/")[-1] not in SETTINGS]
    # Normalizations without a gamma or a beta have one all the same there.
    floats = [tensor for tensor in floats if tensor.name in weights or not tensor.name.endswith(("/gamma", "/beta"))]
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in floats}
    cells = {name: node for node in model.graph.node if node.op_type in GATES for name in node.input[1:] if name}
    of_cells = {name: of_cell(cells[name], value, weights[name].ndim) for name, value in stored.items() if name in cells}
    stored = {name: as_keras(value) if name.endswith("kernel") else value for name, value in stored.items()}
    stored |= of_cells
    assert stored.keys() == weights.keys(), (stored.keys(), weights.keys())
    # A depthwise kernel has its channels and their outputs on one axis.
    stored = {name: value.reshape(weights[name].shape) for name, value in stored.items()}
    assert all(numpy.array_equal(stored[name], weights[name]) for name in weights)


# For each gate of a cell of ONNX' its place among Keras'.
GATES = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [0, 1, 2]}


def of_cell(node, value, axes):
    """A weight of a recurrent operator as Keras has it: outputs last, gates in its order, one bias or two rows."""
    order = GATES[node.op_type]
    is_bias = value.ndim == 2
    gates = value.reshape(2 if is_bias else 1, len(order), -1, 1 if is_bias else value.shape[-1])
    gates = gates[:, numpy.argsort(order)].reshape(gates.shape[0], -1, gates.shape[-1])
    if not is_bias:
        return gates[0].T
    rows = gates[:, :, 0]
    assert axes == 2 or not rows[1].any()
    return rows if axes == 2 else rows[0]


def run(path, inputs):
    """Predictions of all at once; of each alone they must be the same up to rounding."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (predictions,) = session.run(["output"], {"input": inputs})
    alone = [session.run(None, {"input": inputs[i : i + 1]})[0] for i in range(min(5, len(inputs)))]
    numpy.testing.assert_allclose(numpy.concatenate(alone), predictions[: len(alone)], rtol=TOLERANCE, atol=TOLERANCE)
    return predictions


paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
worst, compared, operators, opsets = (0.0, "none"), 0, set(), collections.Counter()
for path in paths:
    with safetensors.safe_open(path.with_suffix(".safetensors"), "numpy") as file:
        name = file.metadata()["name"]
        arrays = {key: file.get_tensor(key) for key in file.keys()}
    inputs, expected = arrays.pop("inputs"), arrays.pop("predictions")
    model = onnx.load(path)
    try:
        check(model, inputs, expected, arrays)
        predictions = run(path, inputs)
    except Exception as error:
        raise AssertionError(f"model {name!r}: {onnx.printer.to_text(model.graph)[:2000]}") from error
    assert predictions.shape == expected.shape and predictions.dtype == numpy.float32, (name, predictions.shape)
    differences = numpy.abs(predictions - expected)
    assert (differences <= TOLERANCE * numpy.maximum(1, numpy.abs(expected))).all(), (name, differences.max())
    worst = max(worst, (float(differences.max()), name))
    compared += expected.size
    operators |= {node.op_type for node in model.graph.node}
    opsets[model.opset_import[0].version] += 1
expected = {"AveragePool", "Add", "Clip", "Concat", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "Identity", "MatMul", "MaxPool", "Pad", "Relu", "Reshape"}
expected |= {"Sigmoid", "Softmax", "Sum", "Tanh", "Transpose"}
expected |= {"Cast", "Equal", "Gather", "GRU", "LSTM", "Not", "ReduceMin", "RNN", "Squeeze"}
expected |= {"Div", "Expand", "GlobalMaxPool", "Max", "Mean", "Min", "Mul", "PRelu", "Resize", "Slice", "Sub"}
expected |= set("BatchNormalization ConvTranspose Elu Erf Exp Greater HardSigmoid LeakyRelu ReduceMean Selu Softplus Softsign Sqrt Where".split())
assert operators == expected, operators ^ expected
print(
    f"{len(paths)} models, {compared} predictions of ONNX Runtime {onnxruntime.__version__} (ONNX {onnx.__version__}) "
    f"differ by at most {worst[0]:.2g} ({worst[1]}); of opsets {dict(sorted(opsets.items()))}"
)
