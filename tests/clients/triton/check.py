"""The official clients of the Open Inference Protocol, unchanged, against a running model server.

    python3 -m venv /tmp/triton && /tmp/triton/bin/pip install 'tritonclient[all]' ml_dtypes pillow
    node tests/clients/triton/serve.ts &        # prints its two ports
    /tmp/triton/bin/python tests/clients/triton/check.py HTTP_PORT GRPC_PORT
"""

import asyncio
import io
import queue
import sys

import ml_dtypes
import numpy as np
import tritonclient.grpc as grpc_client
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http_client
import tritonclient.http.aio as http_aio
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


def field(message, name):
    """A field of an answer: a message's over gRPC, an object's over HTTP."""
    return message[name] if isinstance(message, dict) else getattr(message, name)


def check(library, client, is_grpc):
    check_health(client, is_grpc)
    check_infer(library, client, is_grpc)
    check_datatypes(library, client)
    check_outputs(library, client, is_grpc)
    check_statistics(library, client, is_grpc)
    check_not_offered(library, client, is_grpc)
    check_repository(library, client)


def check_health(client, is_grpc):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("plain") and not client.is_model_ready("none")
    assert client.is_model_ready("plain", "1") and not client.is_model_ready("plain", "9")
    index = client.get_model_repository_index()
    names = [model.name for model in index.models] if is_grpc else [model["name"] for model in index]
    assert {"plain", "types", "vision"} <= set(names), names
    metadata = client.get_model_metadata("plain")
    assert len(field(metadata, "inputs")) == 1 and field(metadata, "platform") == "onnx_onnxv1"
    offered = set(field(client.get_server_metadata(), "extensions"))
    assert {"classification", "statistics", "binary_tensor_data", "model_repository"} <= offered, offered
    config = client.get_model_config("plain")
    assert field(config.config if is_grpc else config, "name") == "plain"


ROWS = np.array([[1, 2, 3, 4], [0, -1, 0.5, 2]], dtype=np.float32)


def check_infer(library, client, is_grpc):
    plain = tensor(library, "input", ROWS, "FP32")
    both = client.infer("plain", [plain], request_id="r1", model_version="1")
    assert both.as_numpy("output").shape == (2, 3)
    answer = both.get_response()
    assert field(answer, "id") == "r1" and field(answer, "model_version") == "1"
    assert both.get_output("output") is not None and both.as_numpy("none") is None
    for coding in ["gzip", "deflate"]:
        options = (
            {"compression_algorithm": coding}
            if is_grpc
            else {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        )
        packed = client.infer("plain", [plain], outputs=[library.InferRequestedOutput("output")], **options)
        np.testing.assert_array_equal(packed.as_numpy("output"), both.as_numpy("output"))
    many = tensor(library, "input", np.zeros((400, 4), np.float32), "FP32")
    if not is_grpc:
        long = client.infer("plain", [many], response_compression_algorithm="gzip")
        assert long.as_numpy("output").shape == (400, 3)
    more = {"priority": 1, "parameters": {"tenant": "a", "weight": 0.5, "dry": True, "count": 3}}
    client.infer("plain", [plain], **more, **({"client_timeout": 60} if is_grpc else {}))

    if is_grpc:
        told = queue.Queue()
        for _ in range(8):
            client.async_infer("plain", [plain], callback=lambda result, error: told.put((result, error)))
        for _ in range(8):
            result, error = told.get(timeout=60)
            assert error is None, error
            np.testing.assert_array_equal(result.as_numpy("output"), both.as_numpy("output"))
    else:
        calls = [client.async_infer("plain", [plain]) for _ in range(8)]
        for call in calls:
            np.testing.assert_array_equal(call.get_result().as_numpy("output"), both.as_numpy("output"))


def check_datatypes(library, client):
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
    rows = np.array([[1, -2, 0.5, 0]], dtype=np.float32)
    narrow = client.infer("plain", [tensor(library, "input", rows.astype(ml_dtypes.bfloat16), "BF16")]).as_numpy("output")
    np.testing.assert_array_equal(
        narrow, client.infer("plain", [tensor(library, "input", rows, "FP32")]).as_numpy("output")
    )


def check_outputs(library, client, is_grpc):
    image = tensor(library, "input", picture(), "BYTES")
    answer = client.infer("vision", [image])
    labels = answer.as_numpy("labels")
    assert labels.shape == (1, 3), labels
    asked = library.InferRequestedOutput("probabilities", class_count=2)
    (classes,) = client.infer("vision", [image], outputs=[asked]).as_numpy("probabilities")
    probability, index, label = classes[0].decode().split(":")
    assert label == labels[0][0].decode() and label == f"class {index}", (classes, labels)
    assert abs(float(probability) - answer.as_numpy("probabilities").max()) < 1e-5, classes
    if is_grpc:
        return
    plain = library.InferInput("input", list(ROWS.shape), "FP32")
    plain.set_data_from_numpy(ROWS, binary_data=False)
    asked = library.InferRequestedOutput("output", binary_data=False)
    as_json = client.infer("plain", [plain], outputs=[asked])
    as_bytes = client.infer("plain", [tensor(library, "input", ROWS, "FP32")])
    assert "data" in as_json.get_output("output")
    np.testing.assert_allclose(as_json.as_numpy("output"), as_bytes.as_numpy("output"), rtol=1e-6)


def check_statistics(library, client, is_grpc):
    def stats():
        (one,) = field(client.get_inference_statistics("plain"), "model_stats")
        return one

    def count(one, name):
        counted = field(field(field(one, "inference_stats"), name), "count")
        return int(counted)

    before = stats()
    client.infer("plain", [tensor(library, "input", ROWS, "FP32")])
    refused(lambda: client.infer("plain", [tensor(library, "x", ROWS, "FP32")]), 'no input "x"')
    after = stats()
    assert int(field(after, "inference_count")) == int(field(before, "inference_count")) + 2, "rows count"
    assert int(field(after, "execution_count")) == int(field(before, "execution_count")) + 1
    assert count(after, "success") == count(before, "success") + 1
    assert count(after, "fail") == count(before, "fail") + 1
    assert int(field(field(field(after, "inference_stats"), "compute_infer"), "ns")) > 0
    assert int(field(after, "last_inference")) > 1_600_000_000_000
    everything = field(client.get_inference_statistics(), "model_stats")
    assert {"plain", "types", "vision"} <= {field(one, "name") for one in everything}


def check_not_offered(library, client, is_grpc):
    no_memory, no_trace, no_log = "shared memory is not offered", "trace extension", "logging extension"
    refused(lambda: client.register_system_shared_memory("a", "/a", 4), no_memory)
    refused(lambda: client.get_system_shared_memory_status(), no_memory)
    refused(lambda: client.unregister_system_shared_memory("a"), no_memory)
    refused(lambda: client.register_cuda_shared_memory("a", b"aGFuZGxl", 0, 4), no_memory)
    refused(lambda: client.get_cuda_shared_memory_status(), no_memory)
    refused(lambda: client.unregister_cuda_shared_memory(), no_memory)
    refused(lambda: client.get_trace_settings(), no_trace)
    refused(lambda: client.update_trace_settings("plain", {"trace_rate": "1"}), no_trace)
    refused(lambda: client.get_log_settings(), no_log)
    refused(lambda: client.update_log_settings({"log_verbose_level": 1}), no_log)
    elsewhere = library.InferInput("input", [1, 4], "FP32")
    elsewhere.set_shared_memory("a", 16)
    refused(lambda: client.infer("plain", [elsewhere]), "inputs[0]: " + no_memory)
    asked = library.InferRequestedOutput("output")
    asked.set_shared_memory("a", 12)
    plain = tensor(library, "input", ROWS, "FP32")
    refused(lambda: client.infer("plain", [plain], outputs=[asked]), "outputs[0]: " + no_memory)
    refused(lambda: client.infer("none", [plain]), 'no model "none"')


def check_repository(library, client):
    override = {"config": '{"max_batch_size": 4}'}
    refused(lambda: client.load_model("plain", **override), "a load takes none here")
    refused(lambda: client.load_model("plain", files={"file:1/model.onnx": b"x"}, **override), "takes none")
    refused(lambda: client.load_model("../../etc"), "../../etc")
    client.unload_model("plain", unload_dependents=True)
    assert not client.is_model_ready("plain")
    client.load_model("plain")
    assert client.is_model_ready("plain")


def check_stream(client):
    """ModelStreamInfer: answers in order, errors in their place, and the stream goes on after them."""
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for i in range(20):
        wrong = i % 5 == 4
        given = tensor(grpc_client, "x" if wrong else "input", ROWS + np.float32(i), "FP32")
        client.async_stream_infer("plain", [given], request_id=str(i))
    for i in range(20):
        result, error = answers.get(timeout=60)
        if i % 5 == 4:
            assert result is None and 'no input "x"' in str(error), error
            continue
        assert error is None, error
        assert result.get_response().id == str(i)
        assert result.get_response().parameters["triton_final_response"].bool_param
        assert result.as_numpy("output").shape == (2, 3)
    client.stop_stream()
    client.start_stream(callback=lambda result, error: answers.put((result, error)), compression_algorithm="gzip")
    client.async_stream_infer("plain", [tensor(grpc_client, "input", ROWS, "FP32")], request_id="packed")
    result, error = answers.get(timeout=60)
    assert error is None and result.get_response().id == "packed", error
    client.stop_stream()
    assert answers.empty()


async def check_asyncio():
    async with http_aio.InferenceServerClient(f"127.0.0.1:{http_port}") as client:
        assert await client.is_server_ready()
        given = tensor(http_client, "input", ROWS, "FP32")
        assert (await client.infer("plain", [given])).as_numpy("output").shape == (2, 3)
    async with grpc_aio.InferenceServerClient(f"127.0.0.1:{grpc_port}") as client:
        assert await client.is_model_ready("plain")
        given = tensor(grpc_client, "input", ROWS, "FP32")
        assert (await client.infer("plain", [given])).as_numpy("output").shape == (2, 3)

        async def requests():
            for i in range(3):
                yield {"model_name": "plain", "inputs": [given], "request_id": str(i)}

        ids = []
        async for result, error in client.stream_infer(requests()):
            assert error is None, error
            ids.append(result.get_response().id)
        assert ids == ["0", "1", "2"], ids


check(http_client, http_client.InferenceServerClient(f"127.0.0.1:{http_port}", concurrency=4), False)
print("tritonclient.http: all as expected")
over_grpc = grpc_client.InferenceServerClient(f"127.0.0.1:{grpc_port}")
check(grpc_client, over_grpc, True)
check_stream(over_grpc)
print("tritonclient.grpc: all as expected")
asyncio.run(check_asyncio())
print("tritonclient's asyncio clients: all as expected")
