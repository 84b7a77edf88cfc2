"""The Keras layer, on the backend that KERAS_BACKEND names: the same answers as the array engine."""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from keras_backend import BACKEND, FORMATS, PeakSum2D, asked_of_a_layer, called, keras, plane, run, whole_images
from places import DOCS, EXAMPLES
from strategies import TIE_RULES

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, peak_sum_map, preset
from hep_peaksum.keras.support import inclusive_bounds

if BACKEND == "jax":
    import jax

needs_gradients = pytest.mark.skipif(BACKEND == "numpy", reason="the numpy backend has no gradients")
random = np.random.default_rng(1)

# Keras makes numpy arrays of torch tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def counts(*shape, high=4):
    return random.integers(0, high, shape)


# --- what it says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", FORMATS)
def test_the_original_question(data_format):
    image = [
        [0, 0, 0, 0, 0],
        [0, 5, 2, 0, 0],
        [0, 1, 0, 0, 3],
        [0, 0, 0, 0, 1],
    ]
    assert run(PeakSum2D(data_format=data_format), [image]).tolist() == [
        [
            [0, 0, 0, 0, 0],
            [0, 8, 0, 0, 0],
            [0, 0, 0, 0, 4],
            [0, 0, 0, 0, 0],
        ]
    ]


@pytest.mark.parametrize(
    ("tie_rule", "seeds"),
    [("all", [1, 0, 0, 1]), ("none", [0, 0, 0, 0]), ("first", [1, 0, 0, 0]), ("last", [0, 0, 0, 1])],
)
def test_across_a_seam_the_index_decides_between_equal_cells(tie_rule, seeds):
    row = [[5, 0, 0, 5]]
    layer = PeakSum2D(tie_rule=tie_rule, search_window=(1, 3), sum_window=(1, 1), periodic=(False, True))
    assert (run(layer, [row]) / 5).tolist() == [[seeds]]
    turned = PeakSum2D(tie_rule=tie_rule, search_window=(3, 1), sum_window=(1, 1), periodic=(True, False))
    assert (run(turned, [np.transpose(row)])[:, :, 0] / 5).tolist() == [seeds]


def test_a_patch_of_zeros_is_no_maximum_and_neither_is_a_negative_edge():
    assert not run(PeakSum2D(), np.zeros((1, 4, 4))).any()
    assert not run(PeakSum2D(), np.full((1, 4, 4), -1.0)).any()


# --- equal to the array engine ----------------------------------------------------------------------------


def with_examples(n_examples):
    """Return how hypothesis asks: every example that has a new shape is compiled anew by jax."""
    return hypothesis_settings(
        max_examples=n_examples if BACKEND != "jax" else n_examples // 5,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@with_examples(300)
@given(asked_of_a_layer(), st.sampled_from(["float32", "float64"]), st.sampled_from(FORMATS))
def test_counts_give_the_map_of_the_array_engine_bit_by_bit(problem, dtype, data_format):
    grids, settings, periodic, mask = problem
    wanted = peak_sum_map(grids, settings, plane(grids.shape[1:], periodic), mask=mask)
    layer = PeakSum2D(settings, periodic=periodic, mask=mask, dtype=dtype, data_format=data_format)
    got = run(layer, grids)
    assert got.dtype == dtype
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize(
    ("shape", "data_format"),
    [
        ((24, 16), "channels_first"),
        ((16, 24), "channels_last"),
        ((1, 16), "channels_last"),
        ((24, 1), "channels_first"),
    ],
    ids=["(None,1,24,16)", "(None,16,24,1)", "one row", "one column"],
)
@with_examples(60)
@given(data=st.data())
def test_images_of_a_calorimeter_give_the_map_of_the_array_engine_bit_by_bit(shape, data_format, data):
    long_enough = [n >= 3 for n in shape]
    settings = PeakSumSettings(
        tie_rule=data.draw(st.sampled_from(TIE_RULES), label="tie_rule"),
        search_window=data.draw(st.sampled_from([(3, 3), (5, 7), ".x.\nxo.\n..x"]), label="search_window")
        if all(long_enough)
        else tuple(3 if long_enough[k] else 1 for k in (0, 1)),
        sum_window=data.draw(st.sampled_from([(3, 3), (1, 5)])) if all(long_enough) else (1, 1),
        seed_threshold=data.draw(st.sampled_from([0, 1, 2.5])),
        seed_comparison=data.draw(st.sampled_from([">", ">="])),
        cell_threshold=data.draw(st.sampled_from([None, 2])),
        sum_threshold=data.draw(st.sampled_from([None, 7])),
    )
    periodic = data.draw(st.tuples(st.booleans(), st.booleans()), label="periodic")
    images = data.draw(whole_images(shape))
    wanted = peak_sum_map(images, settings, plane(shape, periodic))
    layer = PeakSum2D(settings, periodic=periodic, data_format=data_format)
    assert np.array_equal(run(layer, images), wanted)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (1, 16), (24, 1), (1, 1)])
@pytest.mark.parametrize("n_events", [0, 3])
def test_any_image_and_an_empty_batch(shape, n_events, data_format):
    cells = counts(n_events, *shape)
    assert np.array_equal(run(PeakSum2D(data_format=data_format), cells), peak_sum_map(cells))


@pytest.mark.parametrize("window", [(3, 3), (9, 9), ".x.\nxox\n.x."])
@pytest.mark.parametrize("tie_rule", ["all", "none", "first", "last", "diagonal", "lexicographic"])
def test_real_numbers_agree_within_rounding(tie_rule, window):
    cells = random.exponential(size=(4, 24, 16)).astype("float32")
    settings = PeakSumSettings(tie_rule=tie_rule, search_window=window, sum_window=window, seed_threshold=0.1)
    wanted = peak_sum_map(cells, settings, plane((24, 16), (False, True)))
    got = run(PeakSum2D(settings, periodic=(False, True)), cells)
    assert np.array_equal(got != 0, wanted != 0)
    assert got == pytest.approx(wanted, rel=1e-5)


def test_a_drawn_search_window_carries_its_own_tie_rule():
    cells, drawing = counts(4, 12, 10), "===\n=o>\n>>>"
    wanted = peak_sum_map(cells, PeakSumSettings(search_window=drawing), plane((12, 10), (False, True)))
    assert np.array_equal(run(PeakSum2D(search_window=drawing, periodic=(False, True)), cells), wanted)


def test_the_recipe_of_pooling_and_convolution_is_a_preset():
    settings, _ = preset("keras-3x3")
    cells = counts(4, 12, 10)
    assert np.array_equal(run(PeakSum2D(settings), cells), peak_sum_map(cells, settings))


def test_channels_are_images_or_layers_in_depth():
    cells = counts(3, 4, 7, 6)
    apart = np.stack([peak_sum_map(cells[:, k]) for k in range(4)], axis=1)
    for data_format in FORMATS:
        assert np.array_equal(run(PeakSum2D(data_format=data_format), cells), apart)
        summed = run(PeakSum2D(layers="sum", data_format=data_format), cells)
        assert np.array_equal(summed[:, 0], peak_sum_map(cells))


def test_what_is_not_finite_can_be_masked():
    cells = counts(2, 5, 6).astype("float32")
    cells[0, 2, 2], cells[1, 0, 5] = np.nan, np.inf
    settings = PeakSumSettings(nonfinite="mask")
    assert np.array_equal(run(PeakSum2D(settings), cells), peak_sum_map(cells, settings))


def test_a_threshold_is_exact_in_the_type_of_the_layer():
    at, above = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))
    cells = np.array([[[at, 0, above]]])  # float32(0.1) is more than 0.1
    for comparison, threshold in [(">", 0.1), (">=", 0.1), (">", float(at)), (">=", float(above))]:
        settings = PeakSumSettings(seed_threshold=threshold, seed_comparison=comparison, sum_window=(1, 1))
        assert np.array_equal(run(PeakSum2D(settings), cells) > 0, peak_sum_map(cells, settings) > 0)
    assert inclusive_bounds(PeakSumSettings(seed_threshold=0), None, "float32").seed == np.finfo("f4").tiny


def test_an_energy_is_turned_into_counts():
    cells = counts(2, 8, 8, high=9)
    settings = PeakSumSettings(seed_threshold="2 GeV", cell_threshold="0.5 GeV", sum_threshold="4 GeV")
    grid = Grid(rows=Axis(n=8), cols=Axis(n=8), unit="0.5 GeV")
    assert np.array_equal(run(PeakSum2D(settings, unit=0.5), cells), peak_sum_map(cells, settings, grid))


# --- other outputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", FORMATS)
def test_the_mask_and_both(data_format):
    cells = counts(3, 2, 7, 6)
    sums = run(PeakSum2D(data_format=data_format), cells)
    assert np.array_equal(run(PeakSum2D(returns="mask", data_format=data_format), cells), sums != 0)
    both = run(PeakSum2D(returns="both", data_format=data_format), cells)
    assert np.array_equal(both, np.concatenate([sums, sums != 0], axis=1))


@pytest.mark.parametrize("order", ["sum", "position"])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("n", [1, 3, 50])
def test_the_leading_clusters_are_those_of_find_clusters(n, data_format, order):
    cells = counts(6, 2, 7, 6)
    cells[0] = 0
    settings = PeakSumSettings(max_clusters=n, order=order)
    got, number = run(PeakSum2D(settings, returns="leading", data_format=data_format), cells)
    got = np.moveaxis(got, -1, 1) if data_format == "channels_last" else got
    assert got.shape == (6, 2, n, 3)
    assert number.shape == (6, 2)
    for channel in range(2):
        wanted = find_clusters(cells[:, channel], settings)
        for event, clusters in enumerate(wanted.to_list()):
            rows = [[cluster[name] for name in ("peak_sum", "row", "col")] for cluster in clusters]
            assert number[event, channel] == len(rows)
            assert got[event, channel].tolist() == rows + [[0, -1, -1]] * (n - len(rows))


# --- a good layer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("returns", ["map", "mask", "both", "leading"])
@pytest.mark.parametrize("data_format", FORMATS)
def test_shapes_are_known_before_anything_is_run(returns, data_format):
    layer = PeakSum2D(returns=returns, max_clusters=3, data_format=data_format)
    first, last = (None, 2, 24, 16), (None, 24, 16, 2)
    shape = first if data_format == "channels_first" else last
    symbolic, got = layer(keras.Input(shape[1:])), called(layer, np.zeros((4, *shape[1:]), "float32"))
    told_shape = layer.compute_output_shape(shape)
    one = (symbolic,), (got,), (told_shape,)
    pairs = zip(*((symbolic, got, told_shape) if returns == "leading" else one), strict=True)
    for tensor, array, told in pairs:
        assert tensor.shape == told
        assert tuple(array.shape) == (4, *told[1:])
        assert keras.backend.standardize_dtype(array.dtype) == tensor.dtype


def test_in_a_sequential_model_of_images_of_any_size():
    model = keras.Sequential([keras.Input((None, None, 1)), PeakSum2D(), keras.layers.GlobalMaxPooling2D()])
    assert model.output_shape == (None, 1)
    assert not layer_weights(model)
    for shape in [(24, 16), (5, 9)]:
        cells = counts(4, *shape)
        got = model.predict(cells[..., None].astype("float32"), verbose=0)
        assert np.array_equal(got[:, 0], peak_sum_map(cells).max(axis=(1, 2)))


def layer_weights(model):
    return [weight for layer in model.layers if isinstance(layer, PeakSum2D) for weight in layer.weights]


def test_in_a_functional_model_saved_and_loaded(tmp_path):
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
    again = keras.saving.load_model(tmp_path / "model.keras")
    cells = counts(5, 1, 12, 10, high=9).astype("float32")
    for got, wanted in zip(again.predict(cells, verbose=0), model.predict(cells, verbose=0), strict=True):
        assert np.array_equal(got, wanted)


def test_the_config_is_plain_values_and_makes_the_same_layer():
    import json

    layer = PeakSum2D(search_window="xo", seed_threshold=2, mask=np.eye(3, dtype=bool), gradient="soft")
    config = json.loads(json.dumps(layer.get_config()))
    assert config["settings"] == {"search_window": "xo", "seed_threshold": 2}
    again = PeakSum2D.from_config(config)
    assert again.get_config() == layer.get_config()
    assert again.settings == layer.settings


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"]
)
def test_types_and_mixed_precision(dtype):
    cells = counts(3, 24, 16, high=9)
    cells[0, 5, 5] = 30_000  # of which two do not fit into float16, but into its sums
    cells[0, 5, 6] = -20_000
    cells = cells if "float16" in dtype and "b" not in dtype else np.minimum(cells, 9)
    layer = PeakSum2D(dtype=dtype)
    got = called(layer, cells[..., None].astype("float32"))
    computed = layer.compute_dtype
    assert keras.backend.standardize_dtype(got.dtype) == computed
    wanted = keras.ops.cast(keras.ops.convert_to_tensor(peak_sum_map(cells).astype("float64")), computed)
    assert np.array_equal(to_float(got)[..., 0], to_float(wanted))


def to_float(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def compiled(layer):
    """Return the layer as a compiled function of a tensor, in every way that the backend has."""
    if BACKEND == "jax":
        return [jax.jit(layer)]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        anything = tf.TensorSpec((None, None, None, 1), "float32")
        return [
            tf.function(layer, input_signature=[anything], autograph=False),
            tf.function(layer, jit_compile=True, autograph=False),
        ]
    if BACKEND == "torch":
        import torch

        return [lambda cells: torch.export.export(layer, (cells,)).module()(cells)]
    return []


@pytest.mark.parametrize(
    "asked",
    [{}, {"periodic": (True, True)}, {"max_clusters": 3}, {"gradient": "soft"}, {"seed_window": (3, 3)}],
    ids=str,
)
def test_compiled_it_gives_the_same(asked):
    layer, cells = PeakSum2D(**asked), counts(4, 12, 10, 1).astype("float32")
    plain = keras.ops.convert_to_numpy(layer(cells))
    functions = compiled(layer)
    if not functions:
        pytest.skip("the numpy backend compiles nothing")
    for function in functions:
        got = keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(cells)))
        assert got == pytest.approx(plain, rel=1e-6)


# --- gradients --------------------------------------------------------------------------------------------


def gradient(layer, cells, weights):
    """Return the gradient of the weighted sum of the output, by the backend's own means."""
    if BACKEND == "jax":
        return np.asarray(jax.jit(jax.grad(lambda x: (layer(x) * weights).sum()))(cells))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.constant(cells)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x) * weights)
        return tape.gradient(total, x).numpy()
    import torch

    x = torch.tensor(cells, requires_grad=True)
    (layer(x) * torch.tensor(weights)).sum().backward()
    return x.grad.numpy()


def finite_differences(layer, cells, weights, step=1e-6):
    """Return the same by moving every cell a little."""
    found = np.zeros_like(cells)
    moved = np.repeat(cells, 2 * cells[0].size, axis=0)
    places = list(np.ndindex(cells.shape[1:]))
    for n, place in enumerate(places):
        moved[(2 * n, *place)] += step
        moved[(2 * n + 1, *place)] -= step
    values = (keras.ops.convert_to_numpy(layer(moved)) * weights).sum(axis=(1, 2, 3))
    for n, place in enumerate(places):
        found[(0, *place)] = (values[2 * n] - values[2 * n + 1]) / (2 * step)
    return found


SMOOTH = [
    {},
    {"periodic": (False, True), "sum_window": ".x.\nxo.\n..x", "seed_threshold": 0.3},
    {"seed_window": (3, 3), "mask": np.eye(6, 5, dtype=bool)},
    {"sum_threshold": 2.0, "cell_threshold": 0.1},
]


@needs_gradients
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("asked", SMOOTH, ids=lambda asked: " ".join(asked) or "default")
def test_a_gradient_is_that_of_finite_differences(asked, kind):
    cells = np.random.default_rng(3).exponential(size=(1, 6, 5, 1))
    weights = np.random.default_rng(4).normal(size=(1, 6, 5, 1))
    layer = PeakSum2D(**asked, gradient=kind, temperature=0.4, dtype="float64")
    wanted = finite_differences(layer, cells, weights)
    assert np.count_nonzero(wanted) > 5
    assert gradient(layer, cells, weights) == pytest.approx(wanted, abs=1e-7)


@needs_gradients
def test_straight_through_is_hard_forwards_and_soft_backwards():
    cells = np.random.default_rng(3).exponential(size=(2, 6, 5, 1))
    weights = np.random.default_rng(4).normal(size=(2, 6, 5, 1))
    hard, soft, through = (
        PeakSum2D(gradient=kind, temperature=0.4, dtype="float64")
        for kind in ("hard", "soft", "straight-through")
    )
    assert np.array_equal(run(through, cells[..., 0]), run(hard, cells[..., 0]))
    assert np.array_equal(gradient(through, cells, weights), gradient(soft, cells, weights))
    assert not np.array_equal(gradient(through, cells, weights), gradient(hard, cells, weights))


def test_soft_tends_to_hard_as_the_temperature_falls():
    cells = random.permutation(240).reshape(4, 6, 10)[..., :8] / 10.0  # no two are equal
    for returns in ("map", "mask"):
        asked = {"returns": returns, "periodic": (False, True), "seed_threshold": 0.05, "dtype": "float64"}
        hard = run(PeakSum2D(**asked), cells)
        away = [
            np.abs(run(PeakSum2D(**asked, gradient="soft", temperature=temperature), cells) - hard).max()
            for temperature in (1, 0.1, 0.01, 0.001)
        ]
        assert away == sorted(away, reverse=True)
        assert away[-1] < 1e-12


def test_equal_cells_share_softly_and_energy_is_counted_once():
    row = np.zeros((1, 3, 8))
    row[0, 1, 3:5] = 5
    weight = run(PeakSum2D(returns="mask", gradient="soft", temperature=0.1, dtype="float64"), row)
    assert weight[0, 1, 3:5] == pytest.approx([0.5, 0.5])


@needs_gradients
@pytest.mark.parametrize("kind", ["hard", "soft", "straight-through"])
def test_gradients_are_finite_where_cells_are_large_masked_or_not_finite(kind):
    cells = np.array([[[1e30, 5.0, -1e30], [0.0, np.nan, 3.0], [np.inf, 2.0, 1.0]]], "float32")[..., None]
    layer = PeakSum2D(nonfinite="mask", mask=np.eye(3, dtype=bool), gradient=kind, temperature=1e-3)
    assert np.isfinite(gradient(layer, cells, np.ones((1, 3, 3, 1), "float32"))).all()


@needs_gradients
def test_the_sums_of_the_leading_clusters_have_a_gradient():
    cells = np.array([[[0, 2.0, 0, 0, 5, 1]]])[..., None]
    layer = PeakSum2D(max_clusters=1, returns="leading", sum_window=(1, 3), dtype="float64")
    first = keras.layers.Lambda(lambda x: layer(x)[0], dtype="float64")
    got = gradient(first, cells, np.array([[[1.0], [0], [0]]])[None])
    assert got[0, 0, :, 0].tolist() == [0, 0, 0, 1, 1, 1]


# --- refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"tie_rule": "greedy"}, "tie_rule 'greedy' is not possible in a layer: it accepts seeds one after"),
        ({"tie_rule": "greedy-residual"}, "tie_rule 'greedy-residual' is not possible"),
        ({"overlap": "highest"}, "overlap 'highest' is not possible in a layer: every cluster sums"),
        ({"pileup": ["donut"]}, "pileup .* is not possible in a layer"),
        ({"coarsen": (2, 2)}, r"coarsen \(2, 2\) is not possible in a layer: pool before"),
        ({"sum_window": "gxo"}, "sum_window with gated cells 'g' is not possible"),
        (
            {"keep_stronger_side": "rows"},
            "keep_stronger_side 'rows' is not possible in a layer: use find_clusters",
        ),
        ({"quantity": "significance"}, "quantity 'significance' is not possible in a layer: .* no noise"),
        ({"cell_threshold": "5 sigma"}, "cell_threshold '5 sigma' is not possible in a layer"),
        ({"min_prominence": 1}, "min_prominence 1 is not possible"),
        ({"position": "log"}, "position 'log' is not possible"),
        ({"seed_threshold": "4 GeV"}, "seed_threshold '4 GeV' is an energy: give unit"),
        ({"returns": "leading"}, "returns 'leading' needs max_clusters"),
        ({"max_clusters": 3, "gradient": "soft"}, "max_clusters with gradient 'soft'"),
        ({"temperature": 0}, r"temperature is 0\.0: give a number above 0"),
        ({"returns": "maps"}, "returns is 'maps', expected 'map' or 'mask' or 'both' or 'leading'"),
        ({"gradient": "none"}, "gradient is 'none', expected"),
        ({"layers": "all"}, "layers is 'all', expected"),
        ({"data_format": "NCHW"}, "data_format is 'NCHW', expected"),
        ({"periodic": True}, "periodic is True, expected a bool each for rows and columns"),
        ({"mask": [1, 0]}, r"mask is int64 of shape \(2,\), expected bool"),
        ({"settings": PeakSumSettings(), "tie_rule": "all"}, "settings and tie_rule are both given"),
        ({"dtype": "int32"}, "dtype is int32: the layer computes in floating point"),
        ({"search_windw": (3, 3)}, "search_windw"),
    ],
    ids=str,
)
def test_what_a_layer_cannot_do_is_one_line_that_names_the_key(asked, message):
    with pytest.raises(ValueError, match=message):
        PeakSum2D(**asked)


def test_images_that_do_not_go_with_mask_or_windows():
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\), the images have 4 x 4 cells"):
        PeakSum2D(mask=np.eye(3, dtype=bool))(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match="search_window is longer than the periodic axis"):
        PeakSum2D(periodic=(False, True))(keras.Input((4, 2, 1)))
    with pytest.raises(ValueError, match="expected ndim=4"):
        PeakSum2D()(np.zeros((1, 4, 4)))


# --- export -----------------------------------------------------------------------------------------------

EXPORTED = [
    {},
    {"data_format": "channels_first", "periodic": (True, True), "tie_rule": "last"},
    {"sum_window": (5, 5), "seed_window": (3, 3), "partial_seed_windows": False, "cell_threshold": 1},
    {"returns": "both", "layers": "sum", "mask": np.eye(12, 10, dtype=bool)},
    {"returns": "leading", "max_clusters": 3},
    {"gradient": "soft"},
]


def exported(asked):
    """Return a model of the layer, cells, and what it gives for them: a list of arrays."""
    layer = PeakSum2D(**asked)
    shape = (2, 12, 10) if layer.data_format == "channels_first" else (12, 10, 2)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    cells = counts(4, *shape).astype("float32")
    outputs = model(cells)
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return model, cells, list(map(keras.ops.convert_to_numpy, outputs))


@pytest.mark.skipif(BACKEND not in ("torch", "tensorflow"), reason=f"Keras exports no ONNX from {BACKEND}")
@pytest.mark.filterwarnings("ignore")  # of the exporters
@pytest.mark.parametrize("asked", EXPORTED, ids=lambda asked: " ".join(asked) or "default")
def test_an_onnx_graph_gives_the_same(asked, tmp_path):
    for module in ("onnxruntime", "onnxscript" if BACKEND == "torch" else "tf2onnx"):
        if not find_spec(module):
            pytest.skip(f"no {module} here")
    import onnxruntime

    model, cells, wanted = exported(asked)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    outputs = session.run(None, {session.get_inputs()[0].name: cells})
    for got, expected in zip(outputs, wanted, strict=True):
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a SavedModel is tensorflow's")
def test_a_saved_model_gives_the_same(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, None, 1)), PeakSum2D(periodic=(False, True))])
    cells = counts(4, 12, 10, 1).astype("float32")
    model.export(tmp_path / "model", verbose=False)
    served = tf.saved_model.load(tmp_path / "model")
    assert np.array_equal(served.serve(cells), model(cells))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TFLite model is tensorflow's")
@pytest.mark.filterwarnings("ignore")  # of the converter
@pytest.mark.parametrize("asked", EXPORTED, ids=lambda asked: " ".join(asked) or "default")
def test_a_tflite_model_gives_the_same(asked, tmp_path):
    if not find_spec("ai_edge_litert"):
        pytest.skip("no ai_edge_litert here: pip install ai-edge-litert")
    from ai_edge_litert.interpreter import Interpreter

    model, cells, wanted = exported(asked)
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    (given,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(given["index"], cells.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], cells)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
    for got, expected in zip(sorted(outputs, key=np.ndim, reverse=True), wanted, strict=True):
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.skipif(BACKEND != "torch", reason="a torch module is torch's")
def test_it_is_a_torch_module():
    import torch

    model = torch.nn.Sequential(PeakSum2D(data_format="channels_first"), torch.nn.Flatten())
    cells = counts(4, 1, 12, 10)
    assert np.array_equal(
        model(torch.tensor(cells, dtype=torch.float32)).reshape(4, 12, 10), peak_sum_map(cells[:, 0])
    )
    assert not list(model.parameters())


# --- examples and docs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "backends"),
    [
        ("keras_original_question", ("tensorflow", "torch", "jax", "numpy")),
        ("keras_calibration", ("tensorflow", "torch", "jax")),
        ("keras_torch_module", ("torch",)),
    ],
)
def test_an_example_runs(example, backends, tmp_path, monkeypatch):
    if BACKEND not in backends:
        pytest.skip(f"{example} is not for {BACKEND}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    with contextlib.redirect_stdout(io.StringIO()) as said:  # here: a process of its own would import all anew
        runpy.run_path(str(EXAMPLES / f"{example}.py"), run_name="__main__")
    assert said.getvalue()
    if example == "keras_calibration":
        before, after = map(float, re.findall(r"([\d.]+)%", said.getvalue()))
        assert after < before / 20


BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "keras.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_answer_on_the_page_is_that_of_the_array_engine():
    names = {}
    exec(BLOCKS[0], names)
    cells = counts(4, 24, 16)
    got = names["model"].predict(cells[:, None].astype("float32"), verbose=0)
    assert np.array_equal(got[:, 0], peak_sum_map(cells))


(FOR_KERAS_2,) = (block for block in BLOCKS if "tf.keras" in block)
THE_SAME = """
import numpy as np
import tensorflow as tf
from hep_peaksum import Axis, Grid, peak_sum_map

for periodic in (False, True):
    grid = Grid(rows=Axis(n=7), cols=Axis(n=6, periodic=periodic))
    cells = np.random.default_rng(1).integers(0, 4, (20, 7, 6))
    model = tf.keras.Sequential([tf.keras.Input((None, None, 1)), PeakSum(periodic=periodic)])
    for layer in (model, PeakSum.from_config(model.layers[-1].get_config())):
        assert np.array_equal(layer(cells[..., None].astype("float32"))[..., 0], peak_sum_map(cells, grid=grid))
print(tf.keras.layers.Layer.__module__)
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is in tensorflow's own words")
def test_the_answer_for_keras_2_is_that_of_the_array_engine_on_keras_3():
    exec(FOR_KERAS_2 + THE_SAME, {})


@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is in tensorflow's own words")
def test_the_answer_for_keras_2_is_that_of_the_array_engine_on_keras_2():
    if not find_spec("tf_keras"):
        pytest.skip("no tf_keras here: pip install tf_keras")
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    command = [sys.executable, "-c", FOR_KERAS_2 + THE_SAME]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tf_keras.")


# --- around it --------------------------------------------------------------------------------------------


def test_the_package_imports_no_keras():
    code = "import sys, hep_peaksum as p; p.peak_sum_map, p.PeakSumSettings; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_keras_the_import_says_what_to_install():
    code = "import sys; sys.modules['keras'] = None; import hep_peaksum.keras.layer"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: the layer needs Keras 3" in done.stderr
