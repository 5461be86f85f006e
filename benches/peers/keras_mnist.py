"""The Keras example's CNN on MNIST with Keras on TensorFlow, as its authors wrote it. Arguments: folder epochs batch."""

import gzip
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np
from keras import layers

folder, epochs, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)


def idx(name, offset):
    path = os.path.join(folder, name)
    opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
    return np.frombuffer(opened.read(), np.uint8, offset=offset)


def images(name):
    return idx(name, 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255


x, xt = images("train-images-idx3-ubyte"), images("t10k-images-idx3-ubyte")
y, yt = (idx(f"{part}-labels-idx1-ubyte", 8).astype(np.int32) for part in ("train", "t10k"))
model = keras.Sequential([
    layers.Input((28, 28, 1)), layers.Conv2D(32, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"), layers.Flatten(), layers.Dense(64, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
for epoch in range(1, epochs + 1):
    start = time.perf_counter()
    model.fit(x, y, epochs=1, batch_size=batch, verbose=0)
    print(f"epoch {epoch} {time.perf_counter() - start:.3f}", flush=True)
    start = time.perf_counter()
    _, accuracy = model.evaluate(xt, yt, verbose=0)
    print(f"test {time.perf_counter() - start:.3f} accuracy {accuracy:.4f}", flush=True)
