"""Pictures: that every kind of event and histogram is drawn without a warning, and the outline of windows."""

from collections import Counter

import awkward as ak
import hist
import numpy as np
import pytest

from hep_peaksum.clustering.find import find_clusters, peak_sum_map
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.geometry.hits import from_hits
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.library.presets import preset
from hep_peaksum.plotting.canvas import MARK, save, window_outline
from hep_peaksum.plotting.events import draw_event, draw_peak_sum
from hep_peaksum.plotting.histograms import draw_histogram
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.toy import TOY_GRID, make_events

PLUS = PeakSumSettings(sum_window=".x.\nxox\n.x.")
TORUS = Grid(rows=Axis(n=5, periodic=True), cols=Axis(n=6, periodic=True))
CYLINDER = Grid(rows=Axis(n=5), cols=Axis(n=6, periodic=True))


def perimeter(row, col, settings, grid):
    """The outline as a set of pairs of corners, each side once."""
    sides = [tuple(map(tuple, side)) for side in window_outline(row, col, settings.sum_cells(), grid).tolist()]
    assert max(Counter(sides).values(), default=1) == 1
    return set(sides)


def rectangle(rows, cols, sides="tblr"):
    """The unit sides of a rectangle of corners: top, bottom, left, right."""
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
            id="rows-that-close",
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


def test_outline_of_a_window_all_around_has_no_sides():
    band = PeakSumSettings(sum_window="xxxoxx")
    assert perimeter(2, 3, band, CYLINDER) == rectangle((2, 3), (0, 6), "tb")


def red_segments(figure):
    """The segments drawn in the colour of windows, in coordinates of the picture."""
    from matplotlib.colors import to_rgba

    lines = [c for c in figure.axes[0].collections if np.allclose(c.get_edgecolor()[:1], to_rgba(MARK))]
    return [path.vertices.tolist() for c in lines for path in c.get_paths() if len(path.vertices) == 2]


def test_windows_are_drawn_in_the_coordinates_of_the_axes():
    grid = Grid(
        rows=Axis(name="y", edges=(0, 1, 10, 100)), cols=Axis(name="x", bins=3, start=-3, stop=0, unit="mm")
    )
    settings = PeakSumSettings(sum_window=(1, 1))
    cells = np.diag([0, 5.0, 0])
    figure = draw_event(cells, grid, find_clusters(cells[None], settings, grid)[0], settings)
    corners = {tuple(end) for segment in red_segments(figure) for end in segment}
    assert corners == {(-2, 1), (-2, 10), (-1, 1), (-1, 10)}
    assert figure.axes[0].get_xlabel() == "x [mm]"
    assert figure.axes[0].get_ylabel() == "y"


def test_eta_lies_horizontally_and_rows_of_indices_run_downwards():
    toy = draw_event(np.ones((24, 16)), TOY_GRID, no_clusters(TOY_GRID), PLUS).axes[0]
    assert (toy.get_xlabel(), toy.get_ylabel()) == (r"$\eta$", r"$\phi$ [rad]")
    assert (*toy.get_xlim(), *toy.get_ylim()) == pytest.approx((-3, 3, -np.pi, np.pi))
    bare = draw_event(np.ones((3, 4)), bare_grid((3, 4)), no_clusters(bare_grid((3, 4))), PLUS).axes[0]
    assert (bare.get_xlabel(), bare.get_ylabel()) == ("column", "row")
    assert bare.get_ylim() == (2.5, -0.5)


def no_clusters(grid):
    return find_clusters(np.zeros((1, *grid.shape)), PeakSumSettings(), grid)[0]


@pytest.mark.parametrize(
    ("grid", "title"),
    [
        (bare_grid((2, 2)), "counts"),
        (TOY_GRID, "energy [GeV]"),
        (named_grid("cms-l1-towers"), r"$E_T$ [GeV]"),
    ],
)
def test_colour_bar_says_what_a_cell_holds(grid, title):
    figure = draw_event(np.ones(grid.shape), grid, no_clusters(grid), PLUS)
    assert figure.axes[1].get_ylabel() == title


def test_leading_sums_are_written_in_gev():
    grid = TOY_GRID.model_copy(update={"unit": 0.5})
    cells = np.zeros((24, 16))
    cells[2::4, 3::5] = np.arange(1, 19).reshape(6, 3)
    figure = draw_event(cells, grid, find_clusters(cells[None], None, grid)[0], PeakSumSettings())
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "9 GeV",
        "8.5 GeV",
        "8 GeV",
        "7.5 GeV",
        "7 GeV",
    ]


def drawable(figure, path):
    save(figure, path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 5000
    assert [p.name for p in path.parent.iterdir()] == [path.name]


XY = Grid(
    rows=Axis(name="y", bins=10, start=-50, stop=50, unit="mm"),
    cols=Axis(name="x", bins=10, start=-50, stop=50, unit="mm"),
    unit="1 MeV",
)
MIXED = Grid(rows=Axis(name="eta", labels="-3..-1, 1..3"), cols=TOY_GRID.cols)


GRIDS = [TOY_GRID, XY, MIXED, *(bare_grid(shape) for shape in ((1, 30), (30, 1), (20, 4), (1, 1)))]
KINDS = ["integers", "negative", "nan", "infinite", "zero", "equal", "huge"]


@pytest.mark.parametrize(
    ("grid", "kind"),
    [(grid, "energies") for grid in GRIDS] + [(bare_grid((4, 5)), kind) for kind in KINDS],
    ids=lambda value: value if isinstance(value, str) else "x".join(map(str, value.shape)),
)
def test_every_event_is_drawn(grid, kind, tmp_path):
    random = np.random.default_rng(1)
    cells = random.exponential(10.0, grid.shape) ** 2
    cells = {
        "energies": cells,
        "integers": cells.astype(np.int64),
        "negative": cells - 50,
        "nan": np.where(cells > 20, np.nan, cells),
        "infinite": np.where(cells > 50, -np.inf, cells),
        "zero": cells * 0,
        "equal": cells * 0 + 3,
        "huge": cells**9,
    }[kind]
    settings = PeakSumSettings(search_window=(1, 1), sum_window=(3, 3), nonfinite="mask")
    clusters = find_clusters(cells[None], settings, grid.model_copy(update={"quantity": "et"}))[0]
    drawable(draw_event(cells, grid, clusters, settings, title="a title"), tmp_path / "event.png")


def test_pictures_of_a_real_event(tmp_path, data):
    import uproot

    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{name}"].array(entry_stop=10) for name in ("ieta", "iphi", "iet")]
    grids = from_hits(*hits, grid)
    clusters = find_clusters(grids, settings, grid)
    event = int(np.argmax(ak.to_numpy(ak.num(clusters))))
    drawable(draw_event(grids[event], grid, clusters[event], settings), tmp_path / "event.png")


def test_a_stack_of_layers_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 24, 16\).*\(24, 16\)"):
        draw_event(np.ones((3, 24, 16)), TOY_GRID, no_clusters(TOY_GRID), PLUS)


def test_image_and_sums_side_by_side(tmp_path):
    image = make_events(1, seed=3).grids
    sums = peak_sum_map(image, PeakSumSettings(seed_threshold=0.5))
    figure = draw_peak_sum(image[0], sums[0], title="sums")
    assert len(figure.axes[1].texts) == min(20, np.count_nonzero(sums))
    drawable(figure, tmp_path / "sums.png")


def test_image_without_a_maximum(tmp_path):
    drawable(draw_peak_sum(np.zeros((3, 4), int), np.zeros((3, 4), int)), tmp_path / "sums.png")


def test_image_and_sums_must_have_one_shape():
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
        draw_peak_sum(np.ones((2, 2)), np.ones((2, 3)))


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
    assert figure.axes[0].get_xlabel() == axes[0].label
    assert figure.axes[0].get_ylabel() == (axes[1].label if len(axes) == 2 else "entries")
    drawable(figure, tmp_path / "h.png")


def test_negative_weights_are_seen(tmp_path):
    h = hist.Hist(REGULAR, storage=hist.storage.Weight(), label="clusters").fill([20, 30], weight=-2)
    figure = draw_histogram(h)
    assert figure.axes[0].get_ylabel() == "clusters"
    assert figure.axes[0].get_ylim()[0] < -2
    drawable(figure, tmp_path / "h.png")


def test_a_histogram_of_three_axes_is_refused():
    with pytest.raises(ValueError, match="3 axes"):
        draw_histogram(hist.Hist(REGULAR, VARIABLE, INTEGER))


def test_nothing_is_left_with_pyplot():
    import matplotlib.pyplot as plt

    draw_histogram(hist.Hist(REGULAR, VARIABLE).fill([1], [1]))
    draw_event(np.ones((24, 16)), TOY_GRID, no_clusters(TOY_GRID), PLUS)
    assert plt.get_fignums() == []


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path):
    figure = draw_histogram(hist.Hist(REGULAR))
    path = tmp_path / "h.png"
    path.write_text("old")
    figure.set_size_inches(1e6, 1e6)
    with pytest.raises(ValueError, match="too large"):
        save(figure, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["h.png"]


def test_a_picture_is_png_or_an_error_that_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"h\.pdf: pictures are PNG, not \.pdf: name it h\.png"):
        save(draw_histogram(hist.Hist(REGULAR)), tmp_path / "h.pdf")
    assert list(tmp_path.iterdir()) == []
