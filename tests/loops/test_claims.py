"""Events in blocks, and distances across a seam."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum.kernels import Periodic
from hep_peaksum.loops.claims import event_blocks, squared_distances


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
