"""The matcher: pictures of one event first, then any events against plain loops."""

import awkward as ak
import matching_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hep_peaksum.evaluation.matching import (
    CellIndices,
    Pairs,
    nearest,
    one_to_one,
    same_cell,
    take_or_zero,
    with_unmatched,
    within_cells,
)
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid


def grid_of(shape, periodic=(False, False)):
    rows, cols = (Axis(n=n, periodic=closes) for n, closes in zip(shape, periodic, strict=True))
    return Grid(rows=rows, cols=cols)


def cells_of(objects):
    return CellIndices(*np.array(objects, np.int64).reshape(-1, 3).T)


def read(picture):
    """Return the cells of the letters of a picture, in alphabetical order, and the letters."""
    lines = picture.split()
    letters = {
        letter: (0, row, col)
        for row, line in enumerate(lines)
        for col, letter in enumerate(line)
        if letter != "."
    }
    names = sorted(letters)
    return cells_of([letters[name] for name in names]), names, (len(lines), len(lines[0]))


def drawn_pairs(references, clusters, periodic=(False, False)):
    """Return candidates within one cell, and a function that names pairs by their letters, as in 'Aa Bb'."""
    reference_cells, capitals, shape = read(references)
    cluster_cells, letters, _ = read(clusters)
    pairs = within_cells(reference_cells, cluster_cells, grid_of(shape, periodic), 1)

    def named(pairs):
        indices = zip(pairs.reference.tolist(), pairs.cluster.tolist(), strict=True)
        return " ".join(capitals[i] + letters[j] for i, j in indices)

    return pairs, named


SEPARATE = """
A...   a...
..B.   .b..
....   ...c
"""
SHARED = """
A.B.   .a..
....   ....
....   ....
"""
CHAIN = """
.A.B   a.b.
....   ....
"""
TIE = """
.A..   a.b.
....   ....
"""
DIAGONAL = """
....   a...
.A..   .b..
....   ..c.
"""
SEAM = """
A...   ...a
....   ....
...B   b...
"""


def columns(picture):
    """Return the left and the right half of a picture."""
    lines = [line.split() for line in picture.strip().splitlines()]
    return "\n".join(left for left, _ in lines), "\n".join(right for _, right in lines)


@pytest.mark.parametrize(
    ("picture", "candidates", "expected_nearest", "expected_one_to_one"),
    [
        pytest.param(SEPARATE, "Aa Ab Bb Bc", "Aa Bb", "Aa Bb", id="separate"),
        pytest.param(SHARED, "Aa Ba", "Aa Ba", "Aa", id="a-shared-cluster"),
        pytest.param(CHAIN, "Aa Ab Bb", "Aa Bb", "Aa Bb", id="a-chain"),
        pytest.param(TIE, "Aa Ab", "Aa", "Aa", id="equally-near-the-first"),
        pytest.param(DIAGONAL, "Aa Ab Ac", "Ab", "Ab", id="the-same-cell-before-diagonals"),
        pytest.param(SEAM, "", "", "", id="no-seam"),
    ],
)
def test_pairs_of_a_picture(picture, candidates, expected_nearest, expected_one_to_one):
    pairs, named = drawn_pairs(*columns(picture))
    assert named(pairs) == candidates
    assert named(nearest(pairs)) == expected_nearest
    assert named(one_to_one(pairs, [pairs.distance])) == expected_one_to_one


@pytest.mark.parametrize(
    ("periodic", "candidates"),
    [((False, False), ""), ((False, True), "Aa Bb"), ((True, False), "Ab Ba"), ((True, True), "Aa Ab Ba Bb")],
)
def test_near_is_the_short_way_round(periodic, candidates):
    pairs, named = drawn_pairs(*columns(SEAM), periodic)
    assert named(pairs) == candidates


def test_the_higher_priority_wins_before_the_lower_index():
    pairs, named = drawn_pairs(*columns(TIE))
    energy = np.array([1.0, 2.0])
    assert named(one_to_one(pairs, [pairs.distance, -energy[pairs.cluster]])) == "Ab"


def test_references_can_choose_in_turn():
    """The first key decides: with the number of the reference first, B is left without a cluster."""
    pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([1.0, 2.0, 0.0]))
    by_distance = one_to_one(pairs, [pairs.distance])
    assert (by_distance.reference.tolist(), by_distance.cluster.tolist()) == ([0, 1], [1, 0])
    in_turn = one_to_one(pairs, [pairs.reference, pairs.distance])
    assert (in_turn.reference.tolist(), in_turn.cluster.tolist()) == ([0], [0])


def test_distances_are_euclidean_and_the_reach_is_a_square():
    references, clusters = cells_of([(0, 4, 4)]), cells_of([(0, 4, 6), (0, 6, 6), (0, 7, 4), (1, 4, 4)])
    pairs = within_cells(references, clusters, grid_of((9, 9)), 2)
    assert pairs.cluster.tolist() == [0, 1]
    assert pairs.distance.tolist() == [2.0, np.hypot(2, 2)]


def test_the_same_cell_of_another_event_is_another_cell():
    references, clusters = cells_of([(0, 1, 2), (2, 1, 2)]), cells_of([(1, 1, 2), (2, 1, 2)])
    pairs = same_cell(references, clusters, grid_of((3, 3)))
    assert (pairs.reference.tolist(), pairs.cluster.tolist(), pairs.distance.tolist()) == ([1], [1], [0.0])


def test_objects_outside_the_grid_have_no_partner():
    outside = [(0, -1, 2), (1, 2, -1), (1, -1, -1)]
    pairs = same_cell(cells_of(outside), cells_of([*outside, (0, 2, 2)]), grid_of((3, 3)))
    assert len(pairs.reference) == 0


def test_several_objects_in_a_cell_are_all_paired():
    pairs = same_cell(cells_of([(0, 1, 1)] * 2), cells_of([(0, 1, 1)] * 3), grid_of((3, 3)))
    assert pairs.reference.tolist() == [0, 0, 0, 1, 1, 1]
    assert pairs.cluster.tolist() == [0, 1, 2, 0, 1, 2]


def test_unmatched_objects_follow_with_no_partner():
    """A reference with two clusters keeps both; values of a missing partner are 0 of the same type."""
    pairs = with_unmatched(Pairs(np.array([1, 1]), np.array([2, 0]), np.array([0.5, 1.0])), 3, 4)
    assert pairs.reference.tolist() == [0, 1, 1, 2, -1, -1]
    assert pairs.cluster.tolist() == [-1, 2, 0, -1, 1, 3]
    assert np.array_equal(pairs.distance, [np.nan, 0.5, 1.0, np.nan, np.nan, np.nan], equal_nan=True)
    sums = take_or_zero(np.array([7, 8, 9], np.float32), pairs.reference)
    assert (sums.dtype, sums.tolist()) == (np.float32, [7, 8, 8, 9, 0, 0])
    assert take_or_zero(np.array([], np.int64), np.array([-1])).tolist() == [0]


def test_nothing_matches_nothing():
    nothing = cells_of([])
    grid = grid_of((3, 3))
    for pairs in (same_cell(nothing, nothing, grid), within_cells(nothing, nothing, grid, 1)):
        for result in (pairs, nearest(pairs), one_to_one(pairs, [pairs.distance]), with_unmatched(pairs, 0, 0)):
            assert [len(column) for column in result] == [0, 0, 0]


def test_cells_of_jagged_records_know_their_event():
    records = ak.Array([[{"row": 1, "col": 2}], [], [{"row": 3, "col": 4}, {"row": 5, "col": 6}]])
    assert [column.tolist() for column in CellIndices.from_jagged(records)] == [[0, 2, 2], [1, 3, 5], [2, 4, 6]]


# ---------------------------------------------------------------------------------------------- plain loops


@st.composite
def problems(draw):
    """Return shape, periodic axes, reach, references, clusters and their energies, in any order of events."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    objects = st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1)), max_size=10
    )
    clusters = draw(objects)
    energy = draw(st.lists(st.integers(1, 3), min_size=len(clusters), max_size=len(clusters)))
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    return shape, periodic, draw(st.integers(0, 3)), draw(objects), clusters, energy


def as_dict(pairs):
    """Return {reference: cluster}; every reference at most once."""
    assert pairs.reference.tolist() == sorted(set(pairs.reference.tolist()))
    return dict(zip(pairs.reference.tolist(), pairs.cluster.tolist(), strict=True))


@settings(deadline=None)
@given(problem=problems())
def test_matches_agree_with_plain_loops(problem):
    shape, periodic, reach, references, clusters, energy = problem
    grid = grid_of(shape, periodic)
    pairs = within_cells(cells_of(references), cells_of(clusters), grid, reach)
    expected = oracle.within_cells(references, clusters, shape, periodic, reach)
    indices = zip(pairs.reference.tolist(), pairs.cluster.tolist(), strict=True)
    assert dict(zip(indices, pairs.distance.tolist(), strict=True)) == expected
    assert as_dict(nearest(pairs)) == oracle.nearest(expected)
    priority = [pairs.distance, -np.array(energy, float)[pairs.cluster]]
    assert as_dict(one_to_one(pairs, priority)) == oracle.one_to_one(expected, energy)


@settings(deadline=None)
@given(problem=problems(), outside=st.lists(st.sampled_from([(0, -1, 0), (1, 0, -1)]), max_size=3))
def test_pairs_of_the_same_cell_agree_with_plain_loops(problem, outside):
    shape, periodic, _, references, clusters, _ = problem
    references = references + outside
    pairs = same_cell(cells_of(references), cells_of(clusters + outside), grid_of(shape, periodic))
    indices = list(zip(pairs.reference.tolist(), pairs.cluster.tolist(), strict=True))
    assert indices == list(oracle.same_cell(references, clusters + outside))
    joined = with_unmatched(pairs, len(references), len(clusters + outside))
    assert set(joined.reference.tolist()) - {-1} == set(range(len(references)))
    assert set(joined.cluster.tolist()) - {-1} == set(range(len(clusters + outside)))
    assert not ((joined.reference < 0) & (joined.cluster < 0)).any()
