"""The table of cluster fields: pictures of fields of the sum window, and names that are refused."""

import numpy as np
import oracle
import pytest
from clustering_problems import field_of, grid_of, index_grid, settings_of
from eta_phi import ETA, VECTOR
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from strategies import Problem, problems

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, named_grid
from hep_peaksum.clustering.fields import FIELDS, check_fields, fields_of, needs_cells
from hep_peaksum.geometry.grid import bare_grid

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("cells", "shared"),
    [
        pytest.param([[0, 9, 0, 0, 9, 0]], [0, 0], id="windows_side_by_side"),
        pytest.param([[0, 9, 4, 9, 0, 0]], [4, 4], id="one_cell_between_two_showers"),
        pytest.param([[9, 4, 9, 4, 9]], [4, 8, 4], id="the_middle_one_shares_both_sides"),
        pytest.param([[0, 9, 0]], [0], id="alone"),
        pytest.param(
            [
                [7, 1, 7],
                [2, 3, 2],
                [7, 1, 7],
            ],
            [1 + 2 + 3] * 4,
            id="a_cell_in_four_windows_counts_once",
        ),
    ],
)
def test_the_shared_sum_lies_in_cells_of_another_window(cells, shared):
    assert field_of(cells, "shared_sum") == shared


def test_cells_below_the_cell_threshold_are_not_shared():
    cells = [[0, 9, 1, 9, 0], [0, 0, 3, 0, 0]]
    assert field_of(cells, "shared_sum") == [4, 4]
    assert field_of(cells, "shared_sum", PeakSumSettings(cell_threshold=2)) == [3, 3]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(
            [[0] * 5, [0, 1, 1, 1, 0], [0, 1, 8, 1, 4], [0, 1, 1, 1, 0], [0] * 5], 4 / 16, id="positive"
        ),
        pytest.param(
            [[0] * 5, [0, -4, -4, 0, 0], [0, 0, 6, 0, 1], [0] * 5, [0] * 5], 1 / -2, id="negative-sum"
        ),
        pytest.param([[0] * 5, [0, -4, -4, 0, 0], [0, 0, 8, 0, 1], [0] * 5, [0] * 5], 0, id="no-sum"),
    ],
)
def test_isolation_is_the_ring_over_the_sum_with_its_sign(cells, expected):
    assert field_of(cells, "isolation", PeakSumSettings(seed_threshold=5)) == [expected]


def test_clusters_of_different_events_share_nothing():
    shared = find_clusters([[[0, 9, 4]], [[4, 9, 0]]], fields=["shared_sum"])
    assert shared.shared_sum.to_list() == [[0], [0]]


def test_showers_across_the_seam_share_the_cell_between_them():
    assert field_of([[9, 0, 0, 0, 9, 4]], "shared_sum", None, index_grid((1, 6), (False, True))) == [4, 4]
    assert field_of([[9, 0, 0, 0, 9, 4]], "shared_sum") == [0, 0]


def test_a_masked_cell_is_not_shared():
    assert field_of([[9, 4, 9]], "shared_sum", mask=[[False, True, False]]) == [0, 0]


def test_a_cluster_that_max_clusters_removes_still_shares():
    """The field describes how the sum was made, and the removed cluster claimed those cells."""
    clusters = find_clusters([[[9, 4, 8]]], PeakSumSettings(max_clusters=1), fields=["shared_sum"])
    assert clusters.shared_sum.to_list() == [[4]]


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")))
def test_the_shared_sum_is_that_of_the_cells_held_twice(problem, masked):
    problem = problem.given(grids=np.rint(problem.grids * 8).astype(np.int64))
    settings, grid = settings_of(problem, masked=masked, order="position"), grid_of(problem)
    clusters = find_clusters(
        problem.grids, settings, grid, mask=problem.mask, fields=["row", "col", "shared_sum"]
    )
    expected = []
    for cells, dead, event in zip(problem.grids, problem.mask, clusters.to_list(), strict=True):
        held = [held_cells(problem, cells, dead, masked, c["row"], c["col"]) for c in event]
        every = [place for window in held for place in window]
        expected.append([sum(v for place, v in w.items() if every.count(place) > 1) for w in held])

    assert clusters.shared_sum.to_list() == expected


def held_cells(problem, cells, dead, masked, row, col):
    """Return {place: value} of the cells that are added to the sum about (row, col)."""
    held = {}
    for offset in oracle.read_window(problem.sum_window):
        place = oracle.neighbour(cells.tolist(), row, col, offset, problem.periodic)
        if place is None or (dead[place] and masked == "absent"):
            continue
        value = 0 if dead[place] else int(cells[place])
        if problem.cell_threshold is None or value >= problem.cell_threshold:
            held[place] = value
    return held


@pytest.mark.parametrize(
    ("periodic", "on_edge"),
    [
        pytest.param((False, False), [[True, True, True], [True, False, True], [True, True, True]], id="open"),
        pytest.param((False, True), [[True] * 3, [False] * 3, [True] * 3], id="closed_in_columns"),
        pytest.param((True, False), [[True, False, True]] * 3, id="closed_in_rows"),
        pytest.param((True, True), [[False] * 3] * 3, id="closed_in_both"),
    ],
)
def test_a_cluster_is_on_the_edge_if_its_window_reaches_beyond(periodic, on_edge):
    for row, col in np.ndindex(3, 3):
        cells = np.zeros((3, 3), int)
        cells[row, col] = 1
        assert field_of(cells, "on_edge", None, index_grid((3, 3), periodic)) == [on_edge[row][col]]


def test_a_drawn_window_is_on_the_edge_only_where_it_has_cells():
    up = PeakSumSettings(sum_window="x\no")
    assert field_of([[0, 0], [0, 1]], "on_edge", up) == [False]
    assert field_of([[0, 1], [0, 0]], "on_edge", up) == [True]


def test_masked_cells_of_the_window_are_counted():
    dead = np.array([[True, True, False, True], [False, True, False, True]])
    cells = [[0, 0, 0, 0], [0, 0, 5, 0]]
    for masked in ("absent", "zero"):
        assert field_of(cells, "n_masked", PeakSumSettings(masked=masked), mask=dead) == [4]
        assert field_of(cells, "n_masked", PeakSumSettings(masked=masked), mask=dead & False) == [0]
    assert field_of(cells, "n_masked") == [0]


def test_masked_cells_are_counted_across_the_seam_but_not_beyond_an_edge():
    cells, dead = [[5, 0, 0, 0]], np.array([[False, False, False, True]])
    assert field_of(cells, "n_masked", mask=dead) == [0]
    assert field_of(cells, "n_masked", None, index_grid((1, 4), (False, True)), mask=dead) == [1]


def test_each_event_has_its_own_masked_cells():
    dead = np.array([[[True, False, True]], [[False, False, True]], [[False, False, False]]])
    clusters = find_clusters([[[0, 5, 0]]] * 3, mask=dead, fields=["n_masked"])
    assert clusters.n_masked.to_list() == [[2], [1], [0]]


def test_nonfinite_cells_count_as_masked():
    settings = PeakSumSettings(nonfinite="mask")
    assert field_of([[np.nan, 5.0, np.inf]], "n_masked", settings) == [2]
    assert field_of([[np.nan, 5.0, np.inf]], "n_masked", settings, mask=[[True, False, False]]) == [2]


def test_n_cells_counts_the_cells_that_were_added():
    assert field_of([[0, 5, 0], [1, 0, 0]], "n_cells") == [6]
    assert field_of([[0, 5, 0], [1, 0, 0]], "n_cells", PeakSumSettings(cell_threshold=1)) == [2]
    assert field_of([[0, 5, 0], [1, 0, 0]], "n_cells", PeakSumSettings(cell_threshold=6)) == [0]


OF_TIMES = ("time", "seed_time")  # of hits that have times, see test_times.py


def test_all_fields_can_be_computed_together():
    settings = PeakSumSettings(pileup=["chunky_donut"])
    grid = Grid(rows=ETA, cols=Axis(name="phi", bins=12, start=0, stop="2pi", periodic=True))
    names = [name for name in fields_of(grid, settings) if name not in OF_TIMES]
    noise = np.ones(grid.shape)
    clusters = find_clusters(np.ones((3, 2, *grid.shape)), settings, grid, noise=noise, fields=names)
    assert clusters.fields == names
    assert set(FIELDS) < {*names, *OF_TIMES}
    assert names[-4:] == VECTOR
    kinds = dict(zip(clusters.fields, (str(clusters[n].type).split("* ")[-1] for n in names), strict=True))
    whole = {"row", "col", "layer", "n_cells", "n_neighbours", "n_masked", "n_saturated", "n_filled"}
    assert {n for n, kind in kinds.items() if kind == "int32"} == whole
    assert {n for n, kind in kinds.items() if kind == "bool"} == {"on_edge", "at_seed"}


def test_fields_are_in_the_given_order_without_duplicates():
    clusters = find_clusters([[[1]]], fields=["n_cells", "peak_sum", "n_cells"])
    assert clusters.fields == ["n_cells", "peak_sum"]


def test_every_field_has_a_title_and_a_meaning():
    table = fields_of(named_grid("cms-l1-towers"), PeakSumSettings(pileup=["donut"]))
    assert {"donut", "net", "eta", *FIELDS} <= set(table)
    assert all(field.title and field.meaning for field in table.values())


def test_the_table_of_the_cms_trigger():
    table = fields_of(named_grid("cms-l1-towers"))
    assert list(table)[-4:] == VECTOR
    assert [table[name].axis_title for name in ("peak_sum", "row", "pt", "phi")] == [
        *("window sum [counts]", "seed row", "$p_T$ [GeV]", r"$\phi$ [rad]"),
    ]


LABELS = Grid(rows=Axis(name="eta", labels="-1, 1"), cols=Axis(name="phi", bins=3, start=0, stop="2pi"))
NAMELESS = Grid(rows=Axis(bins=2, start=-1, stop=1), cols=Axis(name="phi", bins=3, start=0, stop="2pi"))


@pytest.mark.parametrize(
    ("grid", "field", "axes"),
    [
        pytest.param(LABELS, "eta", "eta", id="labels_have_no_eta"),
        pytest.param(LABELS, "pt", "eta", id="labels_have_no_transverse_momentum"),
        pytest.param(NAMELESS, "pt", "eta", id="an_axis_without_a_name"),
        pytest.param(bare_grid((2, 3)), "pt", "eta and one named phi", id="indices"),
        pytest.param(bare_grid((2, 3)), "phi", "eta and one named phi", id="indices_have_no_azimuth"),
        pytest.param(Grid(rows=Axis(name="y", n=2), cols=Axis(name="x", n=3)), "x", "x", id="a_name_alone"),
    ],
)
def test_a_field_that_needs_positions_says_what_to_add(grid, field, axes):
    message = (
        f"^field '{field}' needs positions on an axis named {axes}: "
        "add name and edges, or bins, start and stop, to rows or cols$"
    )
    with pytest.raises(ValueError, match=message):
        find_clusters(np.ones((1, 2, 3)), None, grid, fields=["peak_sum", field])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(
            "peak_summ",
            r"^no field is called 'peak_summ' \(did you mean 'peak_sum'\?\); there are peak_sum, shared_sum, ",
            id="near",
        ),
        pytest.param("ncells", r"^no field is called 'ncells' \(did you mean 'n_cells'\?\); ", id="nearer"),
        pytest.param("E", r"^no field is called 'E' \(did you mean 'energy'\?\); ", id="another_name"),
        pytest.param("jet_flavour", r"^no field is called 'jet_flavour'; there are .* and .. more$", id="far"),
        *(
            pytest.param(name, rf"^field '{name}' is .* ask for one with pileup: \[chunky_donut\]$", id=name)
            for name in ("net", "net_pt", "net_energy")
        ),
        pytest.param("chunky_donut", r"ask for it with pileup: \[chunky_donut\]$", id="pile_up"),
    ],
)
def test_an_unavailable_field_is_refused(field, message):
    with pytest.raises(ValueError, match=message):
        find_clusters(np.ones((1, 2, 3)), fields=["peak_sum", field])
    with pytest.raises(ValueError, match=message):
        check_fields(["peak_sum", field], PeakSumSettings(), bare_grid((2, 3)))


def test_a_problem_becomes_settings_and_a_grid():
    """`settings_of` and `grid_of` pass on every part of a problem."""
    problem = Problem(
        np.zeros((1, 1, 3)), np.zeros((1, 1, 3), bool), (False, True), "=o>", (1, 3), "drawn", 1, ">=", 0.5
    )
    settings, grid = settings_of(problem), grid_of(problem)
    assert (settings.tie_rule, settings.seed_threshold, settings.cell_threshold) == ("drawn", 1, 0.5)
    assert grid.periodic == (False, True)


@pytest.mark.parametrize(
    ("keys", "is_needed"),
    [
        ({}, False),
        ({"min_seed_gap": 1}, True),
        ({"min_prominence": 1}, True),
        ({"min_neighbours": 1}, True),
        ({"sum_threshold": 1}, False),
        ({"sum_threshold": 1, "sum_threshold_on": "net", "pileup": ("donut",)}, True),
    ],
)
def test_every_cut_on_the_cells_around_a_seed_needs_them(keys, is_needed):
    assert needs_cells(("row", "peak_sum"), PeakSumSettings(**keys), bare_grid((6, 8))) == is_needed
