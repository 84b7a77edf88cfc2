"""Pictures of hexagonal cells: six corners at their places, windows along sides of hexagons."""

import numpy as np
import pytest
from figures import assert_drawable
from matplotlib.colors import to_hex

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hexagons import Hexagons
from hep_peaksum.library.presets import preset
from hep_peaksum.plotting.canvas import HATCH, NEGATIVE
from hep_peaksum.plotting.events import HexagonView, draw_event

SETTINGS, _ = preset("hexagon-7")
LATTICES = [Hexagons(pitch=4, orientation=word, angle=60, unit="mm") for word in ("pointy", "flat")]


def hexagonal(lattice):
    return Grid(rows=Axis(labels="-2..2"), cols=Axis(labels="-2..2"), hexagons=lattice)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda each: each.orientation)
def test_cells_tile_the_plane(lattice):
    polygons = HexagonView.of(hexagonal(lattice)).polygons
    assert polygons.shape == (25, 6, 2)
    assert polygons[12].mean(axis=0) == pytest.approx([0, 0])
    corners, n_cells = np.unique(polygons.reshape(-1, 2).round(6) + 0.0, axis=0, return_counts=True)
    assert len(corners) == 70  # 2 (5 + 1)^2 - 2, as of any rhombus of 5 x 5 hexagons
    assert np.bincount(n_cells).tolist() == [0, 22, 16, 32]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda each: each.orientation)
def test_the_window_of_seven_has_eighteen_sides_and_the_edge_cuts_it(lattice):
    view, offsets = HexagonView.of(hexagonal(lattice)), SETTINGS.sum_cells()
    middle, corner = view.outline(2, 2, offsets), view.outline(0, 0, offsets)
    assert (len(middle), len(corner)) == (18, 6 * 3 - 2 * 3)
    lengths = np.linalg.norm(middle[:, 0] - middle[:, 1], axis=1)
    assert lengths == pytest.approx(np.full(18, 4 / 3**0.5))
    assert np.linalg.norm(middle, axis=-1).max() == pytest.approx(4 / 3**0.5 * 7**0.5)


@pytest.mark.slow
def test_an_event_is_drawn_as_hexagons_with_its_sums(tmp_path):
    grid, cells = hexagonal(LATTICES[1]), np.zeros((5, 5))
    cells[2, 2], cells[2, 3], cells[0, 0] = 5, 2, -1
    figure = draw_event(cells, SETTINGS, grid, clusters=find_clusters(cells[None], SETTINGS, grid)[0])
    axes = figure.axes[0]
    background, coloured = axes.collections[:2]
    assert [len(collection.get_paths()) for collection in (background, coloured)] == [25, 2]
    assert coloured.get_array().tolist() == [5, 2]
    assert [to_hex(each) for each in background.get_facecolors()] == [to_hex(NEGATIVE), *["#ffffff"] * 24]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x [mm]", "y [mm]")
    assert [text.get_text() for text in axes.texts] == ["7"]
    seed = axes.collections[-1].get_offsets()
    assert seed.tolist() == [[pytest.approx(0), pytest.approx(0)]]
    assert_drawable(figure, tmp_path / "hexagons.png")


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda each: each.orientation)
def test_the_picture_ends_where_the_cells_end(lattice):
    """The outermost of five centres in a row along one side of a rhombus is 8 + 4 from its middle."""
    axes = draw_event(np.zeros((5, 5)), SETTINGS, hexagonal(lattice)).axes[0]
    along, across = 12 + 4 / 2, (8 * 3**0.5 / 2 + 4 / 3**0.5)
    x, y = (along, across) if lattice.orientation == "pointy" else (across, along)
    assert (*axes.get_xlim(), *axes.get_ylim()) == pytest.approx((-x, x, -y, y))


@pytest.mark.parametrize(("lattice", "centre"), [*zip(LATTICES, [(-4, 0), (-(12**0.5), -2)], strict=True)])
def test_masked_hexagons_are_hatched_as_rectangles_are(lattice, centre):
    grid, cells, mask = hexagonal(lattice), np.zeros((5, 5)), np.zeros((5, 5), bool)
    cells[2, 2], mask[1, 2] = 5, True
    found = find_clusters(cells[None], SETTINGS, grid, mask=mask)[0]
    axes = draw_event(cells, SETTINGS, grid, clusters=found, mask=mask).axes[0]
    (hatched,) = (each for each in axes.collections if each.get_hatch() == HATCH)
    (path,) = hatched.get_paths()
    assert path.vertices[:6].mean(axis=0) == pytest.approx(centre)  # one step of u back from the middle
    assert len({tuple(corner) for corner in path.vertices.round(6).tolist()}) == 6
