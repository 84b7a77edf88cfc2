"""Windows about peaks: both twins against plain loops over the cells of a dict."""

import importlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hep_peaksum.kernels import Periodic
from hep_peaksum.loops.windows import Entries, Places, Rivals

some = runs(deadline=None, max_examples=60)
TYPES = ("int8", "int32", "int64", "float32", "float64")
NONE = {"i": np.iinfo(np.int64).min, "f": -np.inf}


@pytest.fixture(scope="module", params=["windows", "numba_windows"])
def loops(request):
    return importlib.import_module(f"hep_peaksum.loops.{request.param}")


@st.composite
def searches(draw):
    """Return grids, peaks in the order of their places, offsets that meet no cell twice, and the edges."""
    n_events, n_rows, n_cols = draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    grids = draw(arrays(dtype, (n_events, n_rows, n_cols), elements=st.integers(-3, 3)))
    periodic = Periodic(draw(st.booleans()), draw(st.booleans()))
    everywhere = [(e, r, c) for e in range(n_events) for r in range(n_rows) for c in range(n_cols)]
    peaks = sorted(draw(st.sets(st.sampled_from(everywhere), max_size=12)))
    step = st.integers(-7, 7) if draw(st.booleans()) else st.integers(-1, 1)  # windows overlap, or wrap
    offsets = sorted(draw(st.sets(st.tuples(step, step), min_size=1, max_size=12)))
    met = {(d % n_rows if periodic.rows else d, p % n_cols if periodic.cols else p): (d, p) for d, p in offsets}
    return grids, peaks, sorted(met.values()), periodic


def cells_of(grids, peak, offsets, periodic):
    """Return the place of every cell of a window, None beyond an edge."""
    event, row, col = peak
    places = []
    for d, p in offsets:
        r, c = row + d, col + p
        r = r % grids.shape[1] if periodic.rows else r
        c = c % grids.shape[2] if periodic.cols else c
        is_inside = 0 <= r < grids.shape[1] and 0 <= c < grids.shape[2]
        places.append((event * grids.shape[1] + r) * grids.shape[2] + c if is_inside else None)
    return places


def windows_of(loops, search):
    grids, peaks, offsets, periodic = search
    places = Places(*np.array(peaks, np.int64).reshape(-1, 3).T)
    tables = loops.window_tables(np.array(offsets), grids.shape[1:], periodic)
    return loops.window_cells(grids, places, tables)


@some
@given(search=searches())
def test_the_cells_of_windows_are_those_at_the_offsets(loops, search):
    grids, peaks, offsets, periodic = search
    expected = [cells_of(grids, peak, offsets, periodic) for peak in peaks]

    place, values = windows_of(loops, search)

    assert place.tolist() == [[-1 if k is None else k for k in window] for window in expected]
    cells = grids.ravel().tolist()
    none = NONE[grids.dtype.kind]
    assert values.tolist() == [[none if k is None else cells[k] for k in window] for window in expected]
    assert values.dtype == (np.int64 if grids.dtype.kind == "i" else np.float64)


def test_a_sum_is_added_from_the_first_cell_to_the_last(loops):
    parts = np.array([[1e16, 1.0, 1.0, -1e16], [1.0, 1.0, 1e16, -1e16], [-0.0, -0.0, -0.0, -0.0]])

    assert loops.ordered_sum(parts).tolist() == [0.0, 2.0, 0.0]
    assert not np.signbit(loops.ordered_sum(parts)[2])


@some
@given(
    parts=arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(1, 20)), elements=st.floats(-1e9, 1e9))
)
def test_a_sum_has_the_bits_of_a_plain_loop(loops, parts):
    expected = []
    for window in parts.tolist():
        total = 0.0
        for part in window:
            total += part
        expected.append(total)

    assert loops.ordered_sum(parts).tolist() == expected


@some
@given(turn=st.sampled_from([0.0, 2 * math.pi]), data=st.data())
def test_moments_have_the_bits_of_a_plain_loop(loops, turn, data):
    n_peaks, n_cells, shape = *data.draw(st.tuples(st.integers(0, 3), st.integers(1, 9))), (4, 5)
    number, weight = st.floats(-math.pi, math.pi), st.floats(0, 1e3)
    weights = data.draw(arrays(np.float64, (n_peaks, n_cells), elements=weight))
    mean = data.draw(arrays(np.float64, n_peaks, elements=number))
    table = data.draw(arrays(np.float64, shape, elements=number))
    row, column = (data.draw(arrays(np.int64, n, elements=st.integers(0, 3))) for n in (n_peaks, n_cells))
    first, second = [0.0] * n_peaks, [0.0] * n_peaks
    for n, k in np.ndindex(n_peaks, n_cells):
        entry = float(table[row[n], column[k]])
        difference = entry - float(mean[n])
        if turn:
            difference = (difference + math.pi) % turn - math.pi
        first[n] += float(weights[n, k]) * entry
        second[n] += float(weights[n, k]) * (difference * difference)

    assert loops.moment(weights, Entries(table, row, column)).tolist() == first
    assert loops.second_moment(weights, Entries(table, row, column), mean, turn).tolist() == second


def added(place, data):
    """Return which cells are added: most of them, so that many are claimed by several peaks."""
    return ~data.draw(arrays(bool, place.shape)) & (place >= 0)


@pytest.mark.parametrize("by_distance", [False, True])
@pytest.mark.parametrize(
    ("seed", "last_wins", "winner"),
    [((2, 2), False, 0), ((2, 2), True, 1), ((3, 2), True, 0), ((2, 3), False, 1)],
    ids=["the_first", "the_last", "the_higher_first", "the_higher_last"],
)
def test_of_two_claims_from_as_far_one_wins(loops, seed, last_wins, winner, by_distance):
    """Two windows of three cells in a row share the cell at place 2."""
    place = np.array([[0, 1, 2], [2, 3, 4]])
    owner, nearest = np.full(5, -1, np.int32), np.zeros(5, np.int32) if by_distance else None
    rivals = Rivals(np.array(seed, float), last_wins, distance=np.array([1, 0, 1]) if by_distance else None)
    loops.claim_cells(owner, nearest, place, np.ones(place.shape, bool), 0, rivals)
    assert owner.tolist() == [0, 0, winner, 1, 1]


@some
@given(search=searches(), last_wins=st.booleans(), by_distance=st.booleans(), data=st.data())
def test_a_cell_goes_to_the_peak_that_beats_all_others(loops, search, last_wins, by_distance, data):
    (place, values), n_peaks, n_cells = windows_of(loops, search), len(search[1]), search[0].size
    is_added = added(place, data)
    seed = data.draw(arrays(np.float64, n_peaks, elements=st.integers(1, 3)))
    distance = data.draw(arrays(np.int64, place.shape[1], elements=st.integers(0, 2)))
    split = data.draw(st.integers(0, n_peaks))  # the peaks claim in two blocks
    owner, nearest = np.full(n_cells, -1, np.int32), np.zeros(n_cells, np.int32) if by_distance else None

    rivals = Rivals(seed, last_wins, distance=distance if by_distance else None)
    for block in (slice(0, split), slice(split, n_peaks)):
        loops.claim_cells(owner, nearest, place[block], is_added[block], block.start, rivals)

    def rank(claim):
        n, k = claim
        return distance[k] if by_distance else 0, -seed[n], -n if last_wins else n

    for cell in range(n_cells):
        claims = [(n, k) for n, k in zip(*np.nonzero(is_added), strict=True) if place[n, k] == cell]
        assert owner[cell] == (min(claims, key=rank)[0] if claims else -1)
    owned, is_owned = loops.owned_cells(owner, values[split:], place[split:], is_added[split:], split)
    for n, k in np.ndindex(is_owned.shape):
        assert is_owned[n, k] == (is_added[split + n, k] and owner[place[split + n, k]] == split + n)
        assert owned[n, k] == (values[split + n, k] if is_owned[n, k] else 0)


@some
@given(search=searches(), data=st.data())
def test_weights_and_claims_add_up_in_the_order_of_the_peaks(loops, search, data):
    place, _ = windows_of(loops, search)
    is_added = added(place, data)
    weight = data.draw(arrays(np.float64, len(search[1]), elements=st.floats(1e-3, 1e12)))
    total, n_claims = np.zeros(search[0].size), np.zeros(search[0].size, np.uint8)

    loops.add_weights(total, place, is_added, weight)
    loops.count_claims(n_claims, place, is_added)

    totals, counts = [0.0] * search[0].size, [0] * search[0].size
    for n, k in zip(*np.nonzero(is_added), strict=True):
        totals[place[n, k]] += float(weight[n])
        counts[place[n, k]] += 1
    assert total.tolist() == totals
    assert n_claims.tolist() == [min(count, 2) for count in counts]


def test_hundreds_of_claims_on_a_cell_are_many(loops):
    n_claims = np.zeros(1, np.uint8)

    loops.count_claims(n_claims, np.zeros((300, 1), np.int64), np.ones((300, 1), bool))

    assert n_claims.tolist() == [2]
