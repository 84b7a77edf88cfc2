"""The maps of the Keras layer, on the backend that KERAS_BACKEND names, equal those of `peak_sum_map`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_backend import (
    FORMATS,
    PeakSum2D,
    calorimeter_images,
    counts,
    grid_of,
    ignore_array_warning,
    layer_problems,
    n_examples,
    output,
)
from strategies import TIE_RULES

from hep_peaksum import Axis, Grid, PeakSumSettings, peak_sum_map, preset
from hep_peaksum.keras.support import inclusive_bounds

pytestmark = ignore_array_warning


@pytest.mark.parametrize("data_format", FORMATS)
def test_a_3x3_sum_stands_at_every_maximum_and_0_elsewhere(data_format):
    image = [
        [0, 0, 0, 0, 0],
        [0, 5, 2, 0, 0],
        [0, 1, 0, 0, 3],
        [0, 0, 0, 0, 1],
    ]
    assert output(PeakSum2D(data_format=data_format), [image]).tolist() == [
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
def test_the_grid_index_decides_a_tie_across_a_seam(tie_rule, seeds):
    row = [[5, 0, 0, 5]]
    layer = PeakSum2D(tie_rule=tie_rule, search_window=(1, 3), sum_window=(1, 1), periodic=(False, True))
    assert (output(layer, [row]) / 5).tolist() == [[seeds]]
    turned = PeakSum2D(tie_rule=tie_rule, search_window=(3, 1), sum_window=(1, 1), periodic=(True, False))
    assert (output(turned, [np.transpose(row)])[:, :, 0] / 5).tolist() == [seeds]


def test_neither_zeros_nor_negative_cells_at_an_edge_are_maxima():
    assert not output(PeakSum2D(), np.zeros((1, 4, 4))).any()
    assert not output(PeakSum2D(), np.full((1, 4, 4), -1.0)).any()


@pytest.mark.slow
@n_examples(300)
@given(layer_problems(), st.sampled_from(["float32", "float64"]), st.sampled_from(FORMATS))
def test_maps_of_counts_equal_peak_sum_map_bit_by_bit(problem, dtype, data_format):
    grids, settings, periodic, mask = problem
    expected = peak_sum_map(grids, settings, grid_of(grids.shape[1:], periodic), mask=mask)
    layer = PeakSum2D(settings, periodic=periodic, mask=mask, dtype=dtype, data_format=data_format)
    got = output(layer, grids)
    assert got.dtype == dtype
    assert np.array_equal(got, expected)


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
@pytest.mark.slow
@n_examples(60)
@given(data=st.data())
def test_maps_of_calorimeter_images_equal_peak_sum_map_bit_by_bit(shape, data_format, data):
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
    images = data.draw(calorimeter_images(shape))
    expected = peak_sum_map(images, settings, grid_of(shape, periodic))
    layer = PeakSum2D(settings, periodic=periodic, data_format=data_format)
    assert np.array_equal(output(layer, images), expected)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (1, 16), (24, 1), (1, 1)])
@pytest.mark.parametrize("n_events", [0, 3])
def test_any_image_size_and_an_empty_batch_work(shape, n_events, data_format):
    cells = counts(n_events, *shape)
    assert np.array_equal(output(PeakSum2D(data_format=data_format), cells), peak_sum_map(cells))


@pytest.mark.parametrize("window", [(3, 3), (9, 9), ".x.\nxox\n.x."])
@pytest.mark.parametrize("tie_rule", ["all", "none", "first", "last", "diagonal", "lexicographic"])
def test_maps_of_real_numbers_agree_within_rounding(tie_rule, window):
    cells = np.random.default_rng(1).exponential(size=(4, 24, 16)).astype("float32")
    settings = PeakSumSettings(tie_rule=tie_rule, search_window=window, sum_window=window, seed_threshold=0.1)
    expected = peak_sum_map(cells, settings, grid_of((24, 16), (False, True)))
    got = output(PeakSum2D(settings, periodic=(False, True)), cells)
    assert np.array_equal(got != 0, expected != 0)
    assert got == pytest.approx(expected, rel=1e-5)


def test_a_drawn_search_window_has_its_own_tie_rule():
    cells, drawing = counts(4, 12, 10), "===\n=o>\n>>>"
    expected = peak_sum_map(cells, PeakSumSettings(search_window=drawing), grid_of((12, 10), (False, True)))
    assert np.array_equal(output(PeakSum2D(search_window=drawing, periodic=(False, True)), cells), expected)


def test_the_recipe_of_pooling_and_convolution_is_a_preset():
    settings, _ = preset("keras-3x3")
    cells = counts(4, 12, 10)
    assert np.array_equal(output(PeakSum2D(settings), cells), peak_sum_map(cells, settings))


def test_channels_are_images_or_layers_in_depth():
    cells = counts(3, 4, 7, 6)
    each = np.stack([peak_sum_map(cells[:, k]) for k in range(4)], axis=1)
    for data_format in FORMATS:
        assert np.array_equal(output(PeakSum2D(data_format=data_format), cells), each)
        summed = output(PeakSum2D(layers="sum", data_format=data_format), cells)
        assert np.array_equal(summed[:, 0], peak_sum_map(cells))


def test_nonfinite_cells_can_be_masked():
    cells = counts(2, 5, 6).astype("float32")
    cells[0, 2, 2], cells[1, 0, 5] = np.nan, np.inf
    settings = PeakSumSettings(nonfinite="mask")
    assert np.array_equal(output(PeakSum2D(settings), cells), peak_sum_map(cells, settings))


def test_thresholds_are_exact_in_the_type_of_the_layer():
    at, above = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))
    cells = np.array([[[at, 0, above]]])  # float32(0.1) is more than 0.1
    for comparison, threshold in [(">", 0.1), (">=", 0.1), (">", float(at)), (">=", float(above))]:
        settings = PeakSumSettings(seed_threshold=threshold, seed_comparison=comparison, sum_window=(1, 1))
        assert np.array_equal(output(PeakSum2D(settings), cells) > 0, peak_sum_map(cells, settings) > 0)
    assert inclusive_bounds(PeakSumSettings(seed_threshold=0), None, "float32").seed == np.finfo("f4").tiny


@pytest.mark.parametrize("data_format", FORMATS)
def test_float64_cells_are_compared_as_float64(data_format):
    """In float32, 2^30 and 2^30 + 1 are one number, and both of them would be seeds."""
    cells, double = [[[0, 2**30, 0, 2**30 + 1, 0]]], {"dtype": "float64", "data_format": data_format}
    layer = PeakSum2D(search_window=(1, 5), sum_window=(1, 1), tie_rule="all", **double)
    assert output(layer, cells).tolist() == [[[0, 0, 0, 2**30 + 1, 0]]]
    largest = PeakSum2D(search_window=(1, 1), sum_window=(1, 1), max_clusters=1, **double)
    assert output(largest, cells).tolist() == [[[0, 0, 0, 2**30 + 1, 0]]]


def test_thresholds_in_gev_are_converted_to_counts():
    cells = counts(2, 8, 8, high=9)
    settings = PeakSumSettings(seed_threshold="2 GeV", cell_threshold="0.5 GeV", sum_threshold="4 GeV")
    grid = Grid(rows=Axis(n=8), cols=Axis(n=8), unit="0.5 GeV")
    assert np.array_equal(output(PeakSum2D(settings, unit=0.5), cells), peak_sum_map(cells, settings, grid))
