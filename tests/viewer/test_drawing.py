"""What stands on the picture of the viewer: corners, colours, lines, numbers and texts, worked out by hand."""

import re

import numpy as np
import pytest

from hep_peaksum.viewer import drawing
from hep_peaksum.viewer.notebook import first_state
from hep_peaksum.viewer.sources import Objects
from hep_peaksum.viewer.state import ViewState

CELLS = np.array([[[1.0, 0.0, 4.0], [0.0, -2.0, 0.0]]])
ETA_PHI = {
    "rows": {"name": "eta", "labels": "-1, 1", "edges": [-2, 0, 3]},
    "cols": {"name": "phi", "bins": 3, "start": "-pi", "stop": "pi", "periodic": True},
    "unit": 0.5,
}


def test_cells_have_corners_and_between_them_are_lines():
    """Without coordinates columns go across, as an array is printed."""
    state = first_state(CELLS, {"search_window": (1, 3), "sum_window": (3, 3)})
    cells = {word: np.asarray(values).tolist() for word, values in drawing.cell_columns(state).items()}
    assert cells == {
        "left": [-0.5, 0.5, 1.5] * 2,
        "right": [0.5, 1.5, 2.5] * 2,
        "bottom": [-0.5] * 3 + [0.5] * 3,
        "top": [0.5] * 3 + [1.5] * 3,
        "row": [0] * 3 + [1] * 3,
        "col": [0, 1, 2] * 2,
        "energy": CELLS.ravel().tolist(),
    }
    assert drawing.holders_text(state).split("\n") == ["2", "1, 2", "1"] * 2
    lines = np.stack([*drawing.line_columns(state).values()], axis=-1).tolist()
    upright = [[x, -0.5, x, 1.5] for x in (-0.5, 0.5, 1.5, 2.5)]
    assert lines == upright + [[-0.5, y, 2.5, y] for y in (-0.5, 0.5, 1.5)]


def test_only_cells_with_a_colour_are_filled():
    filled = drawing.filled_columns(first_state(CELLS))
    places = zip(filled["left"].tolist(), filled["bottom"].tolist(), filled["fill"], strict=True)
    palette = drawing.palette()
    # a quarter of the highest energy is at 0.25 * 255 = 63.75 of the palette
    assert [*places] == [(-0.5, -0.5, palette[63]), (1.5, -0.5, palette[255]), (0.5, 0.5, drawing.NEGATIVE)]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        pytest.param(drawing.Scale(0.0, 8.0, is_logarithmic=False), [31, 63, 255, 255], id="linear"),
        pytest.param(drawing.Scale(2.0, 4.0, is_logarithmic=False), [0, 0, 255, 255], id="clipped"),
        pytest.param(drawing.Scale(1.0, 16.0, is_logarithmic=True), [0, 63, 191, 255], id="logarithmic"),
        pytest.param(drawing.Scale(2.0, 8.0, is_logarithmic=True), [0, 0, 255, 255], id="logarithmic-clipped"),
    ],
)
def test_energies_are_coloured_along_a_scale(scale, expected):
    colours = drawing.fill_colours(np.array([1.0, 2.0, 8.0, 16.0]), scale)
    assert colours == [drawing.palette()[k] for k in expected]


@pytest.mark.parametrize(
    ("cells", "scale"),
    [
        ([0.0, -1.0, np.nan], (0, 1, False)),
        ([1.0, 30.0, np.inf], (0, 30, False)),
        ([1.0, 31.0], (1, 31, True)),
        ([1.0, 1e5], (10, 1e5, True)),
    ],
    ids=["no-energy", "within-a-factor-of-30", "beyond-it", "at-most-four-decades"],
)
def test_a_scale_is_logarithmic_where_energies_differ_much(cells, scale):
    assert drawing.scale_of(np.array(cells)) == scale


def test_texts_say_what_a_number_is():
    state = first_state(CELLS, grid=ETA_PHI)
    assert drawing.hover_texts(state) == [
        ("row, col", "@row, @col"),
        ("energy [GeV]", "@energy{0.[0000]}"),
        ("η", "@row_at{0.[0000]}"),
        ("label of row", "@row_label"),
        ("φ", "@col_at{0.[0000]} rad"),
        ("held by cluster", "@row{custom}"),
    ]
    cells = drawing.cell_columns(state)
    assert cells["row_at"].tolist() == [-1] * 3 + [1.5] * 3
    assert cells["row_label"].tolist() == [-1] * 3 + [1] * 3
    np.testing.assert_allclose(cells["col_at"], [-2 * np.pi / 3, 0, 2 * np.pi / 3] * 2, atol=1e-12)
    assert [drawing.axis_title(*each) for each in ((state.grid.rows, "row"), (state.grid.cols, "col"))] == [
        "η",
        "φ [rad]",
    ]
    bare = first_state(CELLS)
    assert drawing.hover_texts(bare) == [
        ("row, col", "@row, @col"),
        ("counts", "@energy{0.[0000]}"),
        ("held by cluster", "@row{custom}"),
    ]
    assert drawing.axis_title(bare.grid.rows, "row") == "row"
    assert drawing.energy_title(state.grid.model_copy(update={"quantity": "et"})) == "ET [GeV]"


def test_a_point_on_the_last_edge_is_beside_the_grid():
    state = first_state(CELLS, grid=ETA_PHI)
    inside = {(-2, 0): (0, 1), (-0.1, 3.1): (0, 2), (0, -np.pi): (1, 0), (2.9, -2): (1, 0)}
    assert {point: drawing.cell_at(state, *point) for point in inside} == inside
    for point in ((3, 0), (-2.1, 0), (0, np.pi), (0, -3.2)):
        assert drawing.cell_at(state, *point) is None


@pytest.mark.parametrize("n", [200, 203])
def test_leading_clusters_are_numbered_and_many_are_counted(n):
    cells = np.zeros((1, 1, 2 * n + 1))
    cells[0, 0, 1::2] = np.arange(n, 0, -1)
    state = first_state(cells, {"search_window": (1, 3), "sum_window": (1, 1)})
    seeds = drawing.seed_columns(state)
    assert seeds["number"] == [str(k + 1) if k < 40 else "" for k in range(n)]
    assert (seeds["x"].tolist(), set(seeds["y"].tolist())) == ([2 * k + 1 for k in range(n)], {0.0})
    table = drawing.cluster_table(state)
    assert re.findall(r"(\d+) clusters", drawing.heading(state) + table) == [str(n)] * 2
    assert table.count("<tr>") == 201  # with the heading
    assert ("and 3 more" in table, "more" in table) == (n > 200, n > 200)


def test_one_cluster_is_no_plural_and_a_layer_is_named():
    cells = np.zeros((1, 2, 3, 3))
    cells[0, 1, 1, 1] = 2
    state = ViewState.first(first_state(cells, layers="each").source)
    assert drawing.heading(state) == "event 0: Cluster on calo, layer 0: <b>0 clusters</b>"
    assert drawing.heading(state.on(layer=1)) == "event 0: Cluster on calo, layer 1: <b>1 cluster</b>"


def test_objects_lie_where_they_have_a_place_on_the_grid():
    state = first_state(CELLS, grid=ETA_PHI)
    x, y = np.array([-2.0, 3.0, 3.1, -2.1, 1.0]), np.array([0.5, -0.5, 0.0, 0.0, 4.0])
    objects = {
        "placed": Objects(("eta", "phi"), (x, y), None),
        "turned": Objects(("phi", "eta"), (y, x), None),
        "cells": Objects(("row", "col"), (np.array([0.0, -1.0, 1.0]), np.array([2.0, 0.0, -1.0])), "calo"),
        "elsewhere": Objects(("row", "col"), (np.zeros(1), np.zeros(1)), "hcal"),
        "other axes": Objects(("x", "y"), (x, y), None),
    }
    state.event.objects.update(objects)
    found = {name: np.stack([*at.values()], axis=1) for name, at in drawing.object_columns(state).items()}
    assert found.keys() == {"placed", "turned", "cells"}
    for name in ("placed", "turned"):
        np.testing.assert_allclose(found[name], [(-2, 0.5), (3, -0.5), (1, 4 - 2 * np.pi)])
    np.testing.assert_allclose(found["cells"], [(-1, 2 * np.pi / 3)])


def test_a_curve_has_the_clusters_above_every_threshold():
    assert drawing.curve_columns({0.5: 7, 1.0: 3}) == {"threshold": [0.5, 1.0], "n": [7, 3]}
