"""Why a cell is a seed: pictures, then the definition."""

import numpy as np
import oracle
import pytest
from clustering_problems import TWO_TOWERS, grid_of, index_grid, settings_of, sums_at_seeds
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from strategies import TIE_RULES, problems

from hep_peaksum import Axis, Grid, PeakSumSettings
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.diagnostics.explain import explain
from hep_peaksum.geometry.grid import EventError

some = runs(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


SOFT = "no seed; it does not pass the seed threshold > 3"
PASSED = "a seed; it passes the seed threshold > 3 and beats all other cells of its search window"
BEATEN = "cell (row 2, col {}) holds 7, and the seed must be > it"


@pytest.mark.parametrize(
    ("row", "col", "why"),
    [
        pytest.param(2, 2, f"holds 7: {PASSED}", id="the_shower"),
        pytest.param(4, 0, f"holds 4: {PASSED}", id="a_shower_in_the_corner"),
        pytest.param(2, 3, f"holds 7: no seed; {BEATEN.format(2)}", id="its_equal_neighbour"),
        pytest.param(2, 4, f"holds 1: {SOFT}; {BEATEN.format(3)} (it is beaten by 2 more)", id="its_tail"),
    ],
)
def test_the_reasons_in_words(row, col, why):
    text = str(explain(TWO_TOWERS, PeakSumSettings(seed_threshold=3), row=row, col=col))
    assert text == f"cell (row {row}, col {col}) {why}"


@pytest.mark.parametrize("rule", TIE_RULES)
def test_the_rule_decides_between_two_towers_that_share_a_shower(rule):
    left_wins, right_wins = rule in ("all", "first"), rule in ("all", "last", "diagonal", "lexicographic")
    left, right = (explain(TWO_TOWERS, PeakSumSettings(tie_rule=rule), row=2, col=col) for col in (2, 3))
    assert (left.is_seed, right.is_seed) == (left_wins, right_wins)
    assert left.beaten_by == (() if left_wins else ((2, 3, 7, ">"),))
    assert right.beaten_by == (() if right_wins else ((2, 2, 7, ">"),))


def test_a_neighbour_across_the_seam_is_named_by_its_own_index():
    closed = explain([[5, 0, 0, 0, 6]], None, index_grid((1, 5), (False, True)), row=0, col=0)
    assert closed.beaten_by == ((0, 4, 6, ">="),)
    assert explain([[5, 0, 0, 0, 6]], row=0, col=0).is_seed


def test_all_neighbours_and_the_deciding_one_are_reported():
    why = explain(TWO_TOWERS, row=2, col=4)
    assert why.neighbours == ((1, 3, 1, ">"), (1, 4, 0, ">"), (2, 3, 7, ">"), (3, 3, 3, ">="), (3, 4, 0, ">="))
    assert why.deciding == (2, 3, 7, ">")
    assert explain(TWO_TOWERS, row=2, col=2).deciding is None


def test_a_drawn_comparison_is_reported():
    why = explain([[3, 2, 2]], PeakSumSettings(search_window="=o>"), row=0, col=1)
    assert why.beaten_by == ((0, 0, 3, ">="), (0, 2, 2, ">"))


def test_a_threshold_with_a_unit_is_printed_as_it_was_given():
    settings = PeakSumSettings(seed_threshold="4 GeV", seed_comparison=">=")
    grid = Grid(rows=Axis(n=1), cols=Axis(n=3), quantity="et", unit="0.5 GeV")
    soft, hard = (explain([[7, 0, 8]], settings, grid, row=0, col=col) for col in (0, 2))
    assert str(soft).endswith("holds 7: no seed; it does not pass the seed threshold >= 4 GeV")
    assert hard.is_seed


@pytest.mark.parametrize("cells", [[[9, 0, 0, 4]], [[4, 0, 0, 9]]], ids=["second", "first"])
def test_the_cut_that_drops_the_cluster_of_a_seed_is_named_at_this_seed_alone(cells):
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3), sum_threshold=5, min_seed_gap=3)
    (low, high) = (0, 3) if cells[0][0] == 4 else (3, 0)
    soft, hard = (explain(cells, settings, row=0, col=col) for col in (low, high))
    assert (soft.is_seed, soft.dropped_by) == (True, ("sum_threshold >= 5 on sum",))
    assert (hard.is_seed, hard.dropped_by) == (True, ())
    assert str(soft).endswith("; its cluster is dropped by sum_threshold >= 5 on sum")
    assert explain(cells, settings, row=0, col=1).dropped_by == ()
    narrow = settings.model_copy(update={"min_seed_gap": 5})
    assert explain(cells, narrow, row=0, col=low).dropped_by == (
        "sum_threshold >= 5 on sum",
        "min_seed_gap 5",
    )


@pytest.mark.parametrize(
    ("cells", "col", "remover"),
    [
        pytest.param([9, 0, 7, 0, 8], 2, 0, id="the_higher_of_two_on_the_left"),
        pytest.param([8, 0, 7, 0, 9], 2, 4, id="the_higher_of_two_on_the_right"),
        pytest.param([9, 0, 0, 0, 0, 7, 0, 8], 5, 7, id="not_the_highest_of_all_if_it_is_far"),
        pytest.param([8, 0, 8, 0, 0], 2, 0, id="the_first_of_equal_ones"),
    ],
)
@pytest.mark.parametrize(
    "rules",
    [
        {"search_window": (1, 3), "sum_window": (1, 5), "overlap": "suppress"},
        {"search_window": "x.o.x", "sum_window": (1, 1), "tie_rule": "greedy"},
        {"search_window": (1, 3), "sum_window": (1, 5), "tie_rule": "greedy-residual"},
    ],
    ids=["suppress", "greedy", "greedy_residual"],
)
def test_the_seed_that_removes_another_is_named(cells, col, remover, rules):
    why = explain([cells], PeakSumSettings(**rules), row=0, col=col)
    if why.beaten_by:  # a greedy rule still compares with higher cells of its window
        assert rules["tie_rule"] == "greedy"
        assert why.deciding[:2] == (0, remover)
        return
    assert (why.is_seed, why.removed_by) == (False, (0, remover))
    assert f"the seed (row 0, col {remover}) was accepted before it and has it in its window" in str(why)
    assert explain([cells], PeakSumSettings(**rules), row=0, col=remover).removed_by is None


def test_the_layers_of_an_event_are_added_first():
    why = explain([[[0, 4, 1]], [[0, 1, 4]]], row=0, col=2)
    assert (why.value, why.beaten_by) == (5, ((0, 1, 5, ">"),))
    assert str(why).startswith("cell (row 0, col 2) holds 5 in the sum of 2 layers: no seed; ")


@pytest.mark.parametrize(
    "cells",
    [[[1234567, 1234568]], [[0.3, 0.1 + 0.2]], [[2**53, 2**53 + 1]]],
    ids=["counts_of_an_adc", "rounded_energies", "beyond_double_precision"],
)
def test_different_values_are_printed_differently(cells):
    why = explain(cells, row=0, col=0)
    first, second = (part.split(" holds ")[1].split(",")[0] for part in str(why).split(": no seed; "))
    assert not why.is_seed
    assert first != second


@pytest.mark.parametrize(("row", "col"), [(5, 0), (0, 5), (-1, 0), (0, -1)])
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_a_cell_outside_the_grid_is_refused(row, col, closed):
    message = rf"^there is no cell \(row {row}, col {col}\) in a grid of 5 x 5 cells: they count from 0$"
    with pytest.raises(ValueError, match=message):
        explain(TWO_TOWERS, None, index_grid((5, 5), (closed, closed)), row=row, col=col)


def test_explain_raises_the_errors_of_find_clusters():
    with pytest.raises(EventError, match=r"cell \(row 0, col 1\) is nan: mask it"):
        explain([[1, np.nan]], row=0, col=0)


def explained_seeds(grids, settings, grid):
    return {
        (n, row, col)
        for n, event in enumerate(grids)
        for row, col in np.ndindex(event.shape)
        if explain(event, settings, grid, row=row, col=col).is_seed
    }


@some
@given(problem=problems())
def test_explain_has_exactly_the_seeds_of_find_clusters(problem):
    arguments = problem.grids, settings_of(problem), grid_of(problem)
    assert explained_seeds(*arguments) == set(sums_at_seeds(*arguments))


@pytest.mark.parametrize("masked", ["absent", "zero"])
@some
@given(problem=problems(thresholds=(-10, -0.1, 0, 1)))
def test_a_masked_cell_never_seeds(masked, problem):
    cells = np.where(problem.mask, np.nan, problem.grids)
    arguments = (
        cells,
        settings_of(problem, nonfinite="mask", masked=masked),
        index_grid(cells.shape, problem.periodic),
    )
    assert explained_seeds(*arguments) == set(sums_at_seeds(*arguments))


@some
@given(problem=problems(most_events=1))
def test_the_cells_that_beat_a_cell_are_those_of_the_definition(problem):
    settings, grid = settings_of(problem), grid_of(problem)
    marks = oracle.read_window(problem.search_window)
    for event in problem.grids:
        cells = event.tolist()
        for row, col in np.ndindex(event.shape):
            expected = []
            for offset, mark in marks.items():
                place = oracle.neighbour(cells, row, col, offset, problem.periodic)
                if mark != "o" and place is not None:
                    strict = oracle.is_strict(problem.tie_rule, mark, (row, col), place, offset)
                    seed, other = cells[row][col], cells[place[0]][place[1]]
                    if other > seed or (other == seed and strict):
                        expected.append((*place, other, ">" if strict else ">="))
            why = explain(event, settings, grid, row=row, col=col)
            assert (why.row, why.col, why.value) == (row, col, cells[row][col])
            assert list(why.beaten_by) == expected


def test_a_cell_at_an_edge_is_no_seed_where_windows_must_be_whole():
    settings = PeakSumSettings(partial_search_windows=False)
    cells = [[9, 0, 0], [0, 0, 0], [0, 0, 0]]
    why = explain(cells, settings, row=0, col=0)
    assert str(why) == "cell (row 0, col 0) holds 9: no seed; its search window reaches beyond an edge"
    assert not why.is_seed
    middle = explain(cells, settings, row=1, col=1)
    assert "cell (row 0, col 0) holds 9, and the seed must be > it" in str(middle)


ISLANDS = {"group": "edges", "cell_threshold": 2, "seed_threshold": 4, "tie_rule": "all"}


@pytest.mark.parametrize(
    ("place", "more", "text"),
    [
        (
            (1, 1),
            {},
            "holds 5: a seed; it passes the seed threshold > 4 and beats all other cells of its search",
        ),
        (
            (1, 2),
            {},
            "holds 3: no seed; it does not pass the seed threshold > 4; cell (row 1, col 1) holds 5, and",
        ),
        (
            (0, 0),
            {},
            "holds 1: no seed; it does not pass the cell threshold >= 2 and belongs to no group; it does",
        ),
        (
            (0, 3),
            {},
            "holds 9: a seed; it passes the seed threshold > 4 and beats all other cells of its search",
        ),
        ((3, 3), {}, "holds 3: no seed; it does not pass the seed threshold > 4"),
        (
            (3, 3),
            {"seedless_groups": "highest"},
            "holds 3: a seed; it is the highest cell of a group without a seed",
        ),
    ],
)
def test_groups_are_explained(place, more, text):
    cells = [[1, 0, 0, 9], [0, 5, 3, 0], [0, 0, 0, 0], [0, 0, 0, 3]]
    why = explain(cells, PeakSumSettings(**ISLANDS, **more), row=place[0], col=place[1])
    assert str(why).startswith(f"cell (row {place[0]}, col {place[1]}) {text}")


@pytest.mark.parametrize("tie_rule", ["all", "none", "last", "lexicographic", "greedy", "greedy-residual"])
@pytest.mark.parametrize("more", [{}, {"seedless_groups": "highest"}, {"partial_search_windows": False}])
def test_in_groups_too_a_cell_is_a_seed_if_it_is_explained_so(tie_rule, more):
    settings = PeakSumSettings(**{**ISLANDS, "seed_threshold": 2, "tie_rule": tie_rule}, **more)
    grid = index_grid((4, 5), (False, True))
    n_seeds = 0
    for event in np.random.default_rng(2).integers(0, 5, (30, 4, 5)):
        found = find_peaks(event[None], settings, grid).peaks
        seeds = set(zip(found.row.tolist(), found.col.tolist(), strict=True))
        explained = {
            place
            for place in np.ndindex(4, 5)
            if explain(event, settings, grid, row=place[0], col=place[1]).is_seed
        }
        assert explained == seeds
        n_seeds += len(seeds)
    assert n_seeds > 15


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"max_clusters": 2}, None),
        ({"max_clusters": 1}, "its cluster is dropped by max_clusters 1 of the event, by sum"),
        ({"max_clusters": 1, "max_clusters_by": "seed"}, None),
        (
            {"max_clusters": 1, "max_clusters_by": "seed", "max_clusters_per": "half"},
            "its cluster is dropped by max_clusters 1 per half, by seed",
        ),
    ],
)
def test_a_seed_that_is_not_among_the_leading_is_explained(rules, text):
    grid = Grid(rows=Axis(n=1), cols=Axis(n=7), regions={"half": "......a"})
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3), **rules)
    why = str(explain([[6, 0, 0, 0, 4, 5, 4]], settings, grid, row=0, col=0))
    assert why.startswith("cell (row 0, col 0) holds 6: a seed; ")
    assert why.endswith("beats all other cells of its search window" if text is None else text)


@pytest.mark.parametrize(
    ("seed", "other", "shown"),
    [
        pytest.param(0.2010592520236969, 0.6425705552101135, ("0.201059", "0.642571"), id="noise"),
        pytest.param(
            0.3, np.nextafter(0.3, 1), ("0.29999999999999999", "0.30000000000000004"), id="almost_equal"
        ),
        pytest.param(1234567.0, 7654321.5, ("1234567", "7.65432e+06"), id="counts"),
        pytest.param(0.1, 0.1, ("0.1", "0.1"), id="equal"),
    ],
)
def test_values_have_as_few_digits_as_tell_them_apart(seed, other, shown):
    why = str(explain([[other, seed]], {"tie_rule": "first"}, row=0, col=1))
    assert why.startswith(f"cell (row 0, col 1) holds {shown[0]}: no seed; ")
    assert f"cell (row 0, col 0) holds {shown[1]}, and the seed must be > it" in why
