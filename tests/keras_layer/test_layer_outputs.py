"""Masks, lists, shapes and types of the Keras layer, and layers in models that are saved and loaded."""

import json

import numpy as np
import pytest
from keras_backend import FORMATS, PeakSum2D, call, counts, ignore_array_warning, keras, output

from hep_peaksum import PeakSumSettings, find_clusters, peak_sum_map

pytestmark = ignore_array_warning


@pytest.mark.parametrize("data_format", FORMATS)
def test_masks_mark_the_seeds_and_both_has_maps_and_masks(data_format):
    cells = counts(3, 2, 7, 6)
    sums = output(PeakSum2D(data_format=data_format), cells)
    assert np.array_equal(output(PeakSum2D(returns="mask", data_format=data_format), cells), sums != 0)
    both = output(PeakSum2D(returns="both", data_format=data_format), cells)
    assert np.array_equal(both, np.concatenate([sums, sums != 0], axis=1))


@pytest.mark.parametrize("order", ["sum", "position"])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("n", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 50))])
def test_the_leading_clusters_are_those_of_find_clusters(n, data_format, order):
    cells = counts(6, 2, 7, 6)
    cells[0] = 0
    settings = PeakSumSettings(max_clusters=n, order=order)
    got, number = output(PeakSum2D(settings, returns="leading", data_format=data_format), cells)
    got = np.moveaxis(got, -1, 1) if data_format == "channels_last" else got
    assert got.shape == (6, 2, n, 3)
    assert number.shape == (6, 2)
    for channel in range(2):
        expected = find_clusters(cells[:, channel], settings)
        for event, clusters in enumerate(expected.to_list()):
            rows = [[cluster[name] for name in ("peak_sum", "row", "col")] for cluster in clusters]
            assert number[event, channel] == len(rows)
            assert got[event, channel].tolist() == rows + [[0, -1, -1]] * (n - len(rows))


@pytest.mark.parametrize("returns", ["map", "mask", "both", "leading"])
@pytest.mark.parametrize("data_format", FORMATS)
def test_symbolic_shapes_and_types_are_those_of_the_output(returns, data_format):
    layer = PeakSum2D(returns=returns, max_clusters=3, data_format=data_format)
    first, last = (None, 2, 24, 16), (None, 24, 16, 2)
    shape = first if data_format == "channels_first" else last
    symbolic, got = layer(keras.Input(shape[1:])), call(layer, np.zeros((4, *shape[1:]), "float32"))
    computed = layer.compute_output_shape(shape)
    one = (symbolic,), (got,), (computed,)
    outputs = zip(*((symbolic, got, computed) if returns == "leading" else one), strict=True)
    for tensor, array, expected in outputs:
        assert tensor.shape == expected
        assert tuple(array.shape) == (4, *expected[1:])
        assert keras.backend.standardize_dtype(array.dtype) == tensor.dtype


@pytest.mark.slow
def test_a_sequential_model_takes_images_of_any_size():
    model = keras.Sequential([keras.Input((None, None, 1)), PeakSum2D(), keras.layers.GlobalMaxPooling2D()])
    assert model.output_shape == (None, 1)
    assert not layer_weights(model)
    for shape in [(24, 16), (5, 9)]:
        cells = counts(4, *shape)
        got = model.predict(cells[..., None].astype("float32"), verbose=0)
        assert np.array_equal(got[:, 0], peak_sum_map(cells).max(axis=(1, 2)))


def layer_weights(model):
    return [weight for layer in model.layers if isinstance(layer, PeakSum2D) for weight in layer.weights]


@pytest.mark.slow
def test_a_functional_model_can_be_saved_and_loaded(tmp_path):
    mask = np.zeros((12, 10), bool)
    mask[3, 4] = True
    layer = PeakSum2D(
        search_window="===\n=o>\n>>>",
        sum_window=(5, 3),
        seed_threshold="1 GeV",
        max_clusters=4,
        periodic=(False, True),
        unit=0.5,
        mask=mask,
        returns="leading",
        data_format="channels_first",
    )
    inputs = keras.Input((1, 12, 10))
    clusters, number = layer(inputs)
    model = keras.Model(inputs, [keras.layers.Flatten()(clusters), number])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    cells = counts(5, 1, 12, 10, high=9).astype("float32")
    for got, expected in zip(loaded.predict(cells, verbose=0), model.predict(cells, verbose=0), strict=True):
        assert np.array_equal(got, expected)


def test_the_config_is_plain_values_and_makes_an_equal_layer():
    layer = PeakSum2D(search_window="xo", seed_threshold=2, mask=np.eye(3, dtype=bool), gradient="soft")
    config = json.loads(json.dumps(layer.get_config()))
    assert config["settings"] == {"search_window": "xo", "seed_threshold": 2}
    rebuilt = PeakSum2D.from_config(config)
    assert rebuilt.get_config() == layer.get_config()
    assert rebuilt.settings == layer.settings


def test_the_saved_name_of_the_layer_does_not_depend_on_its_module():
    assert keras.saving.get_registered_name(PeakSum2D) == "hep_peaksum>PeakSum2D"


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"]
)
def test_every_dtype_and_mixed_precision_rounds_once(dtype):
    cells = counts(3, 24, 16, high=9)
    cells[0, 5, 5] = 30_000  # half precision holds this cell and the sum, but not twice the cell
    cells[0, 5, 6] = -20_000
    cells = cells if "float16" in dtype and "b" not in dtype else np.minimum(cells, 9)
    layer = PeakSum2D(dtype=dtype)
    got = call(layer, cells[..., None].astype("float32"))
    dtype = layer.compute_dtype
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    expected = keras.ops.cast(keras.ops.convert_to_tensor(peak_sum_map(cells).astype("float64")), dtype)
    assert np.array_equal(to_float(got)[..., 0], to_float(expected))


def to_float(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
