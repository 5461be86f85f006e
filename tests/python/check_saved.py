"""Reads a model file that Inkstone saved, rebuilds the model in Keras, and compares its predictions.

    python check_saved.py model.safetensors cases.safetensors again.safetensors weights.safetensors

`cases` has `inputs` (N, and the input's shape) and Inkstone's `predictions` (N, classes). The model is then written again twice, for
Inkstone to read: as it is, and as weights without metadata. Keras runs on any of its backends, as KERAS_BACKEND says.
"""

import json
import sys
import zlib

import keras
import numpy
import safetensors
import safetensors.numpy
from keras.src.utils.naming import to_snake_case

TOLERANCE = 1e-5
model_path, cases_path, again_path, weights_path = sys.argv[1:]

with safetensors.safe_open(model_path, "numpy") as file:
    metadata = file.metadata()
    weights = {name: file.get_tensor(name) for name in file.keys()}
entry = metadata["inkstone"]
saved = json.loads(entry)
model = saved["model"]
assert saved["format_version"] == 3, saved["format_version"]

# The checksum: the text of `model` as it stands there, which is the last field, then all tensors by name.
text = entry[entry.index('"model":') + len('"model":') : -1]
assert json.loads(text) == model
checksum = zlib.crc32(text.encode())
for name in sorted(weights):
    checksum = zlib.crc32(weights[name].tobytes(), checksum)
assert f"{checksum:08x}" == saved["crc32"], (f"{checksum:08x}", saved["crc32"])


def layer(kind, options):
    """Types and arguments are Keras', but for capitals and one name. Weights are set below, however they were drawn."""
    options = {key: value for key, value in options.items() if not key.endswith("_initializer")}
    options = {key: value.lower() if isinstance(value, str) else value for key, value in options.items()}
    if kind == "Activation":
        options["activation"] = options.pop("function")
    if "layer" in options:
        # With a name, so that it does not count among the layers of its type.
        ((inner, of_inner),) = options["layer"].items()
        options["layer"] = layer(inner, {"name": to_snake_case(inner)} | of_inner)
    return getattr(keras.layers, kind)(**options)


def name_of(layer, weight):
    """A weight's name: that of its layer, in one of two directions the direction, and its own."""
    if isinstance(layer, keras.layers.Bidirectional):
        return f"{layer.name}/{weight.path.split('/')[-3]}/{weight.name}"
    return f"{layer.name}/{weight.name}"


(shape,) = model["network"]["inputs"]
rebuilt = keras.Sequential([keras.Input(shape)])
for described in model["network"]["layers"]:
    ((kind, options),) = described.items()
    rebuilt.add(layer(kind, options))
# The names are those that Keras gives layers itself, and the layouts Keras'.
unused = set(weights)
for layer in rebuilt.layers:
    names = [name_of(layer, weight) for weight in layer.weights if weight.name != "seed_generator_state"]
    if names:
        layer.set_weights([weights[name] for name in names])
    unused -= set(names)
assert not unused, unused

cases = safetensors.numpy.load_file(cases_path)
predictions = rebuilt.predict(cases["inputs"], verbose=0)
assert predictions.shape == cases["predictions"].shape, predictions.shape
difference = numpy.abs(predictions - cases["predictions"]).max()
print(
    f"{len(predictions)} predictions of Keras {keras.__version__} on {keras.backend.backend()} "
    f"(safetensors {safetensors.__version__}) differ by at most {difference:.2g}"
)
assert difference <= TOLERANCE, difference

safetensors.numpy.save_file(weights, again_path, metadata)
safetensors.numpy.save_file(weights, weights_path)
