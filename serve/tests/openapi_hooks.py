"""What Schemathesis has to know of the models that the tests serve: a description cannot say of which shape their inputs are."""

import io
import json
import os
import struct

import schemathesis
from hypothesis import strategies as st
from PIL import Image

# The model that is asked.
MODEL = os.environ["INKSTONE_MODEL"]


@schemathesis.hook
def before_load_schema(context, schema):
    # There are keys here.
    schema["security"].remove({})
    components = schema["components"]
    components["parameters"]["Name"]["schema"] = {"enum": [MODEL, "none"]}
    components["parameters"]["Name"]["example"] = MODEL
    components["parameters"]["Version"]["schema"] = {"enum": [1, 2, 99]}
    number_or_boolean = {"anyOf": components["schemas"]["Numbers"]["anyOf"][:2]}
    row = {"type": "array", "minItems": 4, "maxItems": 4, "items": number_or_boolean}
    rows = {"type": "array", "minItems": 1, "items": row}
    components["schemas"]["Numbers"] = rows
    # One row, so that the shape fits what is drawn.
    components["schemas"]["InferInput"]["properties"]["shape"] = {"const": [1, 4]}
    components["schemas"]["InferInput"]["properties"]["data"] = rows | {"maxItems": 1}


def picture(kind):
    def draw(size, grey):
        image = Image.new("L", size, 255)
        # The digit one.
        image.paste(grey, (size[0] // 2, size[1] // 4, size[0] // 2 + 2, size[1] * 3 // 4))
        content = io.BytesIO()
        image.save(content, kind)
        return content.getvalue()

    side = st.integers(12, 100)
    return st.builds(draw, st.tuples(side, side), st.integers(0, 100))


def infer_binary(values):
    inputs = [{"name": "input_0", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}]
    return json.dumps({"inputs": inputs}).encode() + struct.pack("<4f", *values)


schemathesis.openapi.media_type("image/png", picture("PNG"))
schemathesis.openapi.media_type("image/jpeg", picture("JPEG"))
number = st.floats(-1000, 1000, width=32)
schemathesis.openapi.media_type("application/octet-stream", st.builds(infer_binary, st.tuples(number, number, number, number)))


@schemathesis.hook
def map_case(context, case):
    """The header that says where the text ends belongs to bodies with bytes, and to no others."""
    name = "Inference-Header-Content-Length"
    if not case.path.endswith("/infer") or case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if case.media_type == "application/octet-stream":
        case.headers[name] = str(len(case.body) - 16)
    else:
        case.headers.pop(name, None)
    return case
