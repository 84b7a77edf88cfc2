"""The layer out of standard Keras layers: equal to the array engine, and converted and compiled by hls4ml."""

import contextlib
import io
import os
import shutil
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from keras_backend import BACKEND, FORMATS, PeakSum2D, asked_of_a_layer, called, keras, plane, run

from hep_peaksum import peak_sum_map
from hep_peaksum.keras.hls import Range, hls_config, range_of_type, range_of_weights
from hep_peaksum.keras.standard import standard_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
random = np.random.default_rng(1)


def answer(model, cells):
    return keras.ops.convert_to_numpy(called(model, keras.ops.convert_to_tensor(cells, "float32")))


# --- the model --------------------------------------------------------------------------------------------


@hypothesis_settings(
    max_examples=10 if BACKEND == "jax" else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    asked_of_a_layer(), st.sampled_from([(0, ">"), (1, ">"), (1, ">="), (0.5, ">")]), st.sampled_from([1, 0.25])
)
def test_it_gives_the_map_of_the_array_engine_bit_by_bit(problem, seed_threshold, step):
    grids, settings, periodic, mask = problem
    assume(len(grids))  # tensorflow's convolutions fail without any event
    threshold, comparison = seed_threshold
    settings = settings.model_copy(
        update={"seed_threshold": threshold, "seed_comparison": comparison, "max_clusters": None}
    )
    cells = grids * step
    wanted = peak_sum_map(cells, settings, plane(grids.shape[1:], periodic), mask=mask)
    layer = PeakSum2D(settings, periodic=periodic, mask=mask, data_format="channels_last")
    model = standard_model(layer, (*grids.shape[1:], 1), step)
    assert np.array_equal(answer(model, cells[..., None])[..., 0], wanted)


@pytest.mark.parametrize("returns", ["map", "mask", "both"])
@pytest.mark.parametrize("data_format", FORMATS)
def test_outputs_formats_and_layers_in_depth_are_those_of_the_layer(returns, data_format):
    cells = random.integers(0, 4, (3, 2, 7, 6))
    layer = PeakSum2D(returns=returns, layers="sum", periodic=(False, True), data_format=data_format)
    cells_of_layer = np.moveaxis(cells, 1, -1) if data_format == "channels_last" else cells
    model = standard_model(layer, cells_of_layer.shape[1:])
    assert model.output_shape == layer.compute_output_shape((None, *cells_of_layer.shape[1:]))
    got = answer(model, cells_of_layer)
    got = np.moveaxis(got, -1, 1) if data_format == "channels_last" else got
    assert np.array_equal(got, run(layer, cells))


def test_nothing_of_it_is_ours_or_trainable(tmp_path):
    model = standard_model(PeakSum2D(periodic=(True, True), data_format="channels_last"), (6, 5, 1))
    assert not model.trainable_weights
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    model.save(tmp_path / "model.keras")
    cells = random.integers(0, 4, (3, 6, 5, 1))
    assert np.array_equal(
        answer(keras.saving.load_model(tmp_path / "model.keras"), cells), answer(model, cells)
    )


@pytest.mark.parametrize(
    ("asked", "shape", "message"),
    [
        ({"max_clusters": 3}, (6, 5, 1), "max_clusters 3 is not possible in standard layers: it sorts"),
        ({"max_clusters": 3, "returns": "leading"}, (6, 5, 1), "returns 'leading' is not possible in standard"),
        ({"gradient": "soft"}, (6, 5, 1), "gradient 'soft' is not possible in standard layers"),
        ({"nonfinite": "mask"}, (6, 5, 1), "nonfinite 'mask' is not possible in standard layers"),
        ({"seed_threshold": -1}, (6, 5, 1), "seed_threshold -1 with '>' is not possible in standard layers"),
        (
            {"seed_threshold": 0, "seed_comparison": ">="},
            (6, 5, 1),
            "seed_threshold 0 with '>=' is not possible",
        ),
        ({}, (6, 5, 2), "layers 'each' of 2 channels is not possible: use one model for each, or 'sum'"),
        ({}, (None, 5, 1), r"input_shape is \(None, 5, 1\): give three whole numbers"),
        ({"mask": np.eye(3, dtype=bool)}, (6, 5, 1), r"mask has shape \(3, 3\), the images have 6 x 5 cells"),
    ],
    ids=str,
)
def test_what_has_no_such_form_is_one_line_that_names_the_key(asked, shape, message):
    with pytest.raises(ValueError, match=message):
        standard_model(PeakSum2D(**asked, data_format="channels_last"), shape)


@pytest.mark.parametrize("step", [0, -1, 3, 0.1, float("nan")])
def test_a_step_is_a_power_of_two(step):
    with pytest.raises(ValueError, match=r"step is .*: give a power of two"):
        standard_model(PeakSum2D(data_format="channels_last"), (6, 5, 1), step)


# --- its types in firmware --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "step", "precision"),
    [
        (0, 1, 1, "ufixed<1,1>"),
        (0, 255, 1, "ufixed<8,8>"),
        (0, 256, 1, "ufixed<9,9>"),
        (-1, 1, 1, "fixed<2,2>"),
        (-128, 127, 1, "fixed<8,8>"),
        (-129, 0, 1, "fixed<9,9>"),
        (0, 3.75, 0.25, "ufixed<4,2>"),
        (-4, 4, 4, "fixed<2,4>"),
    ],
)
def test_a_type_holds_its_range_and_no_bit_more(low, high, step, precision):
    assert Range(low, high, step).precision == precision
    held = range_of_type(precision)
    assert held.low <= low
    assert held.high >= high
    assert held.step == step


def test_weights_have_the_range_of_their_values():
    assert range_of_weights([[-4, 0], [4, 0.25]]) == Range(-4, 4, 0.25)


def test_a_type_that_is_none_and_cells_in_smaller_steps_than_the_model_are_told():
    model = standard_model(PeakSum2D(data_format="channels_last"), (6, 5, 1))
    with pytest.raises(ValueError, match="cells is 'int8': give a type such as 'ufixed<12,12>'"):
        hls_config(model, "int8")
    with pytest.raises(ValueError, match=r"the last bit of cells is 0\.25 of the step of the model"):
        hls_config(model, "ufixed<12,10>")


# --- hls4ml -----------------------------------------------------------------------------------------------


def firmware(model, cells, folder, strategy="Latency"):
    """Return the model converted by hls4ml and compiled by g++: what the firmware computes, bit by bit."""
    if not find_spec("hls4ml"):
        pytest.skip("no hls4ml here: pip install hls4ml")
    if not shutil.which("g++"):
        pytest.skip("no g++ here, with which hls4ml compiles")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the converter
        import hls4ml

        config = hls_config(model, cells)
        config["Model"]["Strategy"] = strategy
        converted = hls4ml.converters.convert_from_keras_model(
            model,
            hls_config=config,
            output_dir=os.fspath(folder),
            backend="Vitis",
            allow_da_fallback=False,
        )
        converted.compile()
    return converted


COMPILED = {
    "default": ({}, (6, 5, 1), "ufixed<4,4>"),
    "seams": (
        {"periodic": (True, True), "tie_rule": "last", "sum_window": (5, 3), "returns": "both"},
        (6, 5, 1),
        "ufixed<6,6>",
    ),
    "thresholds and negative cells": (
        {"cell_threshold": 2, "cell_threshold_abs": True, "sum_threshold": 6, "search_window": "===\n=o>\n>>>"},
        (6, 5, 1),
        "fixed<5,5>",
    ),
    "depth, mask, seed windows, quarters": (
        {
            "layers": "sum",
            "mask": np.eye(6, 5, dtype=bool),
            "seed_window": (3, 3),
            "partial_seed_windows": False,
            "periodic": (False, True),
            "data_format": "channels_first",
        },
        (3, 6, 5),
        "ufixed<6,4>",
    ),
}


@pytest.mark.parametrize(
    ("case", "strategy"), [*((case, "Latency") for case in COMPILED), ("seams", "Resource")]
)
def test_firmware_gives_the_map_of_the_array_engine_bit_by_bit(case, strategy, tmp_path):
    asked, shape, cells = COMPILED[case]
    layer = PeakSum2D(**{"data_format": "channels_last", **asked})
    least, most, step = range_of_type(cells)
    model = standard_model(layer, shape, step)
    images = random.integers(0, 4, (300, *shape)) * step
    images[100:200] = random.choice(
        [least, least + step, most - step, most], (100, *shape)
    )  # nothing overflows
    images[0], images[1] = least, most
    got = firmware(model, cells, tmp_path, strategy).predict(np.ascontiguousarray(images, "float32"))
    wanted = keras.ops.convert_to_numpy(called(layer, keras.ops.convert_to_tensor(images, "float32")))
    assert np.array_equal(got.reshape(wanted.shape), wanted)
    summed = images.sum(axis=1) if layer.layers == "sum" else images[..., 0]
    whole = peak_sum_map(summed, layer.settings, plane((6, 5), layer.periodic), mask=layer.cell_mask)
    channel = wanted[:, 0] if layer.data_format == "channels_first" else wanted[..., 0]
    assert np.array_equal(channel, whole)
    assert np.count_nonzero(whole) > 100
