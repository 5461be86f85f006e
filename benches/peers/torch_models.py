"""Epochs of a network on random images with PyTorch's fused Adam. Arguments: model batch."""

import sys
import time

import torch
import torch.nn.functional as F

from torch_networks import network, parameter_count, random_images

name, batch = sys.argv[1], int(sys.argv[2])
images = {"vgg": 1000, "resnet": 2000, "mobilenet": 2000}.get(name, 10_000)
x = random_images(name, images)
y = torch.arange(images) % 10
model = network(name)
print(f"parameters {parameter_count(model)}")
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
        seconds, steps = time.perf_counter() - start, -(-images // batch)
        print(f"epoch {seconds:.4f} step {seconds / steps * 1000:.4f}", flush=True)
