"""The Keras example's CNN on MNIST with PyTorch, at its best in f32: channels last, fused Adam. Arguments: folder epochs batch."""

import gzip
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

folder, epochs, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)


def idx(name, offset):
    path = os.path.join(folder, name)
    opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
    return np.frombuffer(opened.read(), np.uint8, offset=offset)


def images(name):
    x = torch.from_numpy(idx(name, 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255)
    return x.to(memory_format=torch.channels_last)


x, xt = images("train-images-idx3-ubyte"), images("t10k-images-idx3-ubyte")
y, yt = (torch.from_numpy(idx(f"{part}-labels-idx1-ubyte", 8).astype(np.int64)) for part in ("train", "t10k"))
model = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
).to(memory_format=torch.channels_last)
adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
for epoch in range(1, epochs + 1):
    start, order = time.perf_counter(), torch.randperm(len(x))
    for i in range(0, len(x), batch):
        chosen = order[i : i + batch]
        loss = F.cross_entropy(model(x[chosen]), y[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
    print(f"epoch {epoch} {time.perf_counter() - start:.3f}", flush=True)
    model.eval()
    with torch.no_grad():
        start = time.perf_counter()
        right = sum((model(xt[i : i + 1000]).argmax(1) == yt[i : i + 1000]).sum().item() for i in range(0, len(xt), 1000))
        print(f"test {time.perf_counter() - start:.3f} accuracy {right / len(xt):.4f}", flush=True)
    model.train()
