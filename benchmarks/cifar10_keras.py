"""The CIFAR-10 example's network in Keras, for the programs that compare with it."""

import keras


def build_network():
    """Takes uint8 images [n, 32, 32, 3], gives logits [n, 10]; compiled with Adam as in the example."""
    L = keras.layers
    model = keras.Sequential([
        keras.Input((32, 32, 3), dtype="uint8"), L.Rescaling(1 / 255),
        L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(2),
        L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(2),
        L.Conv2D(64, 3, activation="relu"), L.Flatten(),
        L.Dense(64, activation="relu"), L.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model
