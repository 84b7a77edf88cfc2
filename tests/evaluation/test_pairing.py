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


@given(
    st.lists(st.lists(st.floats(-2, 2), max_size=4), max_size=5),
    st.lists(st.lists(st.floats(-2, 2), max_size=4), max_size=5),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_near_pairs_are_those_of_plain_loops(first, second, largest):
    n_events = min(len(first), len(second))
    kinds = [
        [(event, each) for event, places in enumerate(kind[:n_events]) for each in places]
        for kind in (first, second)
    ]
    expected = [
        (i, j)
        for i, (event, x) in enumerate(kinds[0])
        for j, (other, y) in enumerate(kinds[1])
        if event == other and abs(x - y) <= largest
    ]
    arrays = [
        Places(np.array([e for e, _ in kind], int), np.array([x for _, x in kind], float), np.zeros(len(kind)))
        for kind in kinds
    ]
    for near in (within_distance, within_delta_r):
        pairs = near(*arrays, largest)
        assert list(zip(pairs.reference.tolist(), pairs.cluster.tolist(), strict=True)) == expected


def test_objects_of_one_event_have_to_stand_together():
    places = Places(np.array([1, 0]), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="sort them by event"):
        within_distance(places, places, 1.0)


@pytest.mark.parametrize("apart", [np.pi, 1e-12])
def test_a_pair_exactly_at_the_end_of_the_range_is_near_also_after_turns(apart):
    """The first look at a pair rounds otherwise than the distance that decides."""
    random = np.random.default_rng(2)
    phi = random.uniform(-np.pi, np.pi, 500) + random.uniform(-apart, apart, (2, 500)) / 2
    phi += 2 * np.pi * random.integers(-1000, 1000, (2, 500))
    events = np.arange(500)
    first, second = (Places(events, np.zeros(500), each) for each in phi)
    difference = phi[0] - phi[1]
    distance = np.abs(-np.pi + np.mod(difference + np.pi, 2 * np.pi))
    for largest in np.sort(distance)[::50].tolist():
        assert within_delta_r(first, second, largest).reference.tolist() == events[distance <= largest].tolist()
