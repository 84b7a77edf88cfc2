"""The layer built from standard Keras layers gives the same maps."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from keras_backend import (
    FORMATS,
    PeakSum2D,
    call,
    counts,
    grid_of,
    ignore_array_warning,
    keras,
    layer_problems,
    n_examples,
    output,
)

from hep_peaksum import peak_sum_map
from hep_peaksum.keras import standard_model

pytestmark = ignore_array_warning


def model_output(model, cells):
    return keras.ops.convert_to_numpy(call(model, keras.ops.convert_to_tensor(cells, "float32")))


@pytest.mark.slow
@n_examples(60)
@given(
    layer_problems(), st.sampled_from([(0, ">"), (1, ">"), (1, ">="), (0.5, ">")]), st.sampled_from([1, 0.25])
)
def test_maps_of_a_standard_model_equal_peak_sum_map_bit_by_bit(problem, seed_threshold, step):
    grids, settings, periodic, mask = problem
    assume(len(grids))  # tensorflow's convolutions fail on an empty batch
    threshold, comparison = seed_threshold
    settings = settings.model_copy(
        update={"seed_threshold": threshold, "seed_comparison": comparison, "max_clusters": None}
    )
    cells = grids * step
    expected = peak_sum_map(cells, settings, grid_of(grids.shape[1:], periodic), mask=mask)
    layer = PeakSum2D(settings, periodic=periodic, mask=mask, data_format="channels_last")
    model = standard_model(layer, (*grids.shape[1:], 1), step)
    assert np.array_equal(model_output(model, cells[..., None])[..., 0], expected)


@pytest.mark.parametrize("returns", ["map", "mask", "both"])
@pytest.mark.parametrize("data_format", FORMATS)
def test_outputs_data_formats_and_depth_are_those_of_the_layer(returns, data_format):
    cells = counts(3, 2, 7, 6)
    layer = PeakSum2D(returns=returns, layers="sum", periodic=(False, True), data_format=data_format)
    cells_of_layer = np.moveaxis(cells, 1, -1) if data_format == "channels_last" else cells
    model = standard_model(layer, cells_of_layer.shape[1:])
    assert model.output_shape == layer.compute_output_shape((None, *cells_of_layer.shape[1:]))
    got = model_output(model, cells_of_layer)
    got = np.moveaxis(got, -1, 1) if data_format == "channels_last" else got
    assert np.array_equal(got, output(layer, cells))


def test_the_model_has_only_layers_of_keras_and_nothing_to_train(tmp_path):
    model = standard_model(PeakSum2D(periodic=(True, True), data_format="channels_last"), (6, 5, 1))
    assert not model.trainable_weights
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    model.save(tmp_path / "model.keras")
    cells = counts(3, 6, 5, 1)
    assert np.array_equal(
        model_output(keras.saving.load_model(tmp_path / "model.keras"), cells), model_output(model, cells)
    )


@pytest.mark.parametrize(
    ("options", "shape", "message"),
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
def test_an_error_names_the_key_that_has_no_such_form(options, shape, message):
    with pytest.raises(ValueError, match=message):
        standard_model(PeakSum2D(**options, data_format="channels_last"), shape)


@pytest.mark.parametrize("step", [0, -1, 3, 0.1, float("nan")])
def test_a_step_must_be_a_power_of_two(step):
    with pytest.raises(ValueError, match=r"step is .*: give a power of two"):
        standard_model(PeakSum2D(data_format="channels_last"), (6, 5, 1), step)
