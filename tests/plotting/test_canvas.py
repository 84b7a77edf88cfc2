"""What all pictures share: outlines of windows, colours, and files that are written completely or not."""

from collections import Counter

import hist
import numpy as np
import pytest

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.diagnostics.ties import audit_ties
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.plotting.canvas import FILL, ORANGE, View, norm, save, window_outline
from hep_peaksum.plotting.comparisons import draw_ties
from hep_peaksum.plotting.events import draw_event
from hep_peaksum.plotting.histograms import draw_histogram
from hep_peaksum.plotting.rules import draw_windows
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.toy import TOY_GRID

PLUS = PeakSumSettings(sum_window=".x.\nxox\n.x.")
TORUS = Grid(rows=Axis(n=5, periodic=True), cols=Axis(n=6, periodic=True))
CYLINDER = Grid(rows=Axis(n=5), cols=Axis(n=6, periodic=True))
REGULAR = hist.axis.Regular(10, 0, 100, name="pt", label=r"$p_T$ [GeV]")


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [
        ("eta", "", True),
        ("x", "", True),
        ("", "phi", True),
        ("", "y", True),
        ("eta", "phi", True),
        ("y", "x", False),
        ("phi", "eta", False),
        ("", "", False),
    ],
)
def test_one_axis_that_is_named_says_which_is_horizontal(rows, cols, expected):
    axes = (Axis(n=2, name=rows or None), Axis(n=3, name=cols or None))
    view = View.of(Grid(rows=axes[0], cols=axes[1]))
    assert view.rows_horizontal == expected
    assert view.axes == (axes if expected else axes[::-1])


def perimeter(row, col, settings, grid):
    """Return the outline as a set of pairs of corners; every side must be there only once."""
    sides = [tuple(map(tuple, side)) for side in window_outline(row, col, settings.sum_cells(), grid).tolist()]
    assert max(Counter(sides).values(), default=1) == 1
    return set(sides)


def rectangle(rows, cols, sides="tblr"):
    """Return the unit sides of a rectangle of corners: top, bottom, left, right."""
    (top, bottom), (left, right) = rows, cols
    return {
        *(((top, j), (top, j + 1)) for j in range(left, right) if "t" in sides),
        *(((bottom, j), (bottom, j + 1)) for j in range(left, right) if "b" in sides),
        *(((i, left), (i + 1, left)) for i in range(top, bottom) if "l" in sides),
        *(((i, right), (i + 1, right)) for i in range(top, bottom) if "r" in sides),
    }


@pytest.mark.parametrize(
    ("row", "col", "grid", "expected"),
    [
        pytest.param(2, 2, CYLINDER, rectangle((1, 4), (1, 4)), id="inside"),
        pytest.param(
            2,
            0,
            CYLINDER,
            rectangle((1, 4), (0, 2), "tbr") | rectangle((1, 4), (5, 6), "tbl"),
            id="open-at-the-seam",
        ),
        pytest.param(0, 2, CYLINDER, rectangle((0, 2), (1, 4)), id="cut-at-the-edge"),
        pytest.param(4, 5, bare_grid((5, 6)), rectangle((3, 5), (4, 6)), id="cut-in-the-corner"),
        pytest.param(
            4,
            2,
            TORUS,
            rectangle((3, 5), (1, 4), "tlr") | rectangle((0, 1), (1, 4), "blr"),
            id="periodic-rows",
        ),
    ],
)
def test_outline_of_a_square_window(row, col, grid, expected):
    assert perimeter(row, col, PeakSumSettings(), grid) == expected


def test_outline_of_a_drawn_window():
    expected = rectangle((1, 4), (2, 3), "tb") | rectangle((2, 3), (1, 4), "lr")
    expected |= {((1, 2), (2, 2)), ((3, 2), (4, 2)), ((1, 3), (2, 3)), ((3, 3), (4, 3))}
    expected |= {((2, 1), (2, 2)), ((2, 3), (2, 4)), ((3, 1), (3, 2)), ((3, 3), (3, 4))}
    assert perimeter(2, 2, PLUS, CYLINDER) == expected


def test_outline_of_a_window_all_around_a_ring_has_no_ends():
    band = PeakSumSettings(sum_window="xxxoxx")
    assert perimeter(2, 3, band, CYLINDER) == rectangle((2, 3), (0, 6), "tb")


def test_blue_and_orange_differ_in_greyscale():
    from matplotlib.colors import to_rgb

    grey = [np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)) for colour in (FILL, ORANGE)]
    assert abs(grey[0] - grey[1]) > 0.2


@pytest.mark.parametrize(
    ("values", "logarithmic", "name", "limits"),
    [
        pytest.param([0, 1, 30], True, "Normalize", (0, 30), id="up-to-30-times"),
        pytest.param([0, 1, 100], True, "LogNorm", (1, 100), id="wider"),
        pytest.param([-5, 1, 1e6, np.inf], True, "LogNorm", (100, 1e6), id="cut-off"),
        pytest.param([0, 1, 100], False, "Normalize", (0, 100), id="not-asked-for"),
    ],
)
def test_colours_are_logarithmic_only_over_a_wide_range(values, logarithmic, name, limits):
    scale = norm(np.array(values, float), logarithmic=logarithmic)
    assert (type(scale).__name__, scale.vmin, scale.vmax) == (name, *limits)


def test_no_picture_is_registered_with_pyplot():
    import matplotlib.pyplot as plt

    draw_ties(audit_ties(np.ones((1, 3, 3))))
    draw_windows(PeakSumSettings())
    draw_histogram(hist.Hist(REGULAR, hist.axis.Variable([-3, -1, 0, 5], name="eta")).fill([1], [1]))
    draw_event(
        np.ones((24, 16)), PLUS, TOY_GRID, clusters=find_clusters(np.zeros((1, 24, 16)), PLUS, TOY_GRID)[0]
    )
    assert plt.get_fignums() == []


def test_a_failed_write_keeps_the_old_picture(tmp_path):
    figure = draw_histogram(hist.Hist(REGULAR))
    path = tmp_path / "h.png"
    path.write_text("old")
    figure.set_size_inches(1e6, 1e6)
    with pytest.raises(ValueError, match="too large"):
        save(figure, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["h.png"]


def test_other_formats_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"h\.gif: pictures are PNG, PDF, SVG, not \.gif: name it h\.png"):
        save(draw_histogram(hist.Hist(REGULAR)), tmp_path / "h.gif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "begin"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_picture_has_the_format_of_its_name_and_is_the_same_every_time(tmp_path, suffix, begin):
    for name in ("a", "b"):
        save(draw_histogram(hist.Hist(REGULAR)), tmp_path / f"{name}.{suffix}")
    first, second = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first.startswith(begin)
    assert first == second or suffix == "svg"  # whose ids are random


X, Y = Axis(name="x", bins=8, start=0, stop=40), Axis(name="y", bins=4, start=0, stop=10)


@pytest.mark.parametrize(
    ("grid", "ratio"),
    [
        pytest.param(Grid(rows=Y, cols=X), 40 / 10, id="both-in-mm"),
        pytest.param(bare_grid((4, 8)), 8 / 4, id="cells"),
        pytest.param(Grid(rows=Axis(n=4), cols=X), 1.3, id="cells-along-mm"),
        pytest.param(bare_grid((2, 80)), 6, id="too-long"),
        pytest.param(bare_grid((80, 2)), 0.5, id="too-high"),
    ],
)
def test_a_plane_is_to_scale_where_both_axes_are_in_one_unit(grid, ratio):
    width, height = View.of(grid).size
    assert width / height == pytest.approx(ratio)
    assert width == pytest.approx(7.2) or height == pytest.approx(5.4)
