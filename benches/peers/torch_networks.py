"""The networks that `models.sh` and `inference.sh` compare, in PyTorch, channels last, and random images for them."""

import torch
import torch.nn as nn


class Residual(nn.Module):
    """`relu(body(x) + shortcut(x))`."""

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def conv(inputs, filters):
    return [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]


def dense(inputs, units, activation=nn.ReLU):
    return [nn.Linear(inputs, units), activation()]


def normalized(inputs, filters, size=3, stride=1, groups=1):
    """A convolution without a bias, and Keras' batch normalisation."""
    convolution = nn.Conv2d(inputs, filters, size, stride, padding=size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)]


def residual(inputs, filters, stride):
    body = [*normalized(inputs, filters, stride=stride), nn.ReLU(), *normalized(filters, filters)]
    changes = stride > 1 or inputs != filters
    shortcut = normalized(inputs, filters, size=1, stride=stride) if changes else []
    return Residual(nn.Sequential(*body), nn.Sequential(*shortcut))


def separable(inputs, filters, stride):
    depthwise = normalized(inputs, inputs, stride=stride, groups=inputs)
    return [*depthwise, nn.ReLU(), *normalized(inputs, filters, size=1), nn.ReLU()]


def lenet(pool, activation):
    first = [nn.Conv2d(1, 6, 5, padding=2), activation(), pool, nn.Conv2d(6, 16, 5), activation(), pool, nn.Flatten()]
    return [*first, *dense(400, 120, activation), *dense(120, 84, activation), nn.Linear(84, 10)]


def cnn():
    def conv(inputs, filters):
        return [nn.Conv2d(inputs, filters, 3), nn.ReLU()]

    pool = nn.MaxPool2d(2)
    return [*conv(1, 32), pool, *conv(32, 64), pool, *conv(64, 64), nn.Flatten(), *dense(576, 64), nn.Linear(64, 10)]


def mlp():
    return [nn.Flatten(), *dense(784, 512), *dense(512, 512), nn.Linear(512, 10)]


def vgg():
    pool = nn.MaxPool2d(2)
    blocks = [[*conv(inputs, filters), *conv(filters, filters), pool] for inputs, filters in [(3, 32), (32, 64), (64, 128)]]
    return [*sum(blocks, []), nn.Flatten(), *dense(2048, 128), nn.Linear(128, 10)]


def resnet():
    blocks = [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return [*normalized(1, 16), nn.ReLU(), *[residual(*block) for block in blocks], *ends]


def mobilenet():
    blocks = [(16, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    return [*normalized(1, 16, stride=2), nn.ReLU(), *sum([separable(*block) for block in blocks], []), *ends]


NETWORKS = {
    "cnn": cnn,
    "mlp": mlp,
    "lenet": lambda: lenet(nn.MaxPool2d(2), nn.ReLU),
    "lenet_avg": lambda: lenet(nn.AvgPool2d(2), nn.Tanh),
    "vgg": vgg,
    "resnet": resnet,
    "mobilenet": mobilenet,
}


def network(name):
    return nn.Sequential(*NETWORKS[name]()).to(memory_format=torch.channels_last)


def random_images(name, count):
    side, channels = (32, 3) if name == "vgg" else (28, 1)
    return torch.rand(count, channels, side, side).to(memory_format=torch.channels_last)


def parameter_count(model):
    """As Keras counts them: with the moving statistics of batch normalisations."""
    state = [buffer for name, buffer in model.named_buffers() if not name.endswith("num_batches_tracked")]
    return sum(values.numel() for values in [*model.parameters(), *state])
