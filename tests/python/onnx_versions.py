"""Checks that an ONNX file declares the lowest versions that its graph needs."""

import numpy
import onnx
import onnxruntime
from onnx import defs, helper

# What is always declared, whatever would do.
FLOOR = 11


def check(model, feeds, outputs):
    """Fails if a lower set of operators would do, or the format's version is not the one that came with the set.

    A file that says it is of the set before is refused, by ONNX' checker or the runtime, or means something else.

    - feeds, outputs: arrays by name; what the model gives of these inputs
    """
    (opset,) = model.opset_import
    assert opset.domain == "", opset
    since = max(defs.get_schema(node.op_type, opset.version).since_version for node in model.graph.node)
    assert opset.version == max(since, FLOOR), (opset.version, since)
    assert model.ir_version == helper.find_min_ir_version_for(model.opset_import), (opset.version, model.ir_version)
    if opset.version == FLOOR:
        return
    lower = onnx.ModelProto()
    lower.CopyFrom(model)
    lower.opset_import[0].version = opset.version - 1
    try:
        onnx.checker.check_model(lower, full_check=True)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(lower.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = dict(zip(outputs, session.run(list(outputs), feeds)))
    except Exception:
        return
    differences = [numpy.abs(found[name].reshape(value.shape) - value).max() for name, value in outputs.items()]
    assert max(differences) > 1e-3, f"opset {opset.version - 1} would do as well as {opset.version}"
