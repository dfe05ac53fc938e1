"""FastAPI as its users write it: an endpoint that takes one image's bytes. Started by serving-fastapi.ts.

    python benchmarks/serving-fastapi.py MODEL PORT THREADS PROCESSES

The model is an ONNX file, run by onnxruntime, or "tensorflow": the same network in Keras, as a tf.function.
"""

import sys

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

model, port, threads, workers = sys.argv[1], *map(int, sys.argv[2:5])
app = FastAPI()


def open_onnxruntime():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"input": image})[0]


def open_tensorflow():
    import os

    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf
    from cifar10_keras import build_network

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = build_network()
    call = tf.function(
        lambda image: network(image, training=False),
        input_signature=[tf.TensorSpec((None, 32, 32, 3), tf.uint8)],
    )
    return lambda image: call(image).numpy()


open_model = open_tensorflow if model == "tensorflow" else open_onnxruntime
run = None


@app.post("/infer")
async def infer(request: Request):
    image = np.frombuffer(await request.body(), dtype=np.uint8).reshape(1, 32, 32, 3)
    return Response(run(image).tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    if workers == 1:
        run = open_model()
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
    else:
        import os
        import socket

        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
        for _ in range(workers - 1):
            if os.fork() == 0:
                break
        run = open_model()
        config = uvicorn.Config(app, log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])
