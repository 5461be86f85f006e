"""Milliseconds of a forward pass on random images. Arguments: torch|onnxruntime model images folder.

PyTorch folds batch normalisations into the convolutions before them. ONNX Runtime runs what Inkstone has exported to the folder,
`model.onnx`, and folds by itself. As Inkstone: one image on one thread; many on all threads, a thousand at a time.
"""

import pathlib
import statistics
import sys
import time

import numpy as np

program, name, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])


def by_torch(x):
    import torch
    import torch.nn as nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    from torch_networks import network

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

    if count == 1:
        torch.set_num_threads(1)
    torch.manual_seed(0)
    model = network(name).eval()
    images = torch.from_numpy(x).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = model(images[:1])
    folded = nn.Sequential(*fold(model), nn.Softmax(1)).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        torch.testing.assert_close(folded(images[:1]), expected.softmax(1), rtol=1e-3, atol=1e-4)

    def run(some):
        with torch.inference_mode():
            return folded(torch.from_numpy(some).permute(0, 3, 1, 2)).numpy()

    return run


def by_onnxruntime(x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if count == 1:
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    def run(some):
        return session.run(["output"], {"input": some})[0]

    expected = np.loadtxt(folder / "grey.txt", dtype=np.float32)
    np.testing.assert_allclose(run(np.full_like(x[:1], 0.5))[0], expected, rtol=1e-3, atol=1e-5)
    return run


side, channels = (32, 3) if name == "vgg" else (28, 1)
x = np.random.default_rng(0).random((count, side, side, channels), dtype=np.float32)
run = {"torch": by_torch, "onnxruntime": by_onnxruntime}[program](x)
times, until = [], time.perf_counter() + 3
while time.perf_counter() < until or len(times) < 4:
    start = time.perf_counter()
    total = sum(run(x[i : i + 1000]).sum() for i in range(0, count, 1000))
    times.append(time.perf_counter() - start)
    assert abs(total / count - 1) < 1e-3, "probabilities sum to 1"
# The first half warms up.
print(f"ms {statistics.median(times[len(times) // 2 :]) * 1000:.4f}")
