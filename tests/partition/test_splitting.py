"""Hits of several detectors in one collection, which an integer tells apart."""

import numpy as np
import pytest

from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group
from hep_peaksum.partition.sections import MAX_SECTIONS
from hep_peaksum.partition.splitting import _split_detectors

ROW, COL, SIDE, DETECTOR = (
    Branch(f"hit_{word}", "", f"hit_{word}", (None,), np.dtype("i4")) for word in ("iy", "ix", "side", "det")
)
GROUP = Group("", "hit", {"iy": ROW, "ix": COL}, ("iy", "ix"), None, integers=(COL, SIDE, DETECTOR))


def parts_of(detectors, n_left_out=0, kind=np.int64):
    """Return label and number of hits of every part; detectors are shapes, and each of their cells has a hit.

    Some behind the first row have none, and two more hits are not looked at. There are more columns than
    detectors, and sides do not tell their sizes apart.
    """
    cells = []
    for n, shape in enumerate(detectors, 5):
        places = [(*place, n) for place in np.ndindex(shape)]
        cells += places[:10] + places[10 + n_left_out :]
    row, col, detector = np.array([*cells, (99, 99, 5), (99, 99, 77)]).T
    numbers = {ROW: row.astype(kind), COL: col.astype(kind), SIDE: (row + col) % 2, DETECTOR: detector}
    found = []
    for is_part, where, told in _split_detectors(GROUP, numbers, row < 99):
        ((key, text),) = told
        assert key == "where"
        found.append((where, int(is_part.sum()), text))
    return found


def test_detectors_of_other_sizes_are_grids_of_their_own_the_fullest_first():
    told = "detectors with other rows and columns, by hit_det: 5..6 are grids of their own"
    first, second = ([{"branch": "hit_det", "equals": n}] for n in (6, 5))
    assert parts_of([(10, 10), (16, 17)]) == [(first, 16 * 17, told), (second, 100, told)]


@pytest.mark.parametrize(
    ("detectors", "n_left_out", "n_parts"),
    [
        ([(10, 10), (16, 12)], 0, 2),
        ([(10, 10), (12, 16)], 0, 2),
        ([(10, 10), (15, 15)], 0, 0),  # no side is more than half as long again
        ([(10, 10), (16, 11)], 0, 0),  # and the other side is about as long
        ([(10, 10), (11, 16)], 0, 0),
        ([(10, 10), (16, 16)], 49, 2),
        ([(10, 10), (16, 16)], 50, 0),  # hits in no more than half of the cells of the first
        ([(12, 12), *[(19, 19)] * (MAX_SECTIONS - 1)], 0, MAX_SECTIONS),
        ([(12, 12), *[(19, 19)] * MAX_SECTIONS], 0, 0),
    ],
)
def test_detectors_are_told_apart_by_both_their_sides(detectors, n_left_out, n_parts):
    assert len(parts_of(detectors, n_left_out)) == n_parts


def test_only_labels_tell_detectors_apart():
    assert parts_of([(10, 10), (16, 16)], kind=np.float32) == []
