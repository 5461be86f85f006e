"""Asks a server as clients of its two protocols do, and compares what it predicts.

The standard input has the server's address, a key, and cases: a model, a version, inputs, and the outputs to expect.
"""

import json
import sys
import urllib.error
import urllib.request

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

TOLERANCE = 1e-6


def same(actual, expected):
    actual, expected = np.asarray(actual, np.float32), np.asarray(expected, np.float32)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE)


def open_inference_protocol(url, key, cases):
    headers = {"Authorization": f"Bearer {key}"}
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready()
    server = client.get_server_metadata(headers=headers)
    assert server["name"] == "inkstone-serve" and "binary_tensor_data" in server["extensions"], server
    for case in cases:
        name, version = case["model"], case["version"]
        inputs, expected = np.array(case["inputs"], np.float32), case["outputs"]
        assert client.is_model_ready(name, version, headers=headers)
        metadata = client.get_model_metadata(name, version, headers=headers)
        assert metadata["name"] == name and metadata["versions"] == [version], metadata
        assert metadata["inputs"] == [{"name": "input_0", "datatype": "FP32", "shape": [-1, *inputs.shape[1:]]}], metadata
        assert metadata["outputs"] == [{"name": "output_0", "datatype": "FP32", "shape": [-1, len(expected[0])]}], metadata
        for kind, values in [("FP32", inputs), ("FP64", inputs.astype(np.float64))]:
            for binary_input in [False, True]:
                for binary_output in [False, True]:
                    asked = triton.InferInput("input_0", inputs.shape, kind)
                    asked.set_data_from_numpy(values, binary_data=binary_input)
                    output = triton.InferRequestedOutput("output_0", binary_data=binary_output)
                    # The client adds to the headers that it is given.
                    result = client.infer(name, [asked], version, [output], request_id="7", headers=dict(headers))
                    same(result.as_numpy("output_0"), expected)
                    response = result.get_response()
                    assert (response["model_name"], response["model_version"], response["id"]) == (name, version, "7"), response
                    assert ("data" in response["outputs"][0]) != binary_output, response
    # Without a version it is the newest.
    newest = [case for case in cases if case["model"] == cases[0]["model"]][-1]
    asked = triton.InferInput("input_0", np.shape(newest["inputs"]), "FP32")
    asked.set_data_from_numpy(np.array(newest["inputs"], np.float32))
    result = client.infer(newest["model"], [asked], headers=dict(headers))
    assert result.get_response()["model_version"] == newest["version"], result.get_response()
    same(result.as_numpy("output_0"), newest["outputs"])

    def refused(status, text, name=newest["model"], version="", asked=asked, headers=headers):
        try:
            client.infer(name, [asked], version, headers=dict(headers))
        except InferenceServerException as error:
            assert error.status() == str(status) and text in error.message(), error
        else:
            raise AssertionError(f"expected {status}: {text}")

    assert not client.is_model_ready("none", headers=headers)
    assert not client.is_model_ready(newest["model"], "99", headers=headers)
    refused(404, "there is no model `none`", name="none")
    refused(404, "there is no version 99", version="99")
    refused(401, "an API key is needed", headers={})
    refused(401, "the API key is not known", headers={"X-API-Key": "ink_none"})
    wrong = triton.InferInput("input_0", [1, 3], "FP32")
    refused(400, "expected inputs of the shape (N, 4), got [1, 3]", asked=wrong.set_data_from_numpy(np.zeros((1, 3), np.float32)))
    wrong = triton.InferInput("other", [1, 4], "FP32")
    refused(400, "expected the input `input_0`", asked=wrong.set_data_from_numpy(np.zeros((1, 4), np.float32)))
    nan = triton.InferInput("input_0", [1, 4], "FP32")
    refused(400, "found NaN", asked=nan.set_data_from_numpy(np.full((1, 4), np.nan, np.float32)))


def tensorflow_serving(url, key, cases):
    def ask(path, body=None, key=key):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data, {"X-API-Key": key} if key else {})
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    for case in cases:
        name, version, inputs = case["model"], case["version"], case["inputs"]
        address = f"/v1/models/{name}/versions/{version}"
        status, answer = ask(address)
        expected = {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        assert (status, answer) == (200, {"model_version_status": [expected]}), answer
        status, answer = ask(address + "/metadata")
        assert answer["model_spec"] == {"name": name, "signature_name": "", "version": version}, answer
        signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
        axes = signature["inputs"]["input_0"]["tensor_shape"]["dim"]
        assert [int(axis["size"]) for axis in axes] == [-1, *np.shape(inputs)[1:]], answer
        for body, key_of_answer in [
            ({"instances": inputs}, "predictions"),
            ({"signature_name": "serving_default", "instances": [{"input_0": row} for row in inputs]}, "predictions"),
            ({"inputs": inputs}, "outputs"),
            ({"inputs": {"input_0": inputs}}, "outputs"),
        ]:
            status, answer = ask(address + ":predict", body)
            assert status == 200 and list(answer) == [key_of_answer], answer
            same(answer[key_of_answer], case["outputs"])
    newest = [case for case in cases if case["model"] == cases[0]["model"]][-1]
    name = newest["model"]
    status, answer = ask(f"/v1/models/{name}")
    assert [int(version["version"]) for version in answer["model_version_status"]] == [2, 1], answer
    status, answer = ask(f"/v1/models/{name}:predict", {"instances": newest["inputs"]})
    same(answer["predictions"], newest["outputs"])

    row = newest["inputs"][0]
    for expected, text, path, body in [
        (404, "there is no model `none`", "/v1/models/none", None),
        (404, "there is no version 99", f"/v1/models/{name}/versions/99:predict", {"instances": [row]}),
        (404, "expected the number of a version", f"/v1/models/{name}/versions/x", None),
        (404, "found `:regress`", f"/v1/models/{name}:regress", {"examples": []}),
        (404, "there is nothing at this address", "/v1/none", None),
        (405, "this address is not for this method", f"/v1/models/{name}:predict", None),
        (400, "expected `instances` or `inputs`, found none", f"/v1/models/{name}:predict", {}),
        (400, "expected inputs of the shape (N, 4), got [1, 3]", f"/v1/models/{name}:predict", {"instances": [row[1:]]}),
        (400, "expected lists of equal lengths", f"/v1/models/{name}:predict", {"instances": [row, row[1:]]}),
        (400, "expected a number or a list of such", f"/v1/models/{name}:predict", {"instances": [row], "inputs": None}),
        (400, "unknown field `examples`", f"/v1/models/{name}:predict", {"examples": [row]}),
        (400, "expected the signature `serving_default`", f"/v1/models/{name}:predict", {"signature_name": "x", "instances": [row]}),
    ]:
        status, answer = ask(path, body)
        assert status == expected and text in answer["error"], (path, status, answer)
    status, answer = ask(f"/v1/models/{name}:predict", {"instances": [row]}, key=None)
    assert status == 401 and "an API key is needed" in answer["error"], answer


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    {"triton": open_inference_protocol, "tensorflow": tensorflow_serving}[sys.argv[1]](asked["url"], asked["key"], asked["cases"])
