"""Gradients of the Keras layer: those of finite differences, and soft seeds that tend to hard ones."""

import numpy as np
import pytest
from keras_backend import BACKEND, PeakSum2D, ignore_array_warning, keras, output

if BACKEND == "jax":
    import jax

pytestmark = ignore_array_warning
needs_gradients = pytest.mark.skipif(BACKEND == "numpy", reason="the numpy backend has no gradients")


def gradient(layer, cells, weights):
    """Return the gradient of the weighted sum of the output, computed by the backend."""
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
    """Return the same gradient from the output for cells that differ by small steps."""
    differences = np.zeros_like(cells)
    moved = np.repeat(cells, 2 * cells[0].size, axis=0)
    places = list(np.ndindex(cells.shape[1:]))
    for n, place in enumerate(places):
        moved[(2 * n, *place)] += step
        moved[(2 * n + 1, *place)] -= step
    values = (keras.ops.convert_to_numpy(layer(moved)) * weights).sum(axis=(1, 2, 3))
    for n, place in enumerate(places):
        differences[(0, *place)] = (values[2 * n] - values[2 * n + 1]) / (2 * step)
    return differences


SMOOTH = [
    {},
    {"periodic": (False, True), "sum_window": ".x.\nxo.\n..x", "seed_threshold": 0.3},
    {"seed_window": (3, 3), "mask": np.eye(6, 5, dtype=bool)},
    {"sum_threshold": 2.0, "cell_threshold": 0.1},
]


@pytest.mark.slow
@needs_gradients
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("options", SMOOTH, ids=lambda options: " ".join(options) or "default")
def test_gradients_agree_with_finite_differences(options, kind):
    cells = np.random.default_rng(3).exponential(size=(1, 6, 5, 1))
    weights = np.random.default_rng(4).normal(size=(1, 6, 5, 1))
    layer = PeakSum2D(**options, gradient=kind, temperature=0.4, dtype="float64")
    expected = finite_differences(layer, cells, weights)
    assert np.count_nonzero(expected) > 5
    assert gradient(layer, cells, weights) == pytest.approx(expected, abs=1e-7)


@pytest.mark.slow
@needs_gradients
def test_straight_through_is_hard_forwards_and_soft_backwards():
    cells = np.random.default_rng(3).exponential(size=(2, 6, 5, 1))
    weights = np.random.default_rng(4).normal(size=(2, 6, 5, 1))
    hard, soft, through = (
        PeakSum2D(gradient=kind, temperature=0.4, dtype="float64")
        for kind in ("hard", "soft", "straight-through")
    )
    assert np.array_equal(output(through, cells[..., 0]), output(hard, cells[..., 0]))
    assert np.array_equal(gradient(through, cells, weights), gradient(soft, cells, weights))
    assert not np.array_equal(gradient(through, cells, weights), gradient(hard, cells, weights))


@pytest.mark.slow
def test_soft_tends_to_hard_as_the_temperature_falls():
    cells = np.random.default_rng(1).permutation(240).reshape(4, 6, 10)[..., :8] / 10.0  # no two are equal
    for returns in ("map", "mask"):
        options = {"returns": returns, "periodic": (False, True), "seed_threshold": 0.05, "dtype": "float64"}
        hard = output(PeakSum2D(**options), cells)
        distances = [
            np.abs(output(PeakSum2D(**options, gradient="soft", temperature=temperature), cells) - hard).max()
            for temperature in (1, 0.1, 0.01, 0.001)
        ]
        assert distances == sorted(distances, reverse=True)
        assert distances[-1] < 1e-12


def test_equal_cells_share_the_soft_weight_of_one_seed():
    row = np.zeros((1, 3, 8))
    row[0, 1, 3:5] = 5
    weight = output(PeakSum2D(returns="mask", gradient="soft", temperature=0.1, dtype="float64"), row)
    assert weight[0, 1, 3:5] == pytest.approx([0.5, 0.5])


@needs_gradients
@pytest.mark.parametrize("kind", ["hard", "soft", "straight-through"])
def test_gradients_are_finite_for_large_masked_and_nonfinite_cells(kind):
    cells = np.array([[[1e30, 5.0, -1e30], [0.0, np.nan, 3.0], [np.inf, 2.0, 1.0]]], "float32")[..., None]
    layer = PeakSum2D(nonfinite="mask", mask=np.eye(3, dtype=bool), gradient=kind, temperature=1e-3)
    assert np.isfinite(gradient(layer, cells, np.ones((1, 3, 3, 1), "float32"))).all()


@needs_gradients
def test_the_sums_of_the_leading_clusters_have_a_gradient():
    cells = np.array([[[0, 2.0, 0, 0, 5, 1]]])[..., None]
    layer = PeakSum2D(max_clusters=1, returns="leading", sum_window=(1, 3), dtype="float64")
    clusters = keras.layers.Lambda(lambda x: layer(x)[0], dtype="float64")
    got = gradient(clusters, cells, np.array([[[1.0], [0], [0]]])[None])
    assert got[0, 0, :, 0].tolist() == [0, 0, 0, 1, 1, 1]
