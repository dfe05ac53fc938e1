"""Trains the CIFAR-10 example's network in Keras on a folder of records; prints one JSON line a seed.

    KERAS_BACKEND=jax python benchmarks/accuracy-keras.py FOLDER EPOCHS BATCH_SIZE SEED...
"""

import json
import pathlib
import sys

import keras
import numpy as np

from cifar10_keras import build_network

folder, epochs, batch_size, *seeds = sys.argv[1:]


def load(pattern):
    raw = b"".join(path.read_bytes() for path in sorted(pathlib.Path(folder).glob(pattern)))
    records = np.frombuffer(raw, "uint8").reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0].astype("int32")


(x, y), (test_x, test_y) = load("data_batch_*.bin"), load("test_batch.bin")
for seed in map(int, seeds):
    keras.utils.set_random_seed(seed)
    model = build_network()
    data = (test_x, test_y)
    history = model.fit(x, y, epochs=int(epochs), batch_size=int(batch_size), validation_data=data, verbose=0).history
    print(json.dumps({"seed": seed, "loss": history["loss"][-1], "accuracy": history["val_accuracy"][-1]}), flush=True)
