"""Pictures of what depends on the tie rule, and of where two algorithms differ."""

import numpy as np
import pytest
from figures import assert_drawable, overlapping_texts

from hep_peaksum import Axis, Grid, PeakSumSettings, audit_ties, compare, preset
from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.geometry.hits import from_hits
from hep_peaksum.plotting.comparisons import draw_comparison, draw_ties

pytestmark = pytest.mark.slow  # together they take many seconds

RING = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
)


def test_bars_are_the_seeds_of_every_rule(tmp_path):
    cells = np.zeros((4, 6, 16), int)
    cells[0, 2, 3:5] = 4
    cells[[1, 3], 3] = 5
    cells[2, 1, 1] = 8
    audit = audit_ties(cells, None, RING)
    figure = draw_ties(audit, title="four")
    assert "four" in [text.get_text() for text in figure.texts]
    bars, share = figure.axes
    ends = {}
    for bar in bars.patches:
        ends[round(bar.get_y() + bar.get_height() / 2)] = bar.get_x() + bar.get_width()
    assert [ends[k] for k in range(6)] == list(audit.n_seeds.values()) == [35, 1, 4, 4, 2, 2]
    assert [bar.get_width() for bar in bars.patches[:6]] == [1] * 6  # seeds that every rule finds
    told = ["35", "1", "4", "4", *["2, 2 closed rings lost"] * 2]
    assert [text.get_text() for text in bars.texts] == told
    assert [bar.get_width() for bar in share.patches] == pytest.approx([1 / 4, 3 / 4])
    assert share.get_title("right") == "3 of 4 (75.0%) depend on the rule"
    assert overlapping_texts(figure) == []
    right = bars.get_window_extent().x1
    assert all(text.get_window_extent().x1 < right for text in bars.texts)  # also those of lost rings
    assert_drawable(figure, tmp_path / "ties.png")
    assert_drawable(draw_ties(audit_ties(np.zeros((0, 3, 3)))), tmp_path / "ties.png")
    one = draw_ties(audit_ties(cells[:2], None, RING))
    assert one.axes[0].texts[-1].get_text() == "1, 1 closed ring lost"  # of the pair one seed


def test_matched_clusters_are_points_and_others_histograms(tmp_path):
    cells = np.zeros((2, 3, 9), int)
    cells[0, 1] = [0, 9, 2, 0, 0, 4, 4, 0, 0]
    cells[1, 1, 4] = 6
    grid = bare_grid((3, 9)).model_copy(update={"unit": 0.5})
    both = compare(cells, PeakSumSettings(tie_rule="all"), PeakSumSettings(sum_window=(1, 1)), grid)
    figure = draw_comparison(both, grid, names=("All", "One"), title="two events")
    assert "two events" in [text.get_text() for text in figure.texts]
    main, only_a, only_b = figure.axes
    points = main.collections[0].get_offsets().tolist()
    assert points == [[5.5, 4.5], [4, 2], [3, 3]]
    assert (main.get_xlabel(), main.get_ylabel()) == ("All: energy [GeV]", "One: energy [GeV]")
    assert only_a.get_title("left") == "only in All: 1"
    assert only_b.get_title("left") == "only in\nOne: 0"
    text = "\n".join(text.get_text() for text in figure.texts)
    assert "matched: 3" in text
    assert "One \u2212 All:\n  mean \u22121 GeV, rms 1.29 GeV\n  largest \u22122 GeV" in text
    assert overlapping_texts(figure) == []
    assert_drawable(figure, tmp_path / "compare.png")


@pytest.mark.parametrize("kind", ["wide", "negative", "nothing", "one"])
def test_every_comparison_is_drawn(kind, tmp_path):
    cells = np.random.default_rng(2).exponential(5, (20, 12, 16)) ** 2
    cells = {"wide": cells + 1, "negative": cells - 30, "nothing": cells * 0, "one": cells[:1, :1, :1]}[kind]
    both = compare(cells, PeakSumSettings(), PeakSumSettings(sum_window=(5, 5), tie_rule="all"))
    figure = draw_comparison(both, bare_grid(cells.shape))
    assert figure.axes[0].get_xscale() == ("log" if kind == "wide" else "linear")
    for low, high in (figure.axes[0].get_xlim(), figure.axes[0].get_ylim()):  # no sum lies on a border
        sums = np.concatenate([both.sum_a[both.in_a], both.sum_b[both.in_b]])
        assert not len(sums) or low < sums.min() <= sums.max() < high
    assert_drawable(figure, tmp_path / "compare.png")
    assert overlapping_texts(figure) == []
    if kind == "one":  # the same sum in both
        assert "\n  mean 0 counts, rms 0 counts\n  largest 0 counts" in figure.texts[0].get_text()


def test_real_events_are_compared(tmp_path, data):
    import uproot

    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{name}"].array(entry_stop=10) for name in ("ieta", "iphi", "iet")]
    grids = from_hits(*hits, grid)
    both = compare(grids, settings, settings.model_copy(update={"sum_window": (7, 7), "pileup": ()}), grid)
    figure = draw_comparison(both, grid)
    assert overlapping_texts(figure) == []
    assert_drawable(figure, tmp_path / "compare.png")
