"""Steps of a recurrent layer and a dense layer with Keras, on the backend that KERAS_BACKEND names. Arguments: cell steps
features units batch."""

import sys
import time

import keras
import numpy

cell, (steps, features, units, batch) = sys.argv[1], map(int, sys.argv[2:])
layer = {"simple": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell](units)
model = keras.Sequential([keras.Input((steps, features)), layer, keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
# As many batches as take some seconds: `fit` runs them without coming back to Python's loops.
count = max(4, 200_000 // (steps * units))
x = numpy.random.default_rng(1).random((count * batch, steps, features), numpy.float32)
y = numpy.arange(count * batch) % 10
# The first epoch compiles.
model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
for _ in range(3):
    start = time.perf_counter()
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
    print(f"step {(time.perf_counter() - start) / count * 1000:.4f}", flush=True)
