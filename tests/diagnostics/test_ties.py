"""How much depends on the tie rule: closed rings, then the seeds of `find_clusters` under every rule."""

import re

import numpy as np
import oracle
import pytest
from clustering_problems import (
    TWO_TOWERS,
    grid_of,
    index_grid,
    settings_of,
    sums_at_seeds,
)
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from strategies import TIE_RULES, problems

from hep_peaksum import PeakSumSettings
from hep_peaksum.diagnostics.compare import Comparison, compare
from hep_peaksum.diagnostics.ties import TieAudit, audit_ties

some = runs(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("turned", [False, True], ids=["closed_cols", "closed_rows"])
def test_directional_rules_lose_a_closed_ring_of_equal_cells(turned):
    ring = np.array([[[0] * 6, [3] * 6, [0] * 6]])
    cells = ring.swapaxes(1, 2) if turned else ring
    audit = audit_ties(cells, None, index_grid(cells.shape, (turned, not turned)))
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
def test_closed_rings_are_listed(kind):
    cells, axis, lost_by = RINGS[kind]
    audit = audit_ties([np.zeros((3, 5)), cells], None, index_grid((3, 5), (False, True)))
    assert audit.n_rings == len(audit.rings) == (axis is not None)
    for ring in audit.rings:
        n_cells = int(np.count_nonzero(cells))
        first = np.argwhere(cells)[0].tolist()
        assert ring == (1, *first, n_cells, np.max(cells), axis, lost_by, 0)
    assert audit_ties([cells]).n_rings == 0


def test_a_torus_of_equal_cells_closes_both_ways():
    (ring,) = audit_ties(np.ones((1, 4, 4)), None, index_grid((4, 4), (True, True))).rings
    assert (ring.n_cells, ring.axis) == (16, "rows and cols")


def test_a_ring_that_only_jumps_closes():
    settings = PeakSumSettings(search_window="x.o.x")  # goes twice around before it meets itself
    (ring,) = audit_ties([[[7] * 5]], settings, index_grid((1, 5), (False, True))).rings
    assert (ring.n_cells, ring.axis) == (5, "cols")


@some
@given(problem=problems())
def test_rings_are_groups_that_a_directional_rule_loses(problem):
    audit = audit_ties(problem.grids, settings_of(problem), grid_of(problem))
    for rule in ("diagonal", "lexicographic"):
        assert sum(rule in ring.lost_by for ring in audit.rings) <= audit.n_lost[rule]
    assert all(ring.lost_by for ring in audit.rings)
    assert audit.n_rings == 0 or any(problem.periodic)
    assert audit.n_common <= min(audit.n_seeds.values())


@some
@given(problem=problems(), cut=st.integers(0, 3))
def test_joined_blocks_give_the_audit_and_comparison_of_the_whole(problem, cut):
    settings, grid = settings_of(problem), grid_of(problem)
    blocks = [problem.grids[:cut], problem.grids[cut:]]
    whole = audit_ties(problem.grids, settings, grid)
    assert TieAudit.joined([audit_ties(block, settings, grid) for block in blocks]) == whole
    other = settings.model_copy(update={"sum_window": (1, 1)})
    whole = compare(problem.grids, settings, other, grid)
    joined = Comparison.joined([compare(block, settings, other, grid) for block in blocks])
    assert [np.asarray(column).tolist() for column in joined] == [
        np.asarray(column).tolist() for column in whole
    ]


def test_a_ring_in_a_later_block_is_that_of_its_event():
    plain, ring = [[1, 2, 3, 2]], [[5, 5, 5, 5]]
    grid = index_grid((1, 4), (False, True))
    audit = TieAudit.joined([audit_ties(block, None, grid) for block in ([plain, plain, ring], [plain, ring])])
    assert [(each.event, each.value) for each in audit.rings] == [(2, 5), (4, 5)]


def test_a_masked_cell_ties_with_no_other():
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


@pytest.mark.parametrize(("cells", "n_groups"), [([[2, 0], [0, 2]], 1), ([[0, 2], [2, 0]], 0)])
def test_only_cells_in_the_window_of_each_other_are_tied(cells, n_groups):
    audit = audit_ties([cells], {"search_window": "x..\n.o.\n..x"})
    assert (audit.n_groups, audit.n_dependent, audit.n_seeds["first"]) == (n_groups, n_groups, 2 - n_groups)


def test_an_event_with_ties_in_two_layers_is_one_event_that_depends():
    tie, none = [[0, 2, 2, 0]], [[0, 3, 0, 1]]
    audit = audit_ties([[tie, tie], [none, none], [none, tie]], layers="each")
    assert (audit.n_events, audit.n_dependent, audit.n_groups) == (3, 2, 3)


def test_a_closed_ring_in_the_second_layer_is_listed_there():
    ring, none = [[3] * 5], [[0] * 5]
    audit = audit_ties([[none] * 3, [none, ring, none]], None, index_grid((1, 5), (False, True)), layers="each")
    assert audit.rings == ((1, 0, 0, 5, 3, "cols", ("diagonal", "lexicographic"), 1),)


def test_rings_are_in_the_order_of_events_layers_and_rows():
    upper, lower = [[3] * 5, [0] * 5, [0] * 5], [[0] * 5, [0] * 5, [4] * 5]
    both = [[3] * 5, [0] * 5, [4] * 5]
    audit = audit_ties([[both, upper], [lower, upper]], None, index_grid((3, 5), (False, True)), layers="each")
    places = [(ring.event, ring.layer, ring.row, ring.value) for ring in audit.rings]
    assert places == [(0, 0, 0, 3), (0, 0, 2, 4), (0, 1, 0, 3), (1, 0, 2, 4), (1, 1, 0, 3)]


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
    grid = grid_of(problem)
    window = problem.search_window
    alike = re.sub("[>=]", "x", window) if isinstance(window, str) else window
    seeds = {}
    for rule in TIE_RULES:
        ruled = settings_of(problem.given(search_window=alike, tie_rule=rule))
        seeds[rule] = set(sums_at_seeds(problem.grids, ruled, grid))
    by_event = [
        [{s for s in places if s[0] == n} for places in seeds.values()] for n in range(len(problem.grids))
    ]
    dependent = [any(places != sets[0] for places in sets) for sets in by_event]
    groups = [group for group in tied_groups(problem, seeds["all"]) if len(group) > 1]
    audit = audit_ties(problem.grids, settings_of(problem), grid)

    assert audit.n_seeds == {rule: len(places) for rule, places in seeds.items()}
    assert (audit.n_events, audit.n_dependent) == (len(problem.grids), sum(dependent))
    assert audit.n_groups == len(groups)
    assert audit.n_lost == {rule: sum(not group & places for group in groups) for rule, places in seeds.items()}


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
