"""Milliseconds of a forward pass on random images. Arguments: torch|onnxruntime model batch.

PyTorch folds batch normalisations into the convolutions before them; ONNX Runtime does it itself.
"""

import pathlib
import statistics
import sys
import tempfile
import time

import torch
import torch.nn as nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torch_networks import network, random_images

program, name, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])


def fold(module):
    if not isinstance(module, nn.Sequential):
        for key, child in module.named_children():
            setattr(module, key, fold(child))
        return module
    folded = []
    for child in module:
        if isinstance(child, nn.BatchNorm2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], child)
        else:
            folded.append(fold(child))
    return nn.Sequential(*folded)


def by_torch(model, x):
    folded = fold(model).to(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode():
            return folded(x)

    return run


def by_onnxruntime(model, x):
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        torch.onnx.export(model, (x,), path, input_names=["x"], output_names=["y"], verbose=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fed = {"x": x.contiguous().numpy()}
    return lambda: torch.from_numpy(session.run(["y"], fed)[0])


torch.manual_seed(0)
model, x = network(name).eval(), random_images(name, batch)
with torch.no_grad():
    expected = model(x)
run = {"torch": by_torch, "onnxruntime": by_onnxruntime}[program](model, x)
torch.testing.assert_close(run().clone(), expected, rtol=1e-3, atol=1e-4)
times, until = [], time.perf_counter() + 3
while time.perf_counter() < until:
    start = time.perf_counter()
    run()
    times.append(time.perf_counter() - start)
# The first half warms up.
print(f"ms {statistics.median(times[len(times) // 2 :]) * 1000:.4f}")
