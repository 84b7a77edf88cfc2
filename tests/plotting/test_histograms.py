"""Pictures of histograms: every kind of axis, filled, empty and with negative weights."""

import hist
import numpy as np
import pytest
from figures import assert_drawable

from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.histograms import draw_histogram, draw_overlay, draw_stack

pytestmark = pytest.mark.slow  # together they take many seconds

REGULAR = hist.axis.Regular(10, 0, 100, name="pt", label=r"$p_T$ [GeV]")
VARIABLE = hist.axis.Variable([-3, -1, 0, 5], name="eta", label=r"$\eta$")
INTEGER = hist.axis.Integer(0, 5, name="n", label="number of clusters")
CATEGORY = hist.axis.StrCategory(["jet", "tau"], name="kind", label="kind")


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
@pytest.mark.parametrize(
    "axes",
    [[REGULAR], [VARIABLE], [INTEGER], [CATEGORY], [REGULAR, VARIABLE], [INTEGER, CATEGORY]],
    ids=lambda axes: "-".join(axis.name for axis in axes),
)
def test_every_histogram_is_drawn(axes, filled, tmp_path):
    h = hist.Hist(*axes, storage=hist.storage.Int64())
    if filled:
        values = {"pt": [20, 30, 300], "eta": [0, 1, -2], "n": [1, 1, 2], "kind": ["jet", "jet", "tau"]}
        h.fill(**{axis.name: values[axis.name] for axis in axes})
    figure = draw_histogram(h, title="a title")
    assert figure.texts[-1].get_text() == "a title"
    assert figure.axes[0].get_xlabel() == axes[0].label
    width = " / 10 GeV" if axes == [REGULAR] else ""
    assert figure.axes[0].get_ylabel() == (axes[1].label if len(axes) == 2 else f"entries{width}")
    assert_drawable(figure, tmp_path / "h.png")


def test_negative_bins_are_in_view(tmp_path):
    h = hist.Hist(REGULAR, storage=hist.storage.Weight(), label="clusters").fill([20, 30], weight=-2)
    figure = draw_histogram(h)
    assert figure.axes[0].get_ylabel() == "clusters / 10 GeV"
    assert figure.axes[0].get_ylim()[0] < -2
    assert_drawable(figure, tmp_path / "h.png")


def test_a_histogram_with_three_axes_is_an_error():
    with pytest.raises(ValueError, match="3 axes"):
        draw_histogram(hist.Hist(REGULAR, VARIABLE, INTEGER))


def test_the_words_beside_ratios_fit_however_long_the_names_are():
    spectrum = hist.new.Reg(10, 0, 10, name="pt", label="pt").Double().fill([1, 2, 2, 3])
    title = "other-long-dataset-name_with.everything+2026"
    assert draw_overlay({"a": spectrum, "b": spectrum}).axes[1].get_ylabel() == "b / a"
    assert draw_overlay({"a": spectrum, title: spectrum}).axes[1].get_ylabel() == "ratio"


@pytest.mark.parametrize("has_data", [True, False])
def test_datasets_are_stacked_and_others_are_points_over_them(tmp_path, has_data):
    axis = hist.axis.Regular(2, 0, 2, name="pt", label="pt [GeV]")
    parts = {name: hist.Hist(axis, storage=hist.storage.Weight()) for name in ("data", "low", "high")}
    for name, contents in (("data", [5, 6]), ("low", [1, 2]), ("high", [3, 4])):
        parts[name].fill([0.5, 1.5], weight=contents)
    if not has_data:
        del parts["data"]
    figure = draw_stack(parts, ["high", "low"])
    upper, lower = figure.axes
    tops = {patch.get_label(): patch.get_data().values.tolist() for patch in upper.patches}
    assert tops == {"high": [3, 4], "low": [4, 6]}  # on top of the other one
    labels = {text.get_text() for text in upper.get_legend().get_texts()}
    assert labels == set(parts)
    if has_data:
        (ratio,) = (container for container in lower.containers)
        np.testing.assert_allclose(ratio[0].get_ydata(), [5 / 4, 6 / 6])
    canvas.save(figure, tmp_path / "stack.png")


@pytest.mark.parametrize(
    ("edges", "scale"),
    [
        pytest.param([1, 2, 4, 8, 16], "log", id="doubling-over-more-than-a-decade"),
        pytest.param([0.5, 1.5, 4.5], "linear", id="within-a-decade"),
        pytest.param([1, 5, 9, 13, 17], "linear", id="even"),
        pytest.param([0, 1, 10, 100], "linear", id="from-0"),
        pytest.param([-100, -10, -1], "linear", id="negative"),
    ],
)
def test_an_axis_whose_bins_grow_by_one_factor_is_logarithmic(edges, scale):
    h = hist.Hist(hist.axis.Variable(edges, name="pt", label="pt")).fill([edges[0], edges[1]])
    assert draw_histogram(h).axes[0].get_xscale() == scale
