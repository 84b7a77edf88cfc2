"""Why a cell is a seed, what the tie rule does, where two settings differ: pictures, then the definition."""

import re

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from strategies import THRESHOLDS, TIE_RULES, problems, windows

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.diagnostics.compare import Comparison, compare
from hep_peaksum.diagnostics.explain import explain
from hep_peaksum.diagnostics.ties import TieAudit, audit_ties
from hep_peaksum.geometry.grid import EventError

some = runs(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def plane(shape, periodic=(False, False)):
    """Return a grid of bare indices that closes on itself where it is said."""
    (n_rows, n_cols), (rows, cols) = shape[-2:], periodic
    return Grid(rows=Axis(n=n_rows, periodic=rows), cols=Axis(n=n_cols, periodic=cols))


def knobs(problem, **more):
    """Return the settings that ask what the problem asks."""
    return PeakSumSettings(
        search_window=problem.search_window,
        sum_window=problem.sum_window,
        tie_rule=problem.tie_rule,
        seed_threshold=problem.threshold,
        seed_comparison=problem.comparison,
        cell_threshold=problem.cell_threshold,
        kernel="scipy",
        **more,
    )


def sums_at_seeds(grids, settings, grid):
    """Return {(event, row, col): sum} of all clusters that are found."""
    clusters = find_clusters(grids, settings, grid, fields=["row", "col", "peak_sum"]).to_list()
    return {(n, c["row"], c["col"]): c["peak_sum"] for n, event in enumerate(clusters) for c in event}


# ------------------------------------------------------------------------------------------- explain: pictures

TWO_TOWERS = [
    [0, 0, 0, 0, 0],
    [0, 1, 2, 1, 0],
    [0, 0, 7, 7, 1],
    [0, 0, 0, 3, 0],
    [4, 0, 0, 0, 0],
]

SOFT = "no seed; it does not pass the seed threshold > 3"
PASSED = "a seed; it passes the seed threshold > 3 and beats its search window"
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
def test_the_reasons_are_told_in_words(row, col, why):
    told = str(explain(TWO_TOWERS, PeakSumSettings(seed_threshold=3), row=row, col=col))
    assert told == f"cell (row {row}, col {col}) {why}"


@pytest.mark.parametrize("rule", TIE_RULES)
def test_the_rule_decides_between_two_towers_that_share_a_shower(rule):
    left_wins, right_wins = rule in ("all", "first"), rule in ("all", "last", "diagonal", "lexicographic")
    left, right = (explain(TWO_TOWERS, PeakSumSettings(tie_rule=rule), row=2, col=col) for col in (2, 3))
    assert (left.is_seed, right.is_seed) == (left_wins, right_wins)
    assert left.beaten_by == (() if left_wins else ((2, 3, 7, ">"),))
    assert right.beaten_by == (() if right_wins else ((2, 2, 7, ">"),))


def test_a_neighbour_across_the_seam_is_named_where_it_is():
    closed = explain([[5, 0, 0, 0, 6]], None, plane((1, 5), (False, True)), row=0, col=0)
    assert closed.beaten_by == ((0, 4, 6, ">="),)
    assert explain([[5, 0, 0, 0, 6]], row=0, col=0).is_seed


def test_all_neighbours_are_told_and_the_one_that_decides():
    why = explain(TWO_TOWERS, row=2, col=4)
    assert why.neighbours == ((1, 3, 1, ">"), (1, 4, 0, ">"), (2, 3, 7, ">"), (3, 3, 3, ">="), (3, 4, 0, ">="))
    assert why.deciding == (2, 3, 7, ">")
    assert explain(TWO_TOWERS, row=2, col=2).deciding is None


def test_a_drawn_comparison_is_the_one_that_is_told():
    why = explain([[3, 2, 2]], PeakSumSettings(search_window="=o>"), row=0, col=1)
    assert why.beaten_by == ((0, 0, 3, ">="), (0, 2, 2, ">"))


def test_a_threshold_with_a_unit_is_told_as_it_was_given():
    settings = PeakSumSettings(seed_threshold="4 GeV", seed_comparison=">=")
    grid = Grid(rows=Axis(n=1), cols=Axis(n=3), quantity="et", unit="0.5 GeV")
    soft, hard = (explain([[7, 0, 8]], settings, grid, row=0, col=col) for col in (0, 2))
    assert str(soft).endswith("holds 7: no seed; it does not pass the seed threshold >= 4 GeV")
    assert hard.is_seed


def test_the_layers_of_an_event_are_added_first():
    why = explain([[[0, 4, 1]], [[0, 1, 4]]], row=0, col=2)
    assert (why.value, why.beaten_by) == (5, ((0, 1, 5, ">"),))


@pytest.mark.parametrize(
    "cells",
    [[[1234567, 1234568]], [[0.3, 0.1 + 0.2]], [[2**53, 2**53 + 1]]],
    ids=["counts_of_an_adc", "rounded_energies", "beyond_double_precision"],
)
def test_two_values_that_differ_are_told_apart(cells):
    why = explain(cells, row=0, col=0)
    first, second = (part.split(" holds ")[1].split(",")[0] for part in str(why).split(": no seed; "))
    assert not why.is_seed
    assert first != second


@pytest.mark.parametrize(("row", "col"), [(5, 0), (0, 5), (-1, 0), (0, -1)])
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_a_cell_outside_the_grid_is_refused(row, col, closed):
    message = rf"^there is no cell \(row {row}, col {col}\) in a grid of 5 x 5 cells$"
    with pytest.raises(ValueError, match=message):
        explain(TWO_TOWERS, None, plane((5, 5), (closed, closed)), row=row, col=col)


def test_what_find_clusters_refuses_is_refused():
    with pytest.raises(EventError, match=r"cell \(row 0, col 1\) is nan: mask it"):
        explain([[1, np.nan]], row=0, col=0)


# ----------------------------------------------------------------------------------------------- explain: laws


def explained_seeds(grids, settings, grid):
    return {
        (n, row, col)
        for n, event in enumerate(grids)
        for row, col in np.ndindex(event.shape)
        if explain(event, settings, grid, row=row, col=col).is_seed
    }


@some
@given(problem=problems())
def test_a_cell_is_told_to_be_a_seed_exactly_if_it_is_found_as_one(problem):
    asked = problem.grids, knobs(problem), plane(problem.grids.shape, problem.periodic)
    assert explained_seeds(*asked) == set(sums_at_seeds(*asked))


@pytest.mark.parametrize("masked", ["absent", "zero"])
@some
@given(problem=problems(thresholds=(-10, -0.1, 0, 1)))
def test_a_dead_cell_is_never_told_to_be_a_seed(masked, problem):
    cells = np.where(problem.mask, np.nan, problem.grids)
    asked = cells, knobs(problem, nonfinite="mask", masked=masked), plane(cells.shape, problem.periodic)
    assert explained_seeds(*asked) == set(sums_at_seeds(*asked))


@some
@given(problem=problems(most_events=1))
def test_exactly_the_cells_of_the_window_that_win_are_named(problem):
    settings, grid = knobs(problem), plane(problem.grids.shape, problem.periodic)
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


# -------------------------------------------------------------------------------------------------- audit_ties


@pytest.mark.parametrize("turned", [False, True], ids=["closed_cols", "closed_rows"])
def test_a_closed_ring_of_equal_cells_is_lost_by_the_rules_of_direction(turned):
    ring = np.array([[[0] * 6, [3] * 6, [0] * 6]])
    cells = ring.swapaxes(1, 2) if turned else ring
    audit = audit_ties(cells, None, plane(cells.shape, (turned, not turned)))
    assert (audit.n_events, audit.n_dependent, audit.n_groups) == (1, 1, 1)
    assert audit.n_lost == {"all": 0, "none": 1, "first": 0, "last": 0, "diagonal": 1, "lexicographic": 1}
    assert audit.n_seeds == {"all": 6, "none": 0, "first": 1, "last": 1, "diagonal": 0, "lexicographic": 0}
    assert audit_ties(cells).n_lost == {**dict.fromkeys(TIE_RULES, 0), "none": 1}


RINGS = {
    "straight": ([[0] * 5, [3] * 5, [0] * 5], "cols", ("diagonal", "lexicographic")),
    "one_row_of_two": ([[2] * 5, [2] * 5, [0] * 5], "cols", ("diagonal", "lexicographic")),
    "wavy": ([[3, 0, 0, 0, 3], [0, 3, 0, 3, 0], [0, 0, 3, 0, 0]], None, ()),
    "broken": ([[0] * 5, [3, 3, 3, 3, 0], [0] * 5], None, ()),
    "beside_a_higher_cell": ([[0] * 5, [3] * 5, [0, 0, 4, 0, 0]], None, ()),
}


@pytest.mark.parametrize("kind", RINGS)
def test_closed_rings_are_named(kind):
    cells, axis, lost_by = RINGS[kind]
    audit = audit_ties([np.zeros((3, 5)), cells], None, plane((3, 5), (False, True)))
    assert audit.n_rings == len(audit.rings) == (axis is not None)
    for ring in audit.rings:
        n_cells = int(np.count_nonzero(cells))
        first = np.argwhere(cells)[0].tolist()
        assert ring == (1, *first, n_cells, np.max(cells), axis, lost_by, 0)
    assert audit_ties([cells]).n_rings == 0


def test_a_torus_of_equal_cells_closes_both_ways():
    (ring,) = audit_ties(np.ones((1, 4, 4)), None, plane((4, 4), (True, True))).rings
    assert (ring.n_cells, ring.axis) == (16, "rows and cols")


def test_a_ring_that_only_jumps_closes():
    settings = PeakSumSettings(search_window="x.o.x")  # goes twice around before it meets itself
    (ring,) = audit_ties([[[7] * 5]], settings, plane((1, 5), (False, True))).rings
    assert (ring.n_cells, ring.axis) == (5, "cols")


@some
@given(problem=problems())
def test_rings_are_groups_that_a_rule_of_direction_loses(problem):
    audit = audit_ties(problem.grids, knobs(problem), plane(problem.grids.shape, problem.periodic))
    for rule in ("diagonal", "lexicographic"):
        assert sum(rule in ring.lost_by for ring in audit.rings) <= audit.n_lost[rule]
    assert all(ring.lost_by for ring in audit.rings)
    assert audit.n_rings == 0 or any(problem.periodic)
    assert audit.n_common <= min(audit.n_seeds.values())


@some
@given(problem=problems(), cut=st.integers(0, 3))
def test_blocks_of_events_are_audited_and_compared_as_the_whole(problem, cut):
    settings, grid = knobs(problem), plane(problem.grids.shape, problem.periodic)
    blocks = [problem.grids[:cut], problem.grids[cut:]]
    whole = audit_ties(problem.grids, settings, grid)
    assert TieAudit.joined([audit_ties(block, settings, grid) for block in blocks]) == whole
    other = settings.model_copy(update={"sum_window": (1, 1)})
    whole = compare(problem.grids, settings, other, grid)
    joined = Comparison.joined([compare(block, settings, other, grid) for block in blocks])
    assert [np.asarray(column).tolist() for column in joined] == [
        np.asarray(column).tolist() for column in whole
    ]


def test_a_masked_cell_ties_with_nobody():
    cells, mask = [[[0, 2, 2, 0]]], [[False, True, False, False]]
    assert audit_ties(cells, mask=mask).n_dependent == 0
    both = compare(cells, PeakSumSettings(tie_rule="all"), PeakSumSettings(), mask=mask)
    assert (both.n_matched, both.n_only_a, both.col.tolist()) == (1, 0, [2])


def test_noise_scales_the_thresholds():
    cells, noise, settings = [[[5, 0, 5, 5]]], [[1, 1, 1, 3]], PeakSumSettings(seed_threshold="4 sigma")
    assert audit_ties(cells, settings, noise=noise).n_seeds["all"] == 2
    both = compare(cells, settings, PeakSumSettings(tie_rule="all"), noise=noise)
    assert (both.in_a.tolist(), both.in_b.tolist()) == ([True, True, False], [True, True, True])


def test_layers_are_audited_and_compared_one_by_one():
    cells = [[[[0, 2, 2, 0]], [[0, 2, 0, 1]]], [[[3, 0, 0, 0]], [[0, 0, 0, 0]]]]
    audit = audit_ties(cells, layers="each")
    assert (audit.n_events, audit.n_dependent, audit.n_seeds["all"], audit.n_seeds["first"]) == (2, 1, 5, 4)
    both = compare(cells, PeakSumSettings(tie_rule="all"), PeakSumSettings(), layers="each")
    assert both.event.tolist() == [0, 0, 0, 0, 1]
    assert both.layer.tolist() == [0, 0, 1, 1, 0]
    assert (both.n_events, both.in_b.tolist()) == (2, [True, False, True, True, True])


def test_only_events_with_ties_depend_on_the_rule():
    audit = audit_ties([TWO_TOWERS, [[0] * 5] * 5, np.diag([5, 0, 4, 0, 3]), TWO_TOWERS])
    assert (audit.n_events, audit.n_dependent, audit.n_groups, audit.fraction_dependent) == (4, 2, 2, 0.5)
    assert audit.n_seeds["all"] - audit.n_seeds["first"] == audit.n_seeds["first"] - audit.n_seeds["none"] == 2


def test_without_events_nothing_depends_and_nothing_differs():
    audit = audit_ties(np.zeros((0, 3, 3)))
    assert (audit.n_events, audit.n_dependent, audit.n_groups, audit.fraction_dependent) == (0, 0, 0, 0.0)
    assert audit.n_seeds == audit.n_lost == dict.fromkeys(TIE_RULES, 0)
    both = compare(np.zeros((0, 3, 3)), PeakSumSettings(), PeakSumSettings(tie_rule="all"))
    assert (len(both.event), both.n_matched, both.n_only_a, both.n_only_b) == (0, 0, 0, 0)


@some
@given(problem=problems())
def test_the_audit_counts_what_find_clusters_finds_with_every_rule(problem):
    grid = plane(problem.grids.shape, problem.periodic)
    window = problem.search_window
    alike = re.sub("[>=]", "x", window) if isinstance(window, str) else window
    seeds = {}
    for rule in TIE_RULES:
        ruled = knobs(problem.given(search_window=alike, tie_rule=rule))
        seeds[rule] = set(sums_at_seeds(problem.grids, ruled, grid))
    by_event = [
        [{s for s in found if s[0] == n} for found in seeds.values()] for n in range(len(problem.grids))
    ]
    dependent = [any(found != sets[0] for found in sets) for sets in by_event]
    groups = [group for group in tied_groups(problem, seeds["all"]) if len(group) > 1]
    audit = audit_ties(problem.grids, knobs(problem), grid)

    assert audit.n_seeds == {rule: len(found) for rule, found in seeds.items()}
    assert (audit.n_events, audit.n_dependent) == (len(problem.grids), sum(dependent))
    assert audit.n_groups == len(groups)
    assert audit.n_lost == {rule: sum(not group & found for group in groups) for rule, found in seeds.items()}


def tied_groups(problem, seeds):
    """Return the sets of equal seeds that hang together through their search windows."""
    groups = [{seed} for seed in sorted(seeds)]
    for n, row, col in sorted(seeds):
        cells = problem.grids[n].tolist()
        for offset in oracle.read_window(problem.search_window):
            place = oracle.neighbour(cells, row, col, offset, problem.periodic)
            if place and (n, *place) in seeds and cells[place[0]][place[1]] == cells[row][col]:
                joined = [group for group in groups if group & {(n, row, col), (n, *place)}]
                groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return groups


# ----------------------------------------------------------------------------------------------------- compare


def test_clusters_are_matched_by_their_seed():
    loose = PeakSumSettings(search_window=(1, 3), tie_rule="all")
    both = compare([TWO_TOWERS], loose, PeakSumSettings(sum_window=(1, 1), seed_threshold=3))
    places = list(zip(both.event.tolist(), both.row.tolist(), both.col.tolist(), strict=True))
    assert places == [(0, 1, 2), (0, 2, 2), (0, 2, 3), (0, 3, 3), (0, 4, 0)]
    assert both.sum_a.tolist() == [18, 21, 21, 18, 4]
    assert both.in_b.tolist() == [False, True, False, False, True]
    assert both.sum_b.tolist() == [0, 7, 0, 0, 4]
    assert (both.n_matched, both.n_only_a, both.n_only_b, both.n_different_sums) == (2, 3, 0, 1)


def test_sums_that_only_integers_tell_apart_are_different():
    both = compare([[[2**53, 1]]], PeakSumSettings(sum_window=(1, 1)), PeakSumSettings())
    assert (both.n_matched, both.n_different_sums) == (1, 1)


def test_energies_differ_in_gev():
    grid = plane((3, 3)).model_copy(update={"unit": 0.5})
    cells = [[[0, 0, 0], [0, 6, 2], [0, 0, 0]], [[0, 0, 0], [0, 6, 0], [0, 0, 0]]]
    both = compare(cells, PeakSumSettings(), PeakSumSettings(sum_window=(1, 1)), grid)
    assert both.differences.tolist() == [-1.0, 0.0]
    assert (both.mean_difference, both.largest_difference) == (-0.5, -1.0)
    assert both.rms_difference == pytest.approx(np.sqrt(0.5))


def test_divided_and_whole_sums_are_compared_as_they_are():
    cells = [[[4, 3, 5]]]
    shared, divided = (
        PeakSumSettings(search_window=(1, 1)),
        PeakSumSettings(search_window=(1, 1), overlap="equal"),
    )
    both = compare(cells, shared, divided)
    assert both.sum_a.tolist() == [7, 12, 8]
    assert both.sum_b.tolist() == [3.0, 5.5, 3.5]
    assert both.sum_b.dtype == np.float64


def test_towers_of_different_size_are_not_matched():
    with pytest.raises(ValueError, match="one searches towers of 1 x 1 cells, the other of 2 x 2: give both"):
        compare(np.ones((1, 4, 4)), PeakSumSettings(), PeakSumSettings(coarsen=(2, 2)))


def test_unmatched_clusters_are_listed_in_the_order_of_events():
    both = compare([TWO_TOWERS, TWO_TOWERS], PeakSumSettings(tie_rule="all"), PeakSumSettings())
    assert [(int(both.event[n]), int(both.col[n])) for n in both.unmatched(5)] == [(0, 3), (1, 3)]
    assert both.unmatched(1) == both.unmatched(5)[:1]


def test_a_cluster_that_is_not_kept_is_not_compared():
    both = compare([[[9, 0, 0, 5]]], PeakSumSettings(max_clusters=1), PeakSumSettings())
    assert (both.n_matched, both.n_only_a, both.n_only_b) == (1, 0, 1)


@some
@given(problem=problems(), data=st.data())
def test_the_comparison_is_the_union_of_what_each_finds(problem, data):
    shape = problem.grids.shape[1:]
    other = problem.given(
        search_window=data.draw(windows(shape, problem.periodic)),
        sum_window=data.draw(windows(shape, problem.periodic)),
        tie_rule=data.draw(st.sampled_from(TIE_RULES)),
        threshold=data.draw(st.sampled_from(THRESHOLDS)),
    )
    grid = plane(shape, problem.periodic)
    a, b = (sums_at_seeds(problem.grids, knobs(each), grid) for each in (problem, other))
    both = compare(problem.grids, knobs(problem), knobs(other), grid)
    places = list(zip(both.event.tolist(), both.row.tolist(), both.col.tolist(), strict=True))

    assert places == sorted(a.keys() | b.keys())
    for inside, sums, found in ((both.in_a, both.sum_a, a), (both.in_b, both.sum_b, b)):
        told = zip(places, inside.tolist(), sums.tolist(), strict=True)
        assert {at: total for at, is_found, total in told if is_found} == found
    assert (both.n_only_a, both.n_only_b) == (len(a.keys() - b.keys()), len(b.keys() - a.keys()))
    assert both.n_matched + both.n_only_a + both.n_only_b == len(places)
    assert both.n_different_sums == sum(a[at] != b[at] for at in a.keys() & b.keys())


@some
@given(problem=problems())
def test_settings_do_not_differ_from_themselves(problem):
    settings, grid = knobs(problem), plane(problem.grids.shape, problem.periodic)
    both = compare(problem.grids, settings, settings, grid)
    assert both.n_matched == len(both.event) == len(sums_at_seeds(problem.grids, settings, grid))
    assert (both.n_only_a, both.n_only_b, both.n_different_sums) == (0, 0, 0)
