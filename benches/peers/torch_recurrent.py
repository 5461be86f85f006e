"""Steps of a recurrent layer and a dense layer with PyTorch's fused Adam. Arguments: cell steps features units batch."""

import sys
import time

import torch
import torch.nn.functional as F

cell, (steps, features, units, batch) = sys.argv[1], map(int, sys.argv[2:6])


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = {"simple": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](features, units, batch_first=True)
        self.head = torch.nn.Linear(units, 10)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


model = Network()
x, y = torch.rand(batch, steps, features), torch.arange(batch) % 10
adam = torch.optim.Adam(model.parameters(), eps=1e-7, fused=True)


def step():
    loss = F.cross_entropy(model(x), y)
    adam.zero_grad()
    loss.backward()
    adam.step()


# The first steps warm up.
for _ in range(3):
    step()
for _ in range(5):
    # About a second.
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < 1:
        step()
        count += 1
    print(f"step {(time.perf_counter() - start) / count * 1000:.4f}", flush=True)
