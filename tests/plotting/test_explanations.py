"""Pictures of why a cell is a seed or not: frames, numbers and legend, for every rule and for unusual cells."""

import numpy as np
import pytest
from figures import assert_drawable, framed_cells, legend_labels, overlapping_texts, texts_by_place

from hep_peaksum import Axis, Grid, PeakSumSettings, explain, preset
from hep_peaksum.geometry.hits import from_hits
from hep_peaksum.plotting.canvas import MARK, ORANGE
from hep_peaksum.plotting.explanations import draw_explanation

pytestmark = pytest.mark.slow  # together they take many seconds

RING = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
)
TWO_TOWERS = np.array([[0, 0, 0, 0, 0], [0, 1, 2, 1, 0], [0, 0, 7, 7, 1], [0, 0, 0, 3, 0], [4, 0, 0, 0, 0]])


def test_the_cell_and_the_deciding_one_are_framed():
    why = explain(TWO_TOWERS, row=2, col=4)
    figure = draw_explanation(TWO_TOWERS, why, PeakSumSettings(), title="t")
    assert "t" in [text.get_text() for text in figure.texts]
    axes = figure.axes[0]
    assert framed_cells(axes, MARK) == [(3, 2)]  # the picture begins two cells beside the window, at column 1
    assert framed_cells(axes, ORANGE)[-1] == (2, 2)
    assert sorted(framed_cells(axes, ORANGE)) == [(2, 1), (2, 2), (2, 3)]
    assert legend_labels(axes) == ["no seed", "search window", "decides", "also beats it"]
    assert {place: texts_by_place(axes)[place] for place in ((1, 2), (2, 2), (3, 2))} == {
        (1, 2): "7",
        (2, 2): "7",
        (3, 2): "1",
    }
    assert " ".join(t.get_text() for t in figure.texts) == f"t {why}"
    assert overlapping_texts(figure) == []


def test_for_a_seed_no_other_cell_is_framed():
    axes = draw_explanation(TWO_TOWERS, explain(TWO_TOWERS, row=4, col=0), PeakSumSettings()).axes[0]
    assert legend_labels(axes) == ["seed", "search window"]
    assert framed_cells(axes, ORANGE) == []


def test_ticks_count_on_across_the_seam_with_indices_of_the_grid():
    cells = np.zeros((6, 16))
    cells[3, 0] = cells[3, 15] = 4.25
    why = explain(cells, None, RING, row=3, col=15)
    axes = draw_explanation(cells, why, PeakSumSettings(), RING).axes[0]
    labels = [axes.yaxis.get_major_formatter()(k, None) for k in range(7)]
    assert labels == ["12", "13", "14", "15", "0", "1", "2"]  # phi is vertical
    assert framed_cells(axes, MARK) == [(3, 3)]
    assert framed_cells(axes, ORANGE) == [(3, 4)]
    assert texts_by_place(axes)[3, 4] == "4.25"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("eta (row)", "phi (column)")


def test_the_seed_that_removed_another_is_shown_the_short_way_across_the_seam():
    """Columns -4 to 3: the window from -1 to 1, the seed at -2, two cells more on both sides."""
    cells = np.zeros((1, 16))
    cells[0, 0], cells[0, 14] = 7, 9
    plane = Grid(rows=Axis(n=1), cols=Axis(n=16, periodic=True))
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 5), overlap="suppress")
    why = explain(cells, settings, plane, row=0, col=0)
    assert why.removed_by == (0, 14)
    axes = draw_explanation(cells, why, settings, plane).axes[0]
    labels = [axes.xaxis.get_major_formatter()(k, None) for k in range(9)]
    assert labels == ["12", "13", "14", "15", "0", "1", "2", "3", ""]
    assert legend_labels(axes) == ["no seed", "search window", "accepted before"]


def test_cells_show_the_compared_values():
    settings = PeakSumSettings(seed_window=(1, 3), quantity="significance", seed_threshold=1)
    cells, noise = np.array([[1.0, 2.0, 6.0, 1.0]]), np.full((1, 4), 2.0)
    why = explain(cells, settings, row=0, col=2, noise=noise)
    figure = draw_explanation(cells, why, settings, noise=noise)
    assert texts_by_place(figure.axes[0])[2, 0] == f"{why.value:.3g}" == f"{9 / np.sqrt(12):.3g}"
    assert figure.axes[1].get_ylabel() == "seed window: energy / noise"


def test_a_masked_cell_is_grey_and_empty():
    mask = TWO_TOWERS == 1
    why = explain(TWO_TOWERS, row=1, col=1, mask=mask)
    axes = draw_explanation(TWO_TOWERS, why, PeakSumSettings(), mask=mask).axes[0]
    assert (1, 1) not in texts_by_place(axes)
    assert legend_labels(axes) == ["masked", "search window", "masked"]


def test_a_seed_that_was_accepted_before_is_framed():
    settings = PeakSumSettings(tie_rule="greedy-residual", search_window=(1, 1), sum_window=(1, 5))
    cells = np.array([[9, 0, 5, 0, 0]])
    why = explain(cells, settings, row=0, col=2)
    axes = draw_explanation(cells, why, settings).axes[0]
    assert framed_cells(axes, ORANGE) == [(0, 0)]
    assert legend_labels(axes) == ["no seed", "search window", "accepted before"]


def test_unusual_cells_are_drawn(tmp_path):
    random = np.random.default_rng(1)
    for cells, settings in (
        (np.zeros((3, 3)), PeakSumSettings()),
        (np.ones((1, 1), int), PeakSumSettings()),
        (np.full((1, 40), -3), PeakSumSettings(search_window=(1, 9), seed_threshold=-9)),
        (random.integers(0, 10**12, (40, 40)), PeakSumSettings(search_window=(21, 21))),
        (random.exponential(1, (6, 6)), PeakSumSettings(coarsen=(2, 2), tie_rule="greedy")),
    ):
        why = explain(cells, settings, row=0, col=0)
        figure = draw_explanation(cells, why, settings)
        assert_drawable(figure, tmp_path / "why.png")
        assert overlapping_texts(figure) == []


def test_a_cell_of_a_real_event_is_explained(tmp_path, data):
    import uproot

    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{name}"].array(entry_stop=10) for name in ("ieta", "iphi", "iet")]
    grids = from_hits(*hits, grid)
    why = explain(grids[0], settings, grid, row=38, col=10)
    figure = draw_explanation(grids[0], why, settings, grid, title="entry 0")
    assert texts_by_place(figure.axes[0])[5, 6] == "8"
    assert figure.axes[1].get_ylabel() == "counts of 0.5 GeV"
    assert overlapping_texts(figure) == []
    assert_drawable(figure, tmp_path / "why.png")
