"""An epoch of other models on random images with PyTorch, channels last and with its fused Adam. Arguments: model batch."""

import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

name, batch = sys.argv[1], int(sys.argv[2])
images, side, channels = (1000, 32, 3) if name == "vgg" else (10_000, 28, 1)
x = torch.rand(images, channels, side, side).to(memory_format=torch.channels_last)
y = torch.arange(images) % 10


def conv(inputs, filters):
    return [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]


def dense(inputs, units):
    return [nn.Linear(inputs, units), nn.ReLU()]


pool = nn.MaxPool2d(2)
layers = {
    "mlp": [nn.Flatten(), *dense(784, 512), *dense(512, 512), nn.Linear(512, 10)],
    "lenet": [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), pool, nn.Conv2d(6, 16, 5), nn.ReLU(), pool, nn.Flatten()]
    + [*dense(400, 120), *dense(120, 84), nn.Linear(84, 10)],
    "vgg": conv(3, 32) + conv(32, 32) + [pool] + conv(32, 64) + conv(64, 64) + [pool] + conv(64, 128) + conv(128, 128)
    + [pool, nn.Flatten(), *dense(2048, 128), nn.Linear(128, 10)],
}[name]
model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
adam = torch.optim.Adam(model.parameters(), eps=1e-7, fused=True)
for epoch in range(3):
    start = time.perf_counter()
    order = torch.randperm(images)
    for i in range(0, images, batch):
        some = order[i : i + batch]
        loss = F.cross_entropy(model(x[some]), y[some])
        adam.zero_grad()
        loss.backward()
        adam.step()
    # The first epoch warms up.
    if epoch:
        print(f"epoch {time.perf_counter() - start:.4f}", flush=True)
