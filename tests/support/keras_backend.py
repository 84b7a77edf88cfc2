"""What the tests of the Keras layer share: the backend that KERAS_BACKEND names, and what is asked of a layer.

One backend a process, because Keras chooses when it is imported; without a choice it is numpy here. Where Keras
or the backend is missing, whoever imports this is skipped.
"""

import os
import warnings

import numpy as np
import pytest
from hypothesis import strategies as st
from strategies import problems, small_counts

from hep_peaksum import Axis, Grid, PeakSumSettings

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the backends say of one another is not our affair
        import keras

        import hep_peaksum.keras.layer
except ImportError as error:
    pytest.skip(f"{error}", allow_module_level=True)

BACKEND = keras.backend.backend()
if BACKEND == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)  # else there is no float64

PeakSum2D = hep_peaksum.keras.layer.PeakSum2D
FORMATS = ("channels_first", "channels_last")


def called(layer, inputs):
    """Return what a layer gives; jax compiles it whole, which takes a quarter of the time of its parts."""
    return jax.jit(layer)(inputs) if BACKEND == "jax" else layer(inputs)


def run(layer, images):
    """Return what the layer gives for images (event, row, col) or (event, channel, row, col), alike."""
    images = np.asarray(images)
    cells = images[:, None] if images.ndim == 3 else images
    if layer.data_format == "channels_last":
        cells = np.moveaxis(cells, 1, -1)
    got = called(layer, keras.ops.convert_to_tensor(cells, layer.compute_dtype))
    if isinstance(got, tuple):
        return tuple(map(keras.ops.convert_to_numpy, got))
    got = keras.ops.convert_to_numpy(got)
    if layer.data_format == "channels_last":
        got = np.moveaxis(got, -1, 1)
    return got[:, 0] if images.ndim == 3 and got.shape[1] == 1 else got


def plane(shape, periodic=(False, False)):
    rows, cols = (Axis(n=n, periodic=closed) for n, closed in zip(shape, periodic, strict=True))
    return Grid(rows=rows, cols=cols)


@st.composite
def asked_of_a_layer(draw):
    """Return counts and everything that a layer can be asked about them."""
    problem = draw(problems(cells=small_counts))
    small = min(problem.grids.shape[1:]) < 3
    settings = PeakSumSettings(
        search_window=problem.search_window,
        sum_window=problem.sum_window,
        seed_window=draw(st.sampled_from([(1, 1)] if small else [(1, 1), (3, 3), "xo\nx."])),
        partial_seed_windows=draw(st.booleans()),
        **({} if problem.tie_rule == "drawn" else {"tie_rule": problem.tie_rule}),
        seed_threshold=problem.threshold,
        seed_comparison=problem.comparison,
        cell_threshold=problem.cell_threshold,
        cell_comparison=draw(st.sampled_from([">", ">="])),
        cell_threshold_abs=draw(st.booleans()),
        sum_threshold=draw(st.sampled_from([None, 2, 3.5])),
        sum_comparison=draw(st.sampled_from([">", ">="])),
        max_clusters=draw(st.sampled_from([None, 1, 2, 5])),
        masked=draw(st.sampled_from(["absent", "zero"])),
    )
    mask = problem.mask[0] if len(problem.mask) else np.zeros(problem.grids.shape[1:], bool)
    return problem.grids.astype(np.int64), settings, problem.periodic, mask if mask.any() else None


@st.composite
def whole_images(draw, shape, most_events=3):
    """Return images of counts from 0 to 3, of a calorimeter's size; often of no event at all."""
    n_events = draw(st.integers(0, most_events))
    size = n_events * shape[0] * shape[1]
    # one draw of bytes: drawn one by one, as many cells would take seconds
    cells = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8) % 4
    return cells.reshape(n_events, *shape).astype(np.int64)
