"""Pictures of the algorithm itself: what stands in them, for every rule and the strangest of cells."""

import numpy as np
import pytest

from hep_peaksum import Axis, Grid, PeakSumSettings, audit_ties, compare, explain, preset, presets
from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.geometry.hits import from_hits
from hep_peaksum.plotting.canvas import FILL, MARK, ORANGE, save
from hep_peaksum.plotting.comparisons import draw_comparison, draw_ties
from hep_peaksum.plotting.rules import draw_explanation, draw_windows

RING = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
)


def drawable(figure, path):
    save(figure, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 5000


def words(axes):
    """What is written in a panel, by place: {(x, y): text} in whole numbers."""
    return {tuple(np.round(text.get_position()).astype(int).tolist()): text.get_text() for text in axes.texts}


def frames(axes, colour):
    """The cells that are framed in a colour, as (x, y), with the widest last."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    found = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_edgecolor() == to_rgba(colour)]
    found.sort(key=lambda patch: patch.get_linewidth())
    return [
        tuple(np.round(np.add(p.get_xy(), (p.get_width() / 2, p.get_height() / 2))).astype(int)) for p in found
    ]


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def texts_overlap(figure):
    """Return pairs of texts that lie on one another, as they are drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    from hep_peaksum.plotting import canvas

    FigureCanvasAgg(figure)
    with canvas.style():
        figure.draw_without_rendering()
    found = figure.findobj(Text)
    texts = {id(text): text for text in found if text.get_text() and text.get_visible()}.values()
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    return [
        (a, b)
        for k, (a, box) in enumerate(boxes)
        for b, other in boxes[:k]
        if box.width > 1 and other.width > 1 and box.padded(-2).overlaps(other.padded(-2))
    ]


# ------------------------------------------------------------------------------------------------- windows


def drawn_marks(axes):
    """A window as it is drawn, {(row offset, col offset): mark}."""
    return {(y, x): mark for (x, y), mark in words(axes).items()}


def test_the_search_window_shows_what_must_be_exceeded():
    search, total = draw_windows(PeakSumSettings(tie_rule="diagonal", sum_window=".x.\nxox\n.x.")).axes
    assert drawn_marks(search) == {
        (-1, -1): "=", (-1, 0): "=", (-1, 1): "=",
        (0, -1): "=", (0, 0): "o", (0, 1): ">",
        (1, -1): ">", (1, 0): ">", (1, 1): ">",
    }  # fmt: skip
    assert set(drawn_marks(total)) == {(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)}
    assert search.get_ylim() == (1.5, -1.5)  # the lowest row on top, as a window is written


def test_seed_window_gates_and_donuts_are_drawn():
    settings = PeakSumSettings(
        seed_window="ox", sum_window="gxo", pileup=[{"kind": "ring_median"}, {"kind": "donut", "length": 3}]
    )
    figure = draw_windows(settings)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "search window",
        "seed window",
        "sum window",
        "pile-up ring_median",
        "pile-up donut",
    ]
    assert drawn_marks(figure.axes[1]) == {(0, 0): "o", (0, 1): "x"}
    assert drawn_marks(figure.axes[2]) == {(0, -2): "g", (0, -1): "x", (0, 0): "o"}
    ring = drawn_marks(figure.axes[3])
    assert sum(mark == "s" for mark in ring.values()) == 3 * 5 - 3
    assert ring[0, -2] == "x"
    said = [text.get_text() for text in figure.texts]
    assert "gated: added only if the cell one step nearer to the seed is added" in said


@pytest.mark.parametrize("rule", ["first", "last", "greedy", "greedy-residual"])
def test_what_marks_cannot_say_stands_in_words(rule):
    said = " ".join(text.get_text() for text in draw_windows(PeakSumSettings(tie_rule=rule)).texts)
    assert {"first": "the lower (row, col)", "last": "the higher (row, col)"}.get(
        rule, "from the highest"
    ) in said or (rule == "greedy-residual" and "the highest remaining cell is a seed" in said)


@pytest.mark.parametrize("name", sorted(presets()))
def test_the_windows_of_every_preset_are_drawn(name, tmp_path):
    figure = draw_windows(preset(name)[0], title=name, notes=[("source", presets()[name])])
    drawable(figure, tmp_path / "windows.png")
    assert texts_overlap(figure) == []


# --------------------------------------------------------------------------------------------- explanation

TWO_TOWERS = np.array([[0, 0, 0, 0, 0], [0, 1, 2, 1, 0], [0, 0, 7, 7, 1], [0, 0, 0, 3, 0], [4, 0, 0, 0, 0]])


def test_the_cell_and_the_one_that_decides_are_framed():
    why = explain(TWO_TOWERS, row=2, col=4)
    figure = draw_explanation(TWO_TOWERS, why, PeakSumSettings(), title="t")
    axes = figure.axes[0]
    assert frames(axes, MARK) == [(3, 2)]  # the picture begins two cells beside the window, at column 1
    assert frames(axes, ORANGE)[-1] == (2, 2)
    assert sorted(frames(axes, ORANGE)) == [(2, 1), (2, 2), (2, 3)]
    assert legend(axes) == ["no seed", "search window", "decides", "beats it, too"]
    assert {place: words(axes)[place] for place in ((1, 2), (2, 2), (3, 2))} == {
        (1, 2): "7",
        (2, 2): "7",
        (3, 2): "1",
    }
    assert " ".join(t.get_text() for t in figure.texts) == f"t {why}"
    assert texts_overlap(figure) == []


def test_a_seed_has_nothing_that_decides():
    axes = draw_explanation(TWO_TOWERS, explain(TWO_TOWERS, row=4, col=0), PeakSumSettings()).axes[0]
    assert legend(axes) == ["seed", "search window"]
    assert frames(axes, ORANGE) == []


def test_across_the_seam_cells_have_their_own_numbers():
    cells = np.zeros((6, 16))
    cells[3, 0] = cells[3, 15] = 4.25
    why = explain(cells, None, RING, row=3, col=15)
    axes = draw_explanation(cells, why, PeakSumSettings(), RING).axes[0]
    labels = [axes.yaxis.get_major_formatter()(k, None) for k in range(7)]
    assert labels == ["12", "13", "14", "15", "0", "1", "2"]  # phi lies upwards
    assert frames(axes, MARK) == [(3, 3)]
    assert frames(axes, ORANGE) == [(3, 4)]
    assert words(axes)[3, 4] == "4.25"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("eta (row)", "phi (column)")


def test_what_is_compared_is_what_is_written():
    settings = PeakSumSettings(seed_window=(1, 3), quantity="significance", seed_threshold=1)
    cells, noise = np.array([[1.0, 2.0, 6.0, 1.0]]), np.full((1, 4), 2.0)
    why = explain(cells, settings, row=0, col=2, noise=noise)
    figure = draw_explanation(cells, why, settings, noise=noise)
    assert words(figure.axes[0])[2, 0] == f"{why.value:.3g}" == f"{9 / np.sqrt(12):.3g}"
    assert figure.axes[1].get_ylabel() == "seed window: energy / noise"


def test_a_masked_cell_is_grey_and_empty():
    mask = TWO_TOWERS == 1
    why = explain(TWO_TOWERS, row=1, col=1, mask=mask)
    axes = draw_explanation(TWO_TOWERS, why, PeakSumSettings(), mask=mask).axes[0]
    assert (1, 1) not in words(axes)
    assert legend(axes) == ["masked", "search window", "negative or masked"]


def test_a_seed_that_was_taken_before_is_framed():
    settings = PeakSumSettings(tie_rule="greedy-residual", search_window=(1, 1), sum_window=(1, 5))
    cells = np.array([[9, 0, 5, 0, 0]])
    why = explain(cells, settings, row=0, col=2)
    axes = draw_explanation(cells, why, settings).axes[0]
    assert frames(axes, ORANGE) == [(0, 0)]
    assert legend(axes) == ["no seed", "search window", "taken before"]


def test_every_cell_is_drawn_whatever_it_holds(tmp_path):
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
        drawable(figure, tmp_path / "why.png")
        assert texts_overlap(figure) == []


# ------------------------------------------------------------------------------------------- ties, comparison


def test_the_bars_are_the_seeds_of_every_rule(tmp_path):
    cells = np.zeros((3, 6, 16), int)
    cells[0, 2, 3:5] = 4
    cells[1, 3] = 5
    cells[2, 1, 1] = 8
    audit = audit_ties(cells, None, RING)
    figure = draw_ties(audit, title="three")
    bars, share = figure.axes
    ends = {}
    for bar in bars.patches:
        ends[round(bar.get_y() + bar.get_height() / 2)] = bar.get_x() + bar.get_width()
    assert [ends[k] for k in range(6)] == list(audit.n_seeds.values()) == [19, 1, 3, 3, 2, 2]
    assert [bar.get_width() for bar in bars.patches[:6]] == [1] * 6  # what every rule finds
    assert [text.get_text() for text in bars.texts][4:] == ["2, 1 closed ring lost"] * 2
    assert [bar.get_width() for bar in share.patches] == pytest.approx([1 / 3, 2 / 3])
    assert share.get_title("right") == "2 of 3 (66.7%) depend on the rule"
    assert texts_overlap(figure) == []
    drawable(figure, tmp_path / "ties.png")
    drawable(draw_ties(audit_ties(np.zeros((0, 3, 3)))), tmp_path / "ties.png")


def test_matched_sums_are_points_and_the_rest_bars(tmp_path):
    cells = np.zeros((2, 3, 9), int)
    cells[0, 1] = [0, 9, 2, 0, 0, 4, 4, 0, 0]
    cells[1, 1, 4] = 6
    grid = bare_grid((3, 9)).model_copy(update={"unit": 0.5})
    both = compare(cells, PeakSumSettings(tie_rule="all"), PeakSumSettings(sum_window=(1, 1)), grid)
    figure = draw_comparison(both, grid, names=("All", "One"), title="two events")
    main, only_a, only_b = figure.axes
    points = main.collections[0].get_offsets().tolist()
    assert points == [[5.5, 4.5], [4, 2], [3, 3]]
    assert (main.get_xlabel(), main.get_ylabel()) == ("All: energy [GeV]", "One: energy [GeV]")
    assert only_a.get_title("left") == "only in All: 1"
    assert only_b.get_title("left") == "only in\nOne: 0"
    said = "\n".join(text.get_text() for text in figure.texts)
    assert "matched: 3" in said
    assert "One \u2212 All:\n  mean \u22121 GeV, rms 1.29 GeV\n  largest \u22122 GeV" in said
    assert texts_overlap(figure) == []
    drawable(figure, tmp_path / "compare.png")


@pytest.mark.parametrize("kind", ["wide", "negative", "nothing", "one"])
def test_every_comparison_is_drawn(kind, tmp_path):
    cells = np.random.default_rng(2).exponential(5, (20, 12, 16)) ** 2
    cells = {"wide": cells + 1, "negative": cells - 30, "nothing": cells * 0, "one": cells[:1, :1, :1]}[kind]
    both = compare(cells, PeakSumSettings(), PeakSumSettings(sum_window=(5, 5), tie_rule="all"))
    figure = draw_comparison(both, bare_grid(cells.shape))
    assert figure.axes[0].get_xscale() == ("log" if kind == "wide" else "linear")
    drawable(figure, tmp_path / "compare.png")
    assert texts_overlap(figure) == []


def test_nothing_is_left_with_pyplot():
    import matplotlib.pyplot as plt

    draw_ties(audit_ties(np.ones((1, 3, 3))))
    draw_windows(PeakSumSettings())
    assert plt.get_fignums() == []


def test_blue_and_orange_differ_in_grey():
    from matplotlib.colors import to_rgb

    grey = [np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)) for colour in (FILL, ORANGE)]
    assert abs(grey[0] - grey[1]) > 0.2


def test_pictures_of_a_real_event(tmp_path, data):
    import uproot

    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{name}"].array(entry_stop=10) for name in ("ieta", "iphi", "iet")]
    grids = from_hits(*hits, grid)
    why = explain(grids[0], settings, grid, row=38, col=10)
    figure = draw_explanation(grids[0], why, settings, grid, title="entry 0")
    assert words(figure.axes[0])[5, 6] == "8"
    assert figure.axes[1].get_ylabel() == "counts of 0.5 GeV"
    assert texts_overlap(figure) == []
    drawable(figure, tmp_path / "why.png")
    both = compare(grids, settings, settings.model_copy(update={"sum_window": (7, 7), "pileup": ()}), grid)
    figure = draw_comparison(both, grid)
    assert texts_overlap(figure) == []
    drawable(figure, tmp_path / "compare.png")
