"""The official clients of the Open Inference Protocol, unchanged, against a running model server.

    python3 -m venv /tmp/triton && /tmp/triton/bin/pip install 'tritonclient[all]' pillow
    node tests/clients/triton/serve.ts &        # prints its two ports
    /tmp/triton/bin/python tests/clients/triton/check.py HTTP_PORT GRPC_PORT
"""

import io
import sys

import numpy as np
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from PIL import Image
from tritonclient.utils import InferenceServerException

http_port, grpc_port = sys.argv[1:3]


def picture():
    values = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(values).save(encoded, "JPEG", quality=95)
    return np.array([encoded.getvalue()], dtype=np.object_)


def tensor(library, name, values, datatype):
    given = library.InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values)
    return given


def refused(call, text):
    try:
        call()
    except InferenceServerException as error:
        assert text in str(error), error
        return
    raise AssertionError(f"not refused: {text}")


def check(library, client, is_grpc):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("plain") and not client.is_model_ready("none")
    index = client.get_model_repository_index()
    names = [model.name for model in index.models] if is_grpc else [model["name"] for model in index]
    assert {"plain", "types", "vision"} <= set(names), names
    metadata = client.get_model_metadata("plain")
    inputs = metadata.inputs if is_grpc else metadata["inputs"]
    assert len(inputs) == 1
    client.get_server_metadata()
    config = client.get_model_config("plain")
    assert (config.config.name if is_grpc else config["name"]) == "plain"
    client.get_inference_statistics("plain")

    rows = np.array([[1, 2, 3, 4], [0, -1, 0.5, 2]], dtype=np.float32)
    plain = tensor(library, "input", rows, "FP32")
    both = client.infer("plain", [plain], request_id="r1")
    assert both.as_numpy("output").shape == (2, 3)
    options = {"compression_algorithm": "gzip"} if is_grpc else {"request_compression_algorithm": "gzip"}
    packed = client.infer("plain", [plain], outputs=[library.InferRequestedOutput("output")], **options)
    np.testing.assert_array_equal(packed.as_numpy("output"), both.as_numpy("output"))

    samples = {
        "BOOL": np.array([True, False, True]),
        "INT8": np.array([-128, 0, 127], dtype=np.int8),
        "INT16": np.array([-32768, 0, 32767], dtype=np.int16),
        "INT32": np.array([-(2**31), 0, 2**31 - 1], dtype=np.int32),
        "INT64": np.array([-(2**63), 0, 2**63 - 1], dtype=np.int64),
        "UINT8": np.array([0, 1, 255], dtype=np.uint8),
        "UINT16": np.array([0, 1, 65535], dtype=np.uint16),
        "UINT32": np.array([0, 1, 2**32 - 1], dtype=np.uint32),
        "UINT64": np.array([0, 1, 2**64 - 1], dtype=np.uint64),
        "FP16": np.array([-0.5, 0, 65504], dtype=np.float16),
        "FP32": np.array([-0.5, np.inf, 3.25], dtype=np.float32),
        "FP64": np.array([-0.5, 1e300, 3.25], dtype=np.float64),
        "BYTES": np.array(["", "grüezi", "日本"], dtype=np.object_),
    }
    given = [tensor(library, name.lower(), values, name) for name, values in samples.items()]
    answer = client.infer("types", given)
    for name, values in samples.items():
        got = answer.as_numpy(f"{name.lower()}_out")
        if name == "BYTES":
            assert [text.decode() for text in got] == list(values), got
        else:
            np.testing.assert_array_equal(got, values)

    image = tensor(library, "input", picture(), "BYTES")
    labels = client.infer("vision", [image]).as_numpy("labels")
    assert labels.shape == (1, 3), labels

    refused(lambda: client.infer("none", [plain]), 'no model "none"')
    refused(lambda: client.infer("plain", [tensor(library, "x", rows, "FP32")]), 'no input "x"')
    client.unload_model("plain")
    assert not client.is_model_ready("plain")
    client.load_model("plain")
    assert client.is_model_ready("plain")


check(http_client, http_client.InferenceServerClient(f"127.0.0.1:{http_port}"), False)
print("tritonclient.http: all as expected")
check(grpc_client, grpc_client.InferenceServerClient(f"127.0.0.1:{grpc_port}"), True)
print("tritonclient.grpc: all as expected")
