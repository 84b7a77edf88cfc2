"""Pictures with little room: labels side by side, and a ring no longer than what is shown of it."""

import numpy as np
from figures import overlapping_texts, texts_by_place

from hep_peaksum import Axis, Grid, PeakSumSettings, explain
from hep_peaksum.plotting.events import draw_event
from hep_peaksum.plotting.explanations import draw_explanation


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
