"""Hits searched where they lie: the same clusters, bit by bit, as from the dense grids they fill."""

import itertools

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import bits

from hep_peaksum import PeakSumSettings, block_sizes, find_clusters, from_hits, sparse
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Periodic, Rule, get_kernel

often = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
sometimes = settings(often, max_examples=25)


@st.composite
def jagged_hits(draw):
    """Row, column and energy of a few events on a small plane; some in one cell, some outside it."""
    energies = st.integers(-2, 9) if draw(st.booleans()) else st.sampled_from([-1.5, 0.1, 0.2, 0.3, 1e9, 2.5])
    hit = st.tuples(st.integers(-1, 6), st.integers(0, 10), energies)
    events = draw(st.lists(st.lists(hit, max_size=60), min_size=1, max_size=4))
    counts = [len(event) for event in events]
    columns = list(zip(*(hit for event in events for hit in event), strict=True)) or [[], [], []]
    return tuple(
        ak.unflatten(ak.Array(np.array(column, None if column else int)), counts) for column in columns
    )


PLANES = [
    Grid(rows=Axis(n=6, periodic=rows), cols=Axis(n=10, periodic=cols))
    for rows in (False, True)
    for cols in (False, True)
]
SETTINGS = [
    {"seed_threshold": 1},
    {"seed_threshold": 0.1, "seed_comparison": ">=", "tie_rule": "all"},
    {"seed_threshold": 2, "tie_rule": "none", "sum_window": (5, 3)},
    {"seed_threshold": 1, "tie_rule": "last", "cell_threshold": 0.2},
    {"seed_threshold": 1, "tie_rule": "diagonal", "search_window": (3, 5), "max_clusters": 2},
    {"seed_threshold": 1, "tie_rule": "greedy", "overlap": "suppress"},
    {"seed_threshold": 1, "sum_threshold": 5, "order": "position"},
    {"seed_threshold": 1, "search_window": "x.x\n.o.\nx.x", "sum_window": (1, 1)},
    # here grids are looked at, and have to be made
    {"seed_threshold": -1},
    {"seed_threshold": 1, "overlap": "highest"},
    {"seed_threshold": 1, "pileup": ("ring_median",)},
    {"seed_threshold": 1, "tie_rule": "greedy-residual"},
    {"seed_threshold": 1, "coarsen": (2, 2)},
    {"seed_threshold": 1, "seed_window": (3, 3)},
]


HOW = {"hits": jagged_hits(), "plane": st.sampled_from(PLANES), "how": st.sampled_from(SETTINGS)}


@sometimes
@given(**HOW)
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_hits_give_the_same_clusters_as_their_dense_grids(kernel, hits, plane, how):
    assert_same_clusters(kernel, hits, plane, how)


@pytest.mark.slow
@often
@given(**HOW)
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_many_hits_give_the_same_clusters_as_their_dense_grids(kernel, hits, plane, how):
    assert_same_clusters(kernel, hits, plane, how)


def assert_same_clusters(kernel, hits, plane, how):
    how = PeakSumSettings.model_validate({**how, "kernel": kernel})
    found, expected = (
        find_clusters(cells, how, plane) for cells in (sparse(*hits, plane), from_hits(*hits, plane))
    )

    assert found.to_list() == expected.to_list()
    assert found.type.content == expected.type.content


@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@sometimes
@given(hits=jagged_hits())
def test_some_fields_are_the_same_for_hits_and_grids(hits):
    assert_same_fields(hits)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@often
@given(hits=jagged_hits())
def test_fields_that_need_cells_are_the_same_for_hits_and_grids(hits):
    assert_same_fields(hits)


def assert_same_fields(hits):
    fields = ("peak_sum", "seed_gap", "e1_e9", "shared_sum", "prominence", "barycentre_row")
    how, plane = PeakSumSettings(seed_threshold=1), bare_grid((6, 8))
    found, expected = (
        find_clusters(cells, how, plane, fields=fields)
        for cells in (sparse(*hits, plane), from_hits(*hits, plane))
    )
    assert ak.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8", "int64"])
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_hits_of_every_type_are_added_as_the_widest(kernel, dtype):
    """0.1 three times is not three times 0.1, and not what float32 adds; 200 + 100 does not fit into a byte."""
    value = [0.1, 0.1, 0.1, 200.7, 100.9] if "f" in dtype else [1, 1, 1, 200, 100]
    energy = ak.unflatten(np.array(value, dtype), [5])
    hits = sparse(ak.Array([[0, 0, 0, 1, 1]]), ak.Array([[0, 0, 0, 3, 3]]), energy, bare_grid((2, 5)))
    how = PeakSumSettings(seed_threshold=0.05, sum_window=(1, 1), kernel=kernel)
    (clusters,) = find_clusters(hits, how).to_list()

    number = float if "f" in dtype else int
    first, second, third, fourth, fifth = (number(v) for v in ak.flatten(energy))
    expected = [(1, 3, fourth + fifth), (0, 0, first + second + third)]
    assert [(found["row"], found["col"], found["peak_sum"]) for found in clusters] == expected
    assert [type(found["peak_sum"]) for found in clusters] == [number, number]


def test_hits_placed_in_blocks_are_the_same(monkeypatch):
    """New memory is filled with a cell of the plane, for it may still hold the right answer of another call."""
    random = np.random.default_rng(4)
    plane = Grid(rows=Axis(labels="-3..-1, 1..3"), cols=Axis(bins=8, start=0, stop=4))
    counts = random.integers(0, 9, 20)
    columns = (
        random.integers(-4, 5, counts.sum()),
        random.uniform(-0.5, 5, counts.sum()),
        random.random(counts.sum()),
    )
    labels, events = [-3, -2, -1, 1, 2, 3], np.repeat(np.arange(20), counts).tolist()
    inside = [
        (event, labels.index(row) * 8 + int(col // 0.5), value)
        for event, row, col, value in zip(events, *(column.tolist() for column in columns), strict=True)
        if row in labels and 0 <= col < 4
    ]
    empty = np.empty

    def poisoned(*arguments, **options):
        memory = empty(*arguments, **options)
        memory.fill(47)
        return memory

    monkeypatch.setattr(np, "empty", poisoned)
    monkeypatch.setattr(block_sizes, "HITS", 7)
    placed = sparse(*(ak.unflatten(column, counts) for column in columns), plane)

    assert placed.n_outside == counts.sum() - len(inside) > 5
    assert placed.cell.tolist() == [cell for _, cell, _ in inside]
    assert placed.value.tolist() == [value for _, _, value in inside]
    n_inside = [sum(event == n for event, _, _ in inside) for n in range(20)]
    assert placed.event_offsets.tolist() == [0, *np.cumsum(n_inside).tolist()]


def test_no_dense_grid_is_made(monkeypatch):
    def dense(self):
        raise AssertionError

    monkeypatch.setattr(Hits, "dense", dense)
    hits = sparse(ak.Array([[1, 1], []]), ak.Array([[1, 2], []]), ak.Array([[5, 3], []]), bare_grid((200, 300)))
    assert find_clusters(hits, PeakSumSettings(seed_threshold=1)).peak_sum.to_list() == [[8], []]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_hit_that_is_not_finite_is_named_by_event_and_cell(value):
    hits = sparse(
        ak.Array([[0], [1, 0]]), ak.Array([[0], [2, 0]]), ak.Array([[1.0], [value, 2.0]]), bare_grid((2, 3))
    )
    with pytest.raises(EventError, match=r"event 1: cell \(row 1, col 2\) is"):
        find_clusters(hits, PeakSumSettings(seed_threshold=1))


@pytest.mark.parametrize("n_hits", [1, 63, 2000])
def test_seeds_of_a_large_plane_come_in_the_order_of_their_cells(n_hits):
    """Hits in no order, some in one cell; more cells than 64 words of 64 bits."""
    random, plane = np.random.default_rng(n_hits), bare_grid((240, 128))
    row, col, energy = (random.integers(0, n, (20, n_hits)) for n in (240, 128, 9))
    row[:, ::7], col[:, ::7] = 239, 127  # the last cell of all
    jagged = [ak.Array(column.tolist()) for column in (row, col, energy)]
    how = PeakSumSettings(seed_threshold=1, order="position")
    of_hits, of_grids = (
        find_clusters(cells, how, plane) for cells in (sparse(*jagged, plane), from_hits(*jagged, plane))
    )
    assert of_hits.to_list() == of_grids.to_list()
    assert 0 < ak.count(of_hits.peak_sum) <= 20 * n_hits


@pytest.mark.parametrize("cell_threshold", [None, 3])
@pytest.mark.parametrize("how_they_lie", ["rising", "rising, in pairs", "falling", "rising but the last"])
def test_the_order_of_hits_does_not_matter(how_they_lie, cell_threshold):
    random, plane = np.random.default_rng(7), bare_grid((40, 30))
    events = []
    for _ in range(30):
        cell = np.sort(random.choice(1200, 400, replace=False))
        cell = np.repeat(cell[::2], 2) if how_they_lie == "rising, in pairs" else cell
        cell = cell[::-1] if how_they_lie == "falling" else cell
        events.append(np.roll(cell, 1) if how_they_lie == "rising but the last" else cell)
    cell, value = np.concatenate(events), random.integers(1, 9, 30 * 400)
    jagged = [ak.unflatten(column, [400] * 30) for column in (cell // 30, cell % 30, value)]
    how = PeakSumSettings(seed_threshold=4, cell_threshold=cell_threshold, order="position")
    of_hits, of_grids = (
        find_clusters(cells, how, plane) for cells in (sparse(*jagged, plane), from_hits(*jagged, plane))
    )
    assert of_hits.to_list() == of_grids.to_list()
    assert ak.count(of_hits.peak_sum) > 30


def test_many_events_with_more_hits_than_cells_leave_nothing_behind():
    random = np.random.default_rng(1)
    counts = random.integers(0, 200, 500)
    cell, value = random.integers(0, 48, counts.sum()), random.integers(0, 9, counts.sum())
    first = np.concatenate([[0], np.cumsum(counts)])
    how = PeakSumSettings()
    rule = Rule(how.search_cells(), 5, how.sum_cells(), None)
    found = [
        get_kernel(name).find_peaks_in_hits(first, cell, value, (6, 8), rule, Periodic(False, True)).peaks
        for name in ("numba", "scipy")
    ]
    assert len(found[0].event) > 1000
    assert bits(found[0]) == bits(found[1])


ROUND = tuple((d, p) for d in (-1, 0, 1) for p in (-1, 0, 1))


@often
@given(
    seed=st.integers(0, 2**32 - 1),
    occupied=st.sampled_from([0.01, 0.05, 0.3]),
    plane=st.sampled_from([(3, 3), (4, 20), (9, 7), (1, 30), (12, 64), (7, 70)]),
    search=st.sampled_from([(3, 3), (1, 3), (3, 1), (3, 7), (3, 9), (5, 5), (1, 1)]),
    window=st.sampled_from([ROUND, ROUND[:4] + ROUND[5:], ((0, 0),), tuple((0, p) for p in range(-4, 5))]),
    cell_bound=st.sampled_from([None, None, 2.0, -1.0]),
    periodic=st.booleans(),
    order=st.sampled_from(["rising", "none", "some twice"]),
    dtype=st.sampled_from([np.float32, np.int64]),
)
def test_isolated_hits_give_the_same_peaks_in_both_kernels(
    seed, occupied, plane, search, window, cell_bound, periodic, order, dtype
):
    """Few hits on a plane, at its edges and seams too, next to others of zero and below."""
    random, n_cells, periodic = np.random.default_rng(seed), plane[0] * plane[1], periodic and plane[1] > 8
    events = [np.flatnonzero(random.random(n_cells) < occupied) for _ in range(6)]
    if order != "rising":
        events = [random.permutation(np.repeat(cell, 1 + (order == "some twice"))) for cell in events]
    cell, first = np.concatenate(events).astype(np.int32), np.cumsum([0, *map(len, events)])
    value = random.integers(-2, 9, len(cell)).astype(dtype)
    how = PeakSumSettings(search_window=search)
    rule = Rule(how.search_cells(), 1, window, cell_bound)
    found = [
        get_kernel(name).find_peaks_in_hits(first, cell, value, plane, rule, Periodic(False, periodic)).peaks
        for name in ("numba", "scipy")
    ]
    assert bits(found[0]) == bits(found[1])


@pytest.mark.parametrize("search", [(3, 3), (1, 3), (3, 7)])
@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=2)), ids=str)
def test_two_hits_see_each_other_wherever_they_lie(search, periodic):
    """Every pair of cells of a plane, each pair an event of its own: across seams, not across edges."""
    plane, how = (5, 12), PeakSumSettings(search_window=search)
    cell = np.array(list(itertools.permutations(range(60), 2)), np.int32).ravel()
    first, value = np.arange(0, len(cell) + 1, 2), np.tile([3.0, 2.0], len(cell) // 2)
    rule = Rule(how.search_cells(), 1, how.sum_cells(), None)
    found = [
        get_kernel(name).find_peaks_in_hits(first, cell, value, plane, rule, Periodic(*periodic)).peaks
        for name in ("numba", "scipy")
    ]
    assert len(cell) // 2 < len(found[0].event) < len(cell)
    assert bits(found[0]) == bits(found[1])


@pytest.mark.parametrize(
    ("how", "more", "problem"),
    [
        ({"sum_threshold": "3 sigma"}, {}, "sum_threshold '3 sigma' needs the noise of the cells"),
        ({}, {"layers": "each"}, "layers 'each' needs grids of shape"),
        ({"search_window": (3, 9)}, {}, "search_window is longer than the periodic axis"),
    ],
)
def test_hits_are_refused_for_the_same_reasons_as_grids(how, more, problem):
    plane = Grid(rows=Axis(n=6), cols=Axis(n=8, periodic=True))
    hits = sparse(ak.Array([[1]]), ak.Array([[2]]), ak.Array([[5]]), plane)
    for cells in (hits, hits.dense()):
        with pytest.raises(ValueError, match=problem):
            find_clusters(cells, PeakSumSettings(seed_threshold=1, **how), plane, **more)
