"""The numbers beside a picture of the report are those of its histogram."""

from functools import partial

import hist
import numpy as np
import pytest

from hep_peaksum.plotting.histograms import draw_histogram, draw_overlay
from hep_peaksum.plotting.job_plots import Picture
from hep_peaksum.plotting.measurements import draw_measurement
from hep_peaksum.report.figures import of_picture


def test_bins_have_the_error_of_weighted_entries_where_it_is_not_that_of_counts():
    axis = hist.axis.Regular(4, 0, 4, name="seed", label="seed [counts]")
    weighted, plain = hist.Hist(axis, storage=hist.storage.Weight()), hist.Hist(axis)
    weighted.fill(np.array([0.5, 0.5, 2.5, 9]), weight=[3, 4, -2, 1])
    plain.fill(np.array([0.5, 1.5, 1.5]))
    parts = {"ttbar": weighted, "data": plain}
    (table,) = of_picture(Picture("seed", partial(draw_overlay, parts), parts)).tables
    assert table.columns == ["from", "to", "ttbar: entries", "ttbar: error", "data: entries"]
    rows = [["0", "1", "7", "5", "1"], ["1", "2", "0", "0", "2"], ["2", "3", "-2", "2", "0"]]
    assert [[*row] for row in table.rows] == rows
    assert table.caption == "Bins that are not empty; beyond the axis: 1 of ttbar"


PT = hist.axis.Regular(3, 0, 3, name="pt", label="$p_T$ [GeV]")
KIND = hist.axis.StrCategory(["jet", "tau"], name="kind", label="kind")


def picture(name, h, **more):
    return Picture(name, partial(draw_histogram, h), {"toy": h}, **more)


@pytest.mark.parametrize(
    ("filled", "scales"),
    [
        pytest.param([0.5, 1.5, 1.5], ["linear", "log"], id="filled"),
        pytest.param([0.5] * 2000 + [1.5], ["log", "linear"], id="over-decades"),
        pytest.param([], ["linear"], id="empty"),
    ],
)
def test_contents_have_a_second_scale_where_they_are_above_zero(filled, scales):
    h = hist.Hist(PT, storage=hist.storage.Int64()).fill(np.array(filled))
    figure = of_picture(picture("seed", h))
    assert [*figure.images] == scales
    assert len({*figure.images.values()}) == len(scales)
    assert figure.size == sum(map(len, figure.images.values())) + 120 * len(np.unique(filled))


def test_negative_contents_have_one_scale():
    h = hist.Hist(PT, storage=hist.storage.Weight()).fill(np.array([0.5, 1.5]), weight=[2, -1])
    assert [*of_picture(picture("seed", h)).images] == ["linear"]


def test_a_histogram_is_told_in_words_with_its_highest_bin():
    h = hist.Hist(PT).fill(np.array([0.5, 1.5, 1.5, 9]))
    figure = of_picture(picture("seed", h))
    assert figure.alt == "Histogram of p_T [GeV]. toy has 4 entries, most in 1 to 2: 2."
    assert figure.tables[0].caption == "Bins that are not empty; beyond the axis: 1 of toy"
    assert figure.tables[0].rows == [("0", "1", "1"), ("1", "2", "2")]
    empty = of_picture(picture("seed", h.reset()))
    assert empty.alt == "Histogram of p_T [GeV]. toy has 0 entries."
    assert (empty.tables[0].caption, empty.tables[0].rows) == ("Bins that are not empty", [])


def test_the_fullest_bins_of_two_axes_come_first():
    h = hist.Hist(PT, KIND).fill(np.array([0.5, 2.5, 2.5, 1.5]), ["tau", "jet", "jet", "tau"])
    figure = of_picture(picture("plane", h))
    (table,) = figure.tables
    assert table.columns == ["p_T [GeV] from", "p_T [GeV] to", "kind", "entries"]
    assert table.rows == [("2", "3", "jet", "2"), ("0", "1", "tau", "1"), ("1", "2", "tau", "1")]
    assert figure.alt == "Histogram of p_T [GeV] and kind of toy, in colours: 4 entries."
    assert [*figure.images] == [""]


def test_a_measurement_has_a_table_for_every_line():
    columns = {"energy": [9.0, 36.0], "value": [0.1, None], "error": [0.01, None]}
    lines = [
        {"dataset": name, "variation": variation, "columns": columns, "numbers": {"threshold": 4.5}}
        for name, variation in (("a", "nominal"), ("a", "Up"), ("b", "nominal"))
    ]
    made = of_picture(Picture("sigma", partial(draw_measurement, lines, "resolution"), tables=lines))
    assert made.alt == "Measurement sigma of a, b: up to 2 points in 3 lines."
    assert [table.caption for table in made.tables] == [
        "a, threshold 4.5",
        "a, threshold 4.5, Up",
        "b, threshold 4.5",
    ]
    assert made.tables[0].columns == ["energy", "value", "error"]
    assert made.tables[0].rows == [("9", "0.1", "0.01"), ("36", "", "")]
