"""FastAPI + onnxruntime as its users write it: an endpoint that takes one image's bytes. Started by serving-fastapi.ts."""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request, Response

model, port, threads, workers = sys.argv[1], *map(int, sys.argv[2:5])
app = FastAPI()


def open_session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


session = open_session()


@app.post("/infer")
async def infer(request: Request):
    image = np.frombuffer(await request.body(), dtype=np.uint8).reshape(1, 32, 32, 3)
    (logits,) = session.run(None, {"input": image})
    return Response(logits.tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    if workers == 1:
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
        session = open_session()
        config = uvicorn.Config(app, log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])
