"""The optimal pairing against every possible one, and distances on a seam."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum.evaluation.matching import Pairs
from hep_peaksum.evaluation.pairing import Places, chosen, within_delta_r, within_distance


def best_of_all(pairs):
    """Return the number of pairs and the sum of distances of the best way without sharing, by trying all."""
    best = (0, 0.0)
    for n in range(1, len(pairs) + 1):
        for some in itertools.combinations(pairs, n):
            if len({r for r, _, _ in some}) == len({c for _, c, _ in some}) == n:
                best = min(best, (-n, sum(d for _, _, d in some)))
    return best


links = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8, unique=True)


@given(links, st.randoms(use_true_random=False))
def test_the_optimal_pairing_is_the_best_of_all(made, random):
    made = sorted((r, c, float(random.randint(1, 9))) for r, c in made)
    pairs = Pairs(*(np.array([each[k] for each in made], kind) for k, kind in enumerate((int, int, float))))
    found = chosen(pairs, "optimal")
    assert len(set(found.reference.tolist())) == len(set(found.cluster.tolist())) == len(found.reference)
    assert (-len(found.reference), found.distance.sum()) == best_of_all(made)
    assert found.reference.tolist() == sorted(found.reference.tolist())


def test_the_distance_goes_the_short_way_across_the_seam():
    first = Places(np.array([0, 0, 1]), np.array([0.0, 0.3, 0.0]), np.array([3.1, 0.0, 3.1]))
    second = Places(np.array([0]), np.array([0.0]), np.array([-3.1]))
    pairs = within_delta_r(first, second, 0.5)
    assert (pairs.reference.tolist(), pairs.cluster.tolist()) == ([0], [0])
    assert pairs.distance[0] == pytest.approx(2 * np.pi - 6.2)


def test_the_distance_on_a_plane_does_not_fold():
    places = [Places(np.array([0]), np.array([0.0]), np.array([y])) for y in (3.1, -3.1)]
    assert len(within_distance(*places, 6.1).reference) == 0
    assert within_distance(*places, 6.2).distance.tolist() == [6.2]


def test_the_highest_cluster_is_taken_then_the_nearest_of_equal_ones():
    pairs = Pairs(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([0.1, 0.3, 0.2, 0.4]))
    found = chosen(pairs, "highest", value=np.array([1.0, 5.0, 5.0]))
    assert list(zip(found.reference.tolist(), found.cluster.tolist(), strict=True)) == [(0, 2), (1, 0)]
    with pytest.raises(ValueError, match="needs a value"):
        chosen(pairs, "highest")
