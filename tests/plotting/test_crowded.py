"""Pictures with little room: labels side by side, and a ring no longer than what is shown of it."""

import hist
import numpy as np
import pytest
from figures import legend_labels, overlapping_texts, texts_by_place

from hep_peaksum import Axis, Grid, PeakSumSettings, explain
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.events import draw_event
from hep_peaksum.plotting.explanations import draw_explanation
from hep_peaksum.plotting.histograms import draw_overlay


def test_of_two_labels_side_by_side_one_is_below_its_window():
    cells = np.zeros((11, 24))
    cells[5, 10], cells[5, 12] = 123_456, 123_455
    figure = draw_event(cells, {"search_window": (1, 3), "sum_window": (1, 1), "seed_threshold": 1})
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert heights.keys() == {"123,456", "123,455"}
    assert heights["123,455"] < 0.5 < heights["123,456"]  # row 5 of 11 is the middle of the axes
    assert overlapping_texts(figure) == []


def test_a_ring_is_shown_with_every_cell_once():
    """The window of three cells with two more on both sides would be seven cells of a ring of six."""
    ring = Grid(rows=Axis(n=1), cols=Axis(n=6, periodic=True))
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3))
    cells = np.array([[11, 12, 13, 14, 15, 16]])
    why = explain(cells, settings, ring, row=0, col=2)
    axes = draw_explanation(cells, why, settings, ring).axes[0]
    expected = {(0, 0): "12", (1, 0): "13", (2, 0): "14", (3, 0): "15", (4, 0): "16", (5, 0): "11"}
    assert texts_by_place(axes) == expected


@pytest.mark.parametrize("n_rows", [4, 20, 60])
def test_a_legend_of_many_entries_stays_in_the_picture(n_rows):
    """On a narrow picture the entries for negative and masked cells were beyond its right edge."""
    cells, mask = np.zeros((20, n_rows)), np.zeros((20, n_rows), bool)
    cells[10, 1:3], cells[3, 2], mask[0, :2] = [9, 2], -3, True
    tall = Grid(
        rows=Axis(name="x", bins=20, start=0, stop=20), cols=Axis(name="y", bins=n_rows, start=0, stop=n_rows)
    )
    references = {"electron": [[10, 1]], "generated photon": [[2.5, 2]], "track of the telescope": [[10, 1.4]]}
    figure = draw_event(cells, {"seed_threshold": 1}, tall, mask=mask, references=references, title="a title")
    assert legend_labels(figure.axes[0])[-2:] == ["negative", "masked"]
    assert overlapping_texts(figure) == []
    box, whole = figure.axes[0].get_legend().get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1
    assert box.y1 <= figure.texts[0].get_window_extent().y0


@pytest.mark.parametrize("n_datasets", [12, 45])
def test_the_legend_of_many_datasets_is_below_the_panels_and_bounded(n_datasets):
    parts = {}
    for number in range(n_datasets):
        h = hist.Hist(hist.axis.Regular(3, 0, 3, name="n", label="number of clusters (Jet)"))
        parts[f"sample_{number:02}"] = h.fill([0, 1, 1, number % 3])
    figure = draw_overlay(parts, title="a title")
    assert overlapping_texts(figure) == []
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    shown = [*parts][: canvas.MOST_ENTRIES]
    assert names == shown + [f"and {n_datasets - len(shown)} more"] * (n_datasets > len(shown))
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert 0 <= box.y0 <= box.y1 <= min(axes.get_tightbbox().y0 for axes in figure.axes)
