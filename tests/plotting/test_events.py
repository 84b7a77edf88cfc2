"""Pictures of events: every kind of grid and of cells, windows and sums where they should be."""

import awkward as ak
import numpy as np
import pytest
from figures import assert_drawable, legend_labels

from hep_peaksum.clustering.find import find_clusters, peak_sum_map
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.geometry.hits import from_hits
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.library.presets import preset
from hep_peaksum.plotting.canvas import HATCH, MARK
from hep_peaksum.plotting.events import draw_event, draw_peak_sum
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.toy import TOY_GRID, make_events

pytestmark = pytest.mark.slow  # together they take many seconds

PLUS = PeakSumSettings(sum_window=".x.\nxox\n.x.")


def red_segments(figure):
    """Return the segments in the colour of windows, in the coordinates of the axes."""
    from matplotlib.colors import to_rgba

    lines = [c for c in figure.axes[0].collections if np.allclose(c.get_edgecolor()[:1], to_rgba(MARK))]
    return [path.vertices.tolist() for c in lines for path in c.get_paths() if len(path.vertices) == 2]


def test_windows_are_drawn_in_the_coordinates_of_the_axes():
    grid = Grid(
        rows=Axis(name="y", edges=(0, 1, 10, 100)), cols=Axis(name="x", bins=3, start=-3, stop=0, unit="mm")
    )
    settings = PeakSumSettings(sum_window=(1, 1))
    cells = np.diag([0, 5.0, 0])
    figure = draw_event(cells, settings, grid, clusters=find_clusters(cells[None], settings, grid)[0])
    corners = {tuple(end) for segment in red_segments(figure) for end in segment}
    assert corners == {(-2, 1), (-2, 10), (-1, 1), (-1, 10)}
    assert figure.axes[0].get_xlabel() == "x [mm]"
    assert figure.axes[0].get_ylabel() == "y"


def test_eta_is_horizontal_and_row_indices_run_downwards():
    toy = draw_event(np.ones((24, 16)), PLUS, TOY_GRID, clusters=no_clusters(TOY_GRID)).axes[0]
    assert (toy.get_xlabel(), toy.get_ylabel()) == (r"$\eta$", r"$\phi$ [rad]")
    assert (*toy.get_xlim(), *toy.get_ylim()) == pytest.approx((-3, 3, -np.pi, np.pi))
    bare = draw_event(np.ones((3, 4)), PLUS, bare_grid((3, 4)), clusters=no_clusters(bare_grid((3, 4)))).axes[0]
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
def test_the_colour_bar_is_titled_with_the_quantity(grid, title):
    figure = draw_event(np.ones(grid.shape), PLUS, grid, clusters=no_clusters(grid))
    assert figure.axes[1].get_ylabel() == title


def test_leading_sums_are_written_in_gev():
    grid = TOY_GRID.model_copy(update={"unit": 0.5})
    cells = np.zeros((24, 16))
    cells[2::4, 3::5] = np.arange(1, 19).reshape(6, 3)
    figure = draw_event(cells, PeakSumSettings(), grid, clusters=find_clusters(cells[None], None, grid)[0])
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "9 GeV",
        "8.5 GeV",
        "8 GeV",
        "7.5 GeV",
        "7 GeV",
    ]


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
    figure = draw_event(cells, settings, grid, clusters=clusters, title="a title")
    assert "a title" in [text.get_text() for text in figure.texts]
    assert_drawable(figure, tmp_path / "event.png")


def test_a_real_event_is_drawn(tmp_path, data):
    import uproot

    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{name}"].array(entry_stop=10) for name in ("ieta", "iphi", "iet")]
    grids = from_hits(*hits, grid)
    clusters = find_clusters(grids, settings, grid)
    event = int(np.argmax(ak.to_numpy(ak.num(clusters))))
    assert_drawable(draw_event(grids[event], settings, grid, clusters=clusters[event]), tmp_path / "event.png")


def test_a_stack_of_layers_is_an_error():
    with pytest.raises(ValueError, match=r"\(3, 24, 16\).*\(24, 16\)"):
        draw_event(np.ones((3, 24, 16)), PLUS, TOY_GRID, clusters=no_clusters(TOY_GRID))


def test_image_and_sums_are_drawn_side_by_side(tmp_path):
    image = make_events(1, seed=3).grids
    sums = peak_sum_map(image, PeakSumSettings(seed_threshold=0.5))
    figure = draw_peak_sum(image[0], sums[0], title="sums")
    assert "sums" in [text.get_text() for text in figure.texts]
    assert len(figure.axes[1].texts) == min(20, np.count_nonzero(sums))
    assert_drawable(figure, tmp_path / "sums.png")


def test_an_image_without_a_maximum_is_drawn(tmp_path):
    assert_drawable(draw_peak_sum(np.zeros((3, 4), int), np.zeros((3, 4), int)), tmp_path / "sums.png")


def test_image_and_sums_of_different_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
        draw_peak_sum(np.ones((2, 2)), np.ones((2, 3)))


def drawn_cells(figure):
    """Return the values of the coloured cells, in the order in which they are drawn."""
    return figure.axes[0].collections[1].get_array()


def test_clusters_are_found_where_none_are_given():
    cells = np.zeros((4, 5))
    cells[1, 1:3] = 3, 1
    cells[3, 4] = 2
    figure = draw_event(cells, {"seed_threshold": 1})
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["2", "4"]
    assert "2 seeds" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_towers_are_drawn_where_settings_pool_cells():
    cells = np.arange(16).reshape(4, 4)
    figure = draw_event(cells, {"coarsen": [2, 2], "search_window": [1, 1], "sum_window": [1, 1]})
    assert drawn_cells(figure).filled(0).tolist() == [[10, 18], [42, 50]]


def test_a_masked_cell_seeds_nothing_and_is_told_from_a_negative_one():
    cells, mask = np.array([[5.0, 0, -2, 3]]), np.array([[True, False, False, False]])
    figure = draw_event(cells, {"sum_window": (1, 1)}, mask=mask)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3"]
    assert axes.collections[0].get_array().tolist() == [[2, 0, 1, 0]]
    (hatched,) = (each for each in axes.collections if each.get_hatch() == HATCH)
    assert [path.get_extents().bounds for path in hatched.get_paths()] == [(-0.5, -0.5, 1, 1)]
    assert legend_labels(axes) == ["1 seed", "sum window 1 × 1", "negative", "masked"]
    only_negative = draw_event(cells, {"sum_window": (1, 1)}).axes[0]
    assert legend_labels(only_negative)[2:] == ["negative"]


def test_references_lie_on_their_cells_also_where_cells_are_pooled():
    cells = np.zeros((6, 8))
    cells[2, 3] = 5
    objects = {"jets": [(2, 3), (5, 7)], "taus": [(0.5, 0)]}
    axes = draw_event(cells, {"seed_threshold": 1}, references=objects).axes[0]
    places = [line.get_xydata().tolist() for line in axes.lines]
    assert places == [[[3, 2], [7, 5]]] * 2 + [[[0, 0.5]]] * 2  # each twice: on white
    assert legend_labels(axes)[2:] == ["2 jets", "1 taus"]
    axes = draw_event(cells, {"coarsen": [2, 2], "seed_threshold": 1}, references=objects).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[1.25, 0.75], [3.25, 2.25]]


def test_the_colour_scale_ends_where_it_is_told_to():
    cells = np.array([[1.0, 5, 20, 100]])
    coloured = next(c for c in draw_event(cells, z_range=(2, 10)).axes[0].collections if c.norm.vmax == 10)
    assert (coloured.norm.vmin, coloured.norm.vmax) == (2, 10)
    wide = next(c for c in draw_event(cells, z_range=(1, 100)).axes[0].collections if c.norm.vmax == 100)
    assert type(wide.norm).__name__ == "LogNorm"
    for wrong in ((5, 5), (-1, 5), (9, 5)):
        with pytest.raises(ValueError, match=r"z_range .*: expected two numbers that grow"):
            draw_event(cells, z_range=wrong)


def test_lines_of_many_clusters_are_thinner():
    cells = np.zeros((60, 60))
    cells[::2, ::2] = 5  # 900 clusters
    few, many = (draw_event(each, {"seed_threshold": 1}).axes[0] for each in (cells[:8, :8], cells))
    widths = [max(axes.collections[-1].get_linewidths()) for axes in (few, many)]
    assert widths[1] < 0.5 * widths[0]


def test_settings_and_grid_may_be_names():
    figure = draw_event(np.zeros((80, 72)), "cms-l1-jet", "cms-l1-towers")
    assert figure.axes[0].get_xlabel() == r"$\eta$"


def test_a_notebook_shows_the_figure_as_a_picture():
    figure = draw_event(np.eye(3), {"seed_threshold": 0.5})
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(("start", "stop"), [(0, "2pi"), ("-pi", "pi"), ("-pi/8", "15pi/8")])
def test_the_azimuth_is_drawn_in_the_range_of_the_field(start, stop):
    rows = Axis(name="eta", bins=3, start=-1, stop=1)
    grid = Grid(rows=rows, cols=Axis(name="phi", bins=8, start=start, stop=stop, periodic=True), unit=1)
    cells = np.zeros((3, 8))
    cells[1, 5], cells[1, 6] = 9, 2
    clusters = find_clusters(cells[None], {"seed_threshold": 5, "sum_window": [1, 3]}, grid)[0]
    figure = draw_event(cells, {"seed_threshold": 5, "sum_window": [1, 3]}, grid, references={"jets": [(1, 5)]})
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    assert -np.pi - np.pi / 8 - 1e-9 <= low <= -np.pi + np.pi / 8
    assert high - low == pytest.approx(2 * np.pi)
    seed = axes.collections[-1].get_offsets()[0]
    assert seed.tolist() == pytest.approx([0, float(clusters.phi[0])])
    assert axes.lines[0].get_xydata()[0].tolist() == pytest.approx(seed.tolist())
    mesh = next(
        each for each in axes.collections if each.get_array() is not None and each.get_array().max() == 9
    )
    up, across = np.argwhere(mesh.get_array() == 9)[0]
    edges = mesh.get_coordinates()[:, 0, 1]
    assert edges[up] <= seed[1] <= edges[up + 1]
    assert across == 1


@pytest.mark.parametrize(("energy", "text"), [(5, "5"), (4321, "4,321"), (9e35, "9e+35")])
def test_a_sum_is_written_in_few_characters(energy, text):
    figure = draw_event([[0, 0, 0], [0, energy, 0], [0, 0, 0]])
    assert [each.get_text() for each in figure.axes[0].texts] == [text]
