"""Events in blocks, and distances across a seam."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum.kernels import Periodic
from hep_peaksum.loops.claims import Claims, event_blocks, squared_distances
from hep_peaksum.loops.windows import Rivals, window_loops


@given(
    counts=st.lists(st.integers(0, 5), max_size=12), most_events=st.integers(1, 5), most_peaks=st.integers(1, 9)
)
def test_every_peak_is_in_one_block_of_whole_events(counts, most_events, most_peaks):
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    blocks = list(event_blocks(offsets, most_events, most_peaks))

    peaks = [n for block in blocks for n in range(block.peaks.start, block.peaks.stop)]
    assert peaks == list(range(sum(counts)))
    assert len(blocks) >= 1
    for block in blocks if peaks else ():
        assert (block.peaks.start, block.peaks.stop) == (offsets[block.first], offsets[block.stop])
        assert 1 <= block.n_events <= most_events
        assert block.n_events == 1 or block.n_peaks <= most_peaks


def test_distances_go_the_short_way_across_a_seam_only():
    offsets = np.array([[-3, 0], [0, 3], [2, 2], [5, 0]])

    assert squared_distances(offsets, (4, 5), Periodic(False, False)).tolist() == [9, 9, 8, 25]
    assert squared_distances(offsets, (4, 5), Periodic(True, True)).tolist() == [1, 4, 8, 1]


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@pytest.mark.parametrize(
    ("overlap", "held"),
    [
        ("shared", [[3, 6], [6, 8], [8, 5]]),
        ("highest", [[3, 0], [6, 8], [0, 5]]),
        ("proportional", [[3, 1.5], [4.5, 6], [2, 5]]),  # of seeds 1, 3 and 1
    ],
)
def test_what_peaks_hold_of_cells_is_settled_when_all_have_claimed(overlap, held, kernel):
    """Three windows of two cells in a row; the first peak claims before the others do."""
    place, loops = np.array([[0, 1], [1, 2], [2, 3]]), window_loops(kernel)
    values, is_added = np.array([[3.0, 6], [6, 8], [8, 5]]), np.ones((3, 2), bool)
    rivals = Rivals(np.array([0.1, 0.3, 0.1]), False, weight=np.array([0.1, 0.3, 0.1]))
    claims = Claims.on(4, overlap, rivals, contested=True)
    for part in (slice(0, 1), slice(1, 3)):
        claims.add(loops, place[part], is_added[part], part.start)
    assert claims.is_contested(place, is_added).tolist() == [[False, True], [True, True], [True, False]]
    for part in (slice(0, 1), slice(1, 3)):
        found = claims.shares(loops, values[part], place[part], is_added[part], part.start)
        assert found.values == pytest.approx(np.array(held[part]), rel=1e-14)
        assert found.is_held.tolist() == (np.array(held[part]) > 0).tolist()
    alone = claims.shares(loops, values[:1], place[:1], is_added[:1], 0)
    assert alone.values[0, 0] == 3  # undivided, to the last bit: 3 * 0.1 / 0.1 is more


@pytest.mark.parametrize(
    ("overlap", "contested", "planes"),
    [
        ("shared", False, []),
        ("shared", True, ["n_claims"]),
        ("highest", False, ["owner"]),
        ("nearest", False, ["owner", "nearest"]),
        ("equal", False, ["total", "n_claims"]),
        ("proportional-sum", True, ["total", "n_claims"]),
    ],
)
def test_only_planes_that_a_rule_needs_are_made(overlap, contested, planes):
    claims = Claims.on(4, overlap, Rivals(np.zeros(1), False), contested=contested)
    assert [name for name in Claims._fields[1:] if getattr(claims, name) is not None] == planes
    assert claims.is_used == bool(planes)
