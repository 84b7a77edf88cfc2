"""Rows of hits around the beam: those with equally many cells in azimuth belong together."""

from itertools import pairwise

import numpy as np
import pytest

from hep_peaksum.lattices.turns import rows_of_one_turn

TURN = 2 * np.pi


def hits(cells_in_turn, n_hits=3000, seed=1):
    """Return row and azimuth of hits at the centres of cells, of which each row has so many in a turn."""
    random = np.random.default_rng(seed)
    row = random.integers(len(cells_in_turn), size=n_hits)
    n = np.array(cells_in_turn)[row]
    return row * 0.1, ((random.integers(1 << 20, size=n_hits) % n + 0.5) / n * TURN - np.pi).astype("f4")


@pytest.mark.parametrize(
    ("cells", "limits"),
    [
        ([64] * 8, []),
        ([32] * 2 + [64] * 8 + [32] * 2, [0.15, 0.95]),
        ([64] * 5 + [32] * 3 + [16] * 2, [0.45, 0.75]),
        ([64, 32] * 4, []),  # in no part of a detector
    ],
)
def test_rows_are_parted_where_the_number_of_cells_changes(cells, limits):
    rows, phi = hits(cells)
    ends = [-np.inf, *limits, np.inf]
    assert rows_of_one_turn(rows, phi) == [*pairwise(ends)]


def test_few_hits_or_no_cells_say_nothing():
    """A row of few hits is taken for one like the row before it."""
    whole = [(-np.inf, np.inf)]
    rows, phi = hits([64] * 6 + [32] * 2)
    few = (rows < 0.55) | (np.arange(len(rows)) % 90 == 0)
    assert rows_of_one_turn(rows[few], phi[few]) == whole
    assert rows_of_one_turn(rows, np.random.default_rng(2).uniform(0, TURN, len(rows))) == whole
