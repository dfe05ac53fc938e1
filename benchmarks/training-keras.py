"""Trains the CIFAR-10 network in Keras: for each batch size on standard input, prints images a second over one epoch.
Started by training.ts.

    KERAS_BACKEND=tensorflow python benchmarks/training-keras.py THREADS IMAGES
"""

import sys
import time

import keras
import numpy as np

from cifar10_keras import build_network

threads, count = map(int, sys.argv[1:3])
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

random = np.random.default_rng(0)
images = random.integers(0, 256, (count, 32, 32, 3), "uint8")
labels = random.integers(0, 10, count, "int32")
models = {}
print(f"Keras {keras.__version__}, {keras.backend.backend()}", flush=True)
for line in sys.stdin:
    batch_size = int(line)
    if batch_size not in models:
        models[batch_size] = build_network()
    begin = time.perf_counter()
    models[batch_size].fit(images, labels, batch_size=batch_size, verbose=0)
    print(count / (time.perf_counter() - begin), flush=True)
