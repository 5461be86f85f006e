"""An epoch of the networks of the example mnist_gan with --conditional in PyTorch, channels last, fused Adam. Random images:
they take as long as digits. Arguments: images batch epochs."""

import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

images, batch, epochs = (int(argument) for argument in sys.argv[1:4])


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(64 + 10, 7 * 7 * 64, bias=False)
        self.of_start = nn.BatchNorm1d(7 * 7 * 64)
        self.up = nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False)
        self.of_up = nn.BatchNorm2d(32)
        self.image = nn.ConvTranspose2d(32, 1, 4, 2, 1)

    def forward(self, latent, label):
        x = F.relu(self.of_start(self.start(torch.cat([latent, label], 1)))).reshape(-1, 64, 7, 7)
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.image(F.relu(self.of_up(self.up(x)))))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 32, 4, 2, 1), nn.Conv2d(32, 64, 4, 2, 1)
        self.features, self.of_label = nn.Linear(7 * 7 * 64, 128), nn.Linear(10, 128, bias=False)
        self.score = nn.Linear(256, 1)

    def forward(self, image, label):
        x = F.leaky_relu(self.second(F.leaky_relu(self.first(image), 0.2)), 0.2)
        x = F.leaky_relu(self.features(x.flatten(1)), 0.2)
        return self.score(torch.cat([x, x * self.of_label(label)], 1))


generator, discriminator = (model().to(memory_format=torch.channels_last) for model in (Generator, Discriminator))
of_generator, of_discriminator = (
    torch.optim.Adam(model.parameters(), 0.0005, betas=(0.5, 0.999), fused=True) for model in (generator, discriminator)
)
data = torch.rand(images, 1, 28, 28).contiguous(memory_format=torch.channels_last)
labels = F.one_hot(torch.arange(images) % 10, 10).float()
logits = F.binary_cross_entropy_with_logits
for _ in range(epochs):
    start = time.perf_counter()
    for places in torch.randperm(images).split(batch):
        real, label = data[places], labels[places]
        made = generator(torch.randn(len(places), 64), label)
        of_real, of_made = discriminator(real, label), discriminator(made.detach(), label)
        loss = logits(of_real, torch.ones_like(of_real)) + logits(of_made, torch.zeros_like(of_made))
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        # The generator's gradients alone: the discriminator's weights are left out.
        discriminator.requires_grad_(False)
        score = discriminator(made, label)
        loss = logits(score, torch.ones_like(score))
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        discriminator.requires_grad_(True)
    print(f"epoch {time.perf_counter() - start:.2f}", flush=True)
