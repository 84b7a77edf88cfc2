"""Errors of the Keras layer: one line that names the key."""

import re

import numpy as np
import pytest
from keras_backend import PeakSum2D, keras

from hep_peaksum import PeakSumSettings


@pytest.mark.parametrize(
    ("options", "message"),
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
        ({"temperature": 0}, "temperature is 0: give a number above 0"),
        ({"returns": "maps"}, "returns is 'maps', expected 'map' or 'mask' or 'both' or 'leading'"),
        ({"gradient": "none"}, "gradient is 'none', expected"),
        ({"layers": "all"}, "layers is 'all', expected"),
        ({"data_format": "NCHW"}, "data_format is 'NCHW', expected"),
        ({"periodic": True}, "periodic is True, expected a bool each for rows and columns"),
        ({"mask": [1, 0]}, r"mask is int64 of shape \(2,\), expected bool"),
        ({"settings": PeakSumSettings(), "tie_rule": "all"}, "settings and tie_rule are both given"),
        ({"dtype": "int32"}, "dtype is int32: the layer computes in floating point"),
        ({"pool_size": 3}, "PeakSum2D has no 'pool_size': give search_window and sum_window"),
        (
            {"padding": "same"},
            "PeakSum2D has no 'padding': the output has the rows and columns of the images, l",
        ),
        ({"search_windw": (3, 3)}, r"PeakSum2D has no 'search_windw' \(did you mean 'search_window'\?\)"),
        ({"settings": {"search_windw": (3, 3)}}, r"has no 'search_windw' \(did you mean 'search_window'\?\)"),
        ({"settings": "keras-3x"}, r"no preset is called 'keras-3x' \(did you mean 'keras-3x3'\?\)"),
        ({"search_window": (4, 4)}, r"^search_window: \[4, 4\] is not a window: give two odd numbers from 1"),
        ({"tie_rule": "frist"}, r"^tie_rule: 'frist' is not one of .* \(did you mean 'first'\?\)$"),
        ({"temperature": "hot"}, "temperature is 'hot': give a number above 0"),
        ({"unit": "GeV"}, "'GeV' is not an energy: write a number and one of eV, keV"),
    ],
    ids=str,
)
def test_an_error_names_the_key_that_is_wrong_or_not_possible(options, message):
    with pytest.raises(ValueError, match=message):
        PeakSum2D(**options)


def test_settings_that_are_something_else_are_refused():
    with pytest.raises(TypeError, match="settings is a tuple, expected PeakSumSettings, a map of their keys"):
        PeakSum2D((3, 3))


def test_settings_may_be_a_name_and_the_unit_an_energy():
    layer = PeakSum2D({"seed_threshold": "4 GeV"}, unit="500 MeV")
    assert layer.unit == 0.5
    image = np.zeros((1, 3, 3, 1), "f4")
    image[0, 1, 1, 0] = 8  # 4 GeV: not above the threshold
    assert float(keras.ops.max(layer(image))) == 0
    image[0, 1, 1, 0] = 9
    assert float(keras.ops.max(layer(image))) == 9
    assert PeakSum2D("keras-3x3").settings.search_window == (3, 3)


def test_images_must_fit_the_mask_and_the_windows():
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\), the images have 4 x 4 cells"):
        PeakSum2D(mask=np.eye(3, dtype=bool))(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match="search_window is longer than the periodic axis"):
        PeakSum2D(periodic=(False, True))(keras.Input((4, 2, 1)))


@pytest.mark.parametrize(
    ("shape", "data_format", "expected"),
    [
        ((5, 4, 3), "channels_last", "(batch, row, col, channel): for one channel give images[..., None]"),
        ((5, 4, 3), "channels_first", "(batch, channel, row, col): for one channel give images[:, None]"),
        ((4, 3), "channels_last", "(batch, row, col, channel): for a single image give image[None, ..., None]"),
        ((1, 2, 4, 3, 1), "channels_last", "(batch, row, col, channel)"),
    ],
    ids=["without_channels", "without_channels_first", "a_single_image", "with_depth"],
)
def test_images_have_four_axes(shape, data_format, expected):
    with pytest.raises(
        ValueError, match=re.escape(f"the images have shape {shape}, expected {expected}") + "$"
    ):
        PeakSum2D(data_format=data_format)(np.zeros(shape, "f4"))


@pytest.mark.parametrize(
    ("shape", "remedy"), [((5, 4, 3), lambda images: images[..., None]), ((4, 3), lambda i: i[None, ..., None])]
)
def test_what_the_answer_says_of_images_helps(shape, remedy):
    assert PeakSum2D(data_format="channels_last")(remedy(np.ones(shape, "f4"))).shape[1:] == (4, 3, 1)
