"""The same model behind FastAPI and ONNX Runtime, as a Python service has it: `uvicorn fastapi_onnx:app --port 8000 --workers 2`.

`MODEL` names the ONNX file, which `Model::export_onnx` writes. The request and the answer are TensorFlow Serving's, as
those of inkstone-serve. ONNX Runtime works on one thread in each of the workers, of which there are as many as cores.
"""

import os

import numpy
import onnxruntime
from fastapi import FastAPI, Request
from fastapi.responses import Response
import orjson

app = FastAPI()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
name = session.get_inputs()[0].name


@app.post("/v1/models/digits:predict")
async def predict(request: Request):
    instances = numpy.array(orjson.loads(await request.body())["instances"], numpy.float32)
    answer = {"predictions": session.run(None, {name: instances})[0].tolist()}
    return Response(orjson.dumps(answer), media_type="application/json")
