"""Seeds that are accepted in an order exclude those in their windows, of their own group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_problems import many_examples, some_examples
from strategies import shapes, windows

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.clustering.seeding import order_by_height
from hep_peaksum.kernels import Peaks, Periodic, event_offsets
from hep_peaksum.loops.seeds import accepted_in_order

KERNELS = "numba", "scipy"
BESIDE = ((0, -1), (0, 1))


def peaks_at(is_peak, seeds=None):
    place = np.nonzero(is_peak)
    seed = np.zeros(len(place[0]), np.int64) if seeds is None else seeds
    return Peaks.at(place, is_peak.shape, seed, seed, np.ones(len(seed), np.int32))


def accepted_in_a_row(order, kernel, *, window=BESIDE, groups=None, periodic=False):
    """Return the accepted cells of one row, all of which are peaks."""
    peaks = peaks_at(np.ones((1, 1, len(order)), bool))
    groups = None if groups is None else np.array([[groups]])
    plane, seams = (1, len(order)), Periodic(False, periodic)
    return np.flatnonzero(
        accepted_in_order(peaks, np.array(order), window, groups, plane, seams, kernel)
    ).tolist()


@pytest.mark.parametrize("kernel", KERNELS)
class TestARow:
    def test_a_peak_is_accepted_if_the_one_beside_it_was_excluded(self, kernel):
        assert accepted_in_a_row([0, 1, 2, 3], kernel) == [0, 2]
        assert accepted_in_a_row([1, 0, 2, 3], kernel) == [1, 3]

    def test_a_window_may_look_to_one_side_only(self, kernel):
        assert accepted_in_a_row([2, 1, 3, 0], kernel, window=((0, 1),)) == [0, 1, 2]
        assert accepted_in_a_row([2, 1, 3, 0], kernel, window=((0, -1),)) == [0, 2, 3]

    def test_peaks_of_other_groups_do_not_matter(self, kernel):
        assert accepted_in_a_row([0, 1, 2, 3], kernel, groups=[1, 2, 2, 1]) == [0, 1, 3]

    def test_a_window_reaches_across_a_seam(self, kernel):
        assert accepted_in_a_row([0, 3, 2, 1], kernel) == [0, 3]
        assert accepted_in_a_row([0, 3, 2, 1], kernel, periodic=True) == [0, 2]


@st.composite
def ordered_peaks(draw):
    """Draw events with peaks anywhere, an order of them, a window, groups or none, and seams."""
    shape, periodic = draw(shapes()), draw(st.tuples(st.booleans(), st.booleans()))
    window = PeakSumSettings(sum_window=draw(windows(shape[1:], periodic))).sum_cells()
    peaks = peaks_at(draw(hnp.arrays(bool, shape)))
    order = np.lexsort((draw(hnp.arrays(np.int8, len(peaks), unique=len(peaks) < 200)), peaks.event))
    groups = draw(st.none() | hnp.arrays(np.int64, shape, elements=st.integers(1, 3)))
    return peaks, order, window, groups, shape[1:], Periodic(*periodic)


def accepted_by_definition(peaks, order, window, groups, plane, periodic):
    """Return the numbers of the accepted peaks: none lies at an offset from one accepted before."""
    places = list(zip(peaks.event.tolist(), peaks.row.tolist(), peaks.col.tolist(), strict=True))
    accepted = []

    def excludes(higher, lower):
        step = [lower[1] - higher[1], lower[2] - higher[2]]
        is_reached = any(
            all(
                have == want or (seam and have % size == want % size)
                for have, want, seam, size in zip(step, offset, periodic, plane, strict=True)
            )
            for offset in window
        )
        same_group = groups is None or groups[higher] == groups[lower]
        return higher[0] == lower[0] and is_reached and same_group

    for n in order:
        if not any(excludes(places[higher], places[n]) for higher in accepted):
            accepted.append(n)
    return sorted(accepted)


@many_examples
@given(problem=ordered_peaks())
def test_both_twins_accept_the_peaks_of_the_definition(problem):
    expected = accepted_by_definition(*problem)
    for kernel in KERNELS:
        assert np.flatnonzero(accepted_in_order(*problem, kernel)).tolist() == expected


@some_examples
@given(
    events=st.lists(st.lists(st.sampled_from([-(2**63) + 1, -1, 0, 1, 2**63 - 1]), max_size=140), max_size=4),
    dtype=st.sampled_from([np.int64, np.float64]),
    ties=st.sampled_from(["first", "last"]),
)
def test_peaks_are_ordered_by_height_and_equal_ones_as_greedy_ties_says(events, dtype, ties):
    offsets = event_offsets(np.repeat(np.arange(len(events)), [len(keys) for keys in events]), len(events))
    seed = np.array([key for keys in events for key in keys], dtype)
    seed[::2] *= np.array(-1 if dtype == np.float64 else 1, dtype)  # also -0.0
    peaks = Peaks(1, offsets, np.zeros(len(seed), np.int32), seed, seed, seed)
    expected = []
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        numbers = range(start, stop) if ties == "first" else range(stop - 1, start - 1, -1)
        expected += sorted(numbers, key=lambda n: -seed[n].item())
    for kernel in KERNELS:
        settings = PeakSumSettings(tie_rule="greedy", greedy_ties=ties, kernel=kernel)
        assert order_by_height(peaks, settings).tolist() == expected


IMAGES = {
    "constant": np.ones((60, 50), np.float32),
    "ramp": np.add.outer(np.arange(60), np.arange(50)),
    "ties": np.random.default_rng(1).integers(0, 3, (60, 50)),
    "noise": np.random.default_rng(2).normal(size=(60, 50)),
}
RULES = {
    "greedy": {"tie_rule": "greedy"},
    "last": {"tie_rule": "greedy", "greedy_ties": "last"},
    "residual": {"tie_rule": "greedy-residual"},
    "even": {
        "tie_rule": "greedy-residual",
        "search_window": "xx\nox",
        "sum_window": "oxx",
        "greedy_ties": "last",
    },
    "suppress": {"tie_rule": "all", "overlap": "suppress", "sum_window": (5, 3)},
    "groups": {"tie_rule": "greedy", "group": "corners", "cell_threshold": 0.5},
}


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("rule", RULES)
def test_both_kernels_find_the_same_clusters(image, rule):
    grid = Grid(rows=Axis(n=60), cols=Axis(n=50, periodic=True))
    fast, readable = (
        find_clusters(IMAGES[image][None], {**RULES[rule], "kernel": kernel}, grid) for kernel in KERNELS
    )
    assert fast.to_list() == readable.to_list()
    assert len(fast.row[0])


@pytest.mark.parametrize("rule", ["greedy", "residual"])
def test_in_a_constant_image_seeds_stand_in_rank_and_file(rule):
    settings = {**RULES[rule], "order": "position"}
    clusters = find_clusters(np.ones((1, 6, 8)), settings, fields=["row", "col"])
    assert list(zip(clusters.row[0].to_list(), clusters.col[0].to_list(), strict=True)) == [
        (row, col) for row in (0, 2, 4) for col in (0, 2, 4, 6)
    ]


@pytest.mark.parametrize("rule", RULES)
def test_no_events_have_no_clusters(rule):
    assert len(find_clusters(np.zeros((0, 6, 8)), RULES[rule])) == 0
