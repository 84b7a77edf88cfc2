"""`python -m tests.benchmarks.keras_layer`: the layer and the usual recipe, on the backend of KERAS_BACKEND.

The recipe is `max_pool(x) == x`, times a convolution with ones. Both are called in turns, many times, so that
other load on the machine affects both; times are medians.
"""

import argparse
import os
import statistics
import time
import warnings

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def recipe(size=3):
    """Return the recipe as a layer for images (batch, row, col, 1)."""
    import keras
    from keras import ops

    class Recipe(keras.layers.Layer):
        def build(self, _):
            self.ones = self.add_weight(shape=(size, size, 1, 1), initializer="ones", trainable=False)

        def call(self, x):
            highest = ops.max_pool(x, (size, size), strides=1, padding="same", data_format="channels_last")
            sums = ops.depthwise_conv(x, self.ones, padding="same", data_format="channels_last")
            return ops.where(x == highest, sums, ops.zeros_like(sums))

    return Recipe()


def callers(layer):
    """Return the ways to call a layer on this backend, each of which waits for the result."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        compiled = jax.jit(layer)
        return {"jit": lambda x: compiled(x).block_until_ready()}
    if backend == "tensorflow":
        import tensorflow as tf

        graph, xla = tf.function(layer), tf.function(layer, jit_compile=True)
        return {"tf.function": lambda x: graph(x).numpy(), "XLA": lambda x: xla(x).numpy()}
    if backend == "torch":
        import torch

        def eager(x):
            with torch.no_grad():
                return layer(x)

        return {"eager": eager}
    return {"eager": layer}


def measure(functions, x, rounds):
    """Return the median time of every function in milliseconds."""
    times = {name: [] for name in functions}
    for name in [*functions] * (rounds + 2):
        start = time.perf_counter()
        functions[name](x)
        times[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(seconds[2:]) for name, seconds in times.items()}  # two warm up


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2048)
    parser.add_argument("--shape", type=int, nargs=2, default=(24, 16))
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

        from hep_peaksum.keras import PeakSum2D
    cells = np.random.default_rng(1).integers(0, 9, (options.events, *options.shape, 1))
    x = keras.ops.convert_to_tensor(cells, "float32")
    layers = {
        "recipe": recipe(),
        "PeakSum2D": PeakSum2D(data_format="channels_last"),
        "recipe 9x9": recipe(9),
        "PeakSum2D 9x9": PeakSum2D(search_window=(9, 9), sum_window=(9, 9), data_format="channels_last"),
    }
    functions = {(way, name): call for name, layer in layers.items() for way, call in callers(layer).items()}
    times = measure(functions, x, options.rounds)
    for (way, name), ms in times.items():
        base = times[way, "recipe" if name.endswith("D") else "recipe 9x9"]
        ratio = f"  {ms / base:5.2f} x the recipe" if name.startswith("Peak") else ""
        print(f"{keras.backend.backend():10s} {way:12s} {name:14s} {ms:8.2f} ms{ratio}")


if __name__ == "__main__":
    main()
