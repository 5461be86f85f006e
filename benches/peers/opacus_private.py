"""A private epoch of the Keras CNN in Opacus, beside a plain one in PyTorch. Random images: they take as long as digits.
Arguments: images batch epochs."""

import sys
import time
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from opacus import PrivacyEngine
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
images, batch, epochs = (int(argument) for argument in sys.argv[1:4])
data = TensorDataset(torch.rand(images, 1, 28, 28), torch.randint(10, (images,)))


def network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10),
    )


def run(name, model, optimizer, loader):
    for _ in range(epochs):
        start = time.perf_counter()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{name} epoch {time.perf_counter() - start:.2f}", flush=True)


model = network()
run("plain", model, torch.optim.Adam(model.parameters()), DataLoader(data, batch_size=batch, shuffle=True))
model = network()
model, optimizer, loader = PrivacyEngine().make_private(
    module=model, optimizer=torch.optim.Adam(model.parameters()), data_loader=DataLoader(data, batch_size=batch),
    noise_multiplier=1.0, max_grad_norm=1.0,
)
run("private", model, optimizer, loader)
