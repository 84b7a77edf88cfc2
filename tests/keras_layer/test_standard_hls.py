"""Fixed-point types for hls4ml, and firmware that hls4ml converts and g++ compiles: equal to the layer."""

import contextlib
import io
import os
import shutil
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from keras_backend import PeakSum2D, call, grid_of, ignore_array_warning, keras
from long_tests import LONG

from hep_peaksum import peak_sum_map
from hep_peaksum.keras import hls_config, standard_model
from hep_peaksum.keras.hls import Range, _convolution, range_of_type, range_of_weights

pytestmark = ignore_array_warning


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
def test_a_type_holds_its_range_with_no_bit_to_spare(low, high, step, precision):
    assert Range(low, high, step).precision == precision
    numbers = range_of_type(precision)
    assert numbers.low <= low
    assert numbers.high >= high
    assert numbers.step == step


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ("ufixed<8,8>", (0, 255, 1)),
        ("fixed<8,8>", (-128, 127, 1)),
        ("ap_fixed<13, 11>", (-1024, 1023.75, 0.25)),
        ("ufixed<4,6>", (0, 60, 4)),
    ],
)
def test_the_ends_of_a_type_are_its_least_and_its_greatest_number(cells, numbers):
    assert range_of_type(cells) == numbers


def test_the_range_of_weights_is_that_of_their_values():
    assert range_of_weights([[-4, 0], [4, 0.25]]) == Range(-4, 4, 0.25)


def test_cells_need_a_fixed_point_type_with_the_step_of_the_model():
    model = standard_model(PeakSum2D(data_format="channels_last"), (6, 5, 1))
    with pytest.raises(ValueError, match="cells is 'int8': give a type such as 'ufixed<12,12>'"):
        hls_config(model, "int8")
    with pytest.raises(ValueError, match=r"the last bit of cells is 0\.25 of the step of the model"):
        hls_config(model, "ufixed<12,10>")


def firmware(model, cells, folder, strategy="Latency"):
    """Return the model converted by hls4ml and compiled by g++, which computes as the firmware does."""
    if not find_spec("hls4ml"):
        pytest.skip("no hls4ml here: pip install hls4ml")
    if not shutil.which("g++"):
        pytest.skip("no g++ here, which hls4ml compiles with")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter warns
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "strategy"),
    [
        pytest.param("default", "Latency", marks=LONG),
        pytest.param("seams", "Latency", marks=LONG),
        ("seams", "Resource"),
        ("thresholds and negative cells", "Latency"),
        ("depth, mask, seed windows, quarters", "Latency"),
    ],
)
def test_maps_of_firmware_equal_peak_sum_map_bit_by_bit(case, strategy, tmp_path):
    options, shape, cells = COMPILED[case]
    layer = PeakSum2D(**{"data_format": "channels_last", **options})
    low, high, step = range_of_type(cells)
    random = np.random.default_rng(1)
    model = standard_model(layer, shape, step)
    images = random.integers(0, 4, (300, *shape)) * step
    extremes = [low, low + step, high - step, high]  # nothing overflows
    images[100:200] = random.choice(extremes, (100, *shape))
    images[0], images[1] = low, high
    got = firmware(model, cells, tmp_path, strategy).predict(np.ascontiguousarray(images, "float32"))
    expected = keras.ops.convert_to_numpy(call(layer, keras.ops.convert_to_tensor(images, "float32")))
    assert np.array_equal(got.reshape(expected.shape), expected)
    summed = images.sum(axis=1) if layer.layers == "sum" else images[..., 0]
    whole = peak_sum_map(summed, layer.settings, grid_of((6, 5), layer.periodic), mask=layer.cell_mask)
    channel = expected[:, 0] if layer.data_format == "channels_first" else expected[..., 0]
    assert np.array_equal(channel, whole)
    assert np.count_nonzero(whole) > 100


def test_the_range_of_a_convolution_holds_every_partial_sum():
    """Two cells of 0 to 3 less 5: between -5 and 1 at the end, but up to 6 before the 5 is subtracted."""
    ones = np.ones((1, 1, 2, 1))
    assert _convolution(Range(0, 3, 1), ones, np.array([-5.0])) == Range(-5, 6, 1)
    assert _convolution(Range(0, 3, 1), -ones, np.array([5.0])) == Range(-6, 5, 1)
