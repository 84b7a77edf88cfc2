"""Tools of the Keras tests: the backend named by KERAS_BACKEND, inputs for layers, and calls of them.

Keras chooses its backend on import, so a process has one; the default here is numpy. A test module that imports
this one is skipped where Keras or the backend is missing.
"""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strategies import problems, small_counts

from hep_peaksum import Axis, Grid, PeakSumSettings

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the backends warn about one another
        from hep_peaksum.keras import PeakSum2D

        import keras  # isort: skip  # after the layer, whose error says what to install
except ImportError as error:
    pytest.skip(f"{error}", allow_module_level=True)

BACKEND = keras.backend.backend()
if BACKEND == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)  # otherwise jax has no float64

__all__ = ["BACKEND", "FORMATS", "PeakSum2D", "keras"]
FORMATS = ("channels_first", "channels_last")

# Keras converts torch tensors to numpy arrays in a way that numpy 2 warns about
ignore_array_warning = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def counts(*shape, high=4):
    """Return the same random counts below `high` on every call."""
    return np.random.default_rng(1).integers(0, high, shape)


def call(layer, inputs):
    """Return the output of a layer; jax compiles it whole, in a quarter of the time of its parts."""
    return jax.jit(layer)(inputs) if BACKEND == "jax" else layer(inputs)


def output(layer, images):
    """Return the output of a layer for images (event, row, col) or (event, channel, row, col)."""
    images = np.asarray(images)
    cells = images[:, None] if images.ndim == 3 else images
    if layer.data_format == "channels_last":
        cells = np.moveaxis(cells, 1, -1)
    got = call(layer, keras.ops.convert_to_tensor(cells, layer.compute_dtype))
    if isinstance(got, tuple):
        return tuple(map(keras.ops.convert_to_numpy, got))
    got = keras.ops.convert_to_numpy(got)
    if layer.data_format == "channels_last":
        got = np.moveaxis(got, -1, 1)
    return got[:, 0] if images.ndim == 3 and got.shape[1] == 1 else got


def grid_of(shape, periodic=(False, False)):
    rows, cols = (Axis(n=n, periodic=closed) for n, closed in zip(shape, periodic, strict=True))
    return Grid(rows=rows, cols=cols)


def n_examples(number):
    """Return settings of hypothesis with fewer examples on jax, which compiles anew for every shape."""
    return hypothesis_settings(
        max_examples=number if BACKEND != "jax" else number // 5,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@st.composite
def layer_problems(draw):
    """Return (counts, settings, periodic, mask) with everything that a layer can be asked for."""
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
def calorimeter_images(draw, shape, most_events=3):
    """Return images of counts from 0 to 3, of the size of a calorimeter; often of no event at all."""
    n_events = draw(st.integers(0, most_events))
    size = n_events * shape[0] * shape[1]
    # one draw of bytes: one draw per cell would take seconds
    cells = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8) % 4
    return cells.reshape(n_events, *shape).astype(np.int64)
