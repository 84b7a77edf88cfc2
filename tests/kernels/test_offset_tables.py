"""Adjacent cells as bits of words, against plain loops."""

import pytest

from hep_peaksum.kernels import (
    HIGHER_INDEX_WINS,
    LOWER_INDEX_WINS,
    NEIGHBOUR_WINS,
    SEED_WINS,
    Periodic,
    Rule,
    SearchCell,
    offset_tables,
)
from hep_peaksum.kernels.offset_tables import ADJACENT, adjacent_words


@pytest.mark.parametrize("vectors", [1, 2, 100], ids="{}_at_once".format)
@pytest.mark.parametrize("n_lanes", [4, 8])
def test_a_bit_of_a_word_says_whether_an_adjacent_cell_is_a_rival(monkeypatch, vectors, n_lanes):
    """Of 3 x 5 cells, which do not fill the last vector; of the window one adjacent cell is left out."""
    monkeypatch.setattr(offset_tables, "VECTORS", vectors)
    searched = {*ADJACENT, (0, 2)} - {(1, -1)}
    rule = Rule(tuple(SearchCell(*at, LOWER_INDEX_WINS) for at in sorted(searched)), 0, (), None)
    words = adjacent_words.__wrapped__((3, 5), rule, n_lanes)
    n_vectors = -(-15 // n_lanes)
    assert (words.own.shape, words.rivals.shape) == ((n_vectors,), (n_vectors, 8))
    for cell in range(n_vectors * n_lanes):
        (row, col), (vector, lane) = divmod(cell, 5), divmod(cell, n_lanes)
        assert int(words.own[vector]) >> lane & 1 == (cell < 15)
        for k, (down, right) in enumerate(ADJACENT):
            is_rival = (
                cell < 15 and (down, right) in searched and row + down in range(3) and col + right in range(5)
            )
            assert int(words.rivals[vector, k]) >> lane & 1 == is_rival
    assert max(int(words.own.max()), int(words.rivals.max())) < 2**n_lanes


LOST_TIES = {
    LOWER_INDEX_WINS: [1, 1, 1, 1, 0, 0, 0, 0],
    HIGHER_INDEX_WINS: [0, 0, 0, 0, 1, 1, 1, 1],
    SEED_WINS: [0] * 8,
    NEIGHBOUR_WINS: [1] * 8,
}


@pytest.mark.parametrize("tie", LOST_TIES)
def test_ties_with_adjacent_cells_are_decided_at_once(tie):
    """Row by row, the first four of the eight have a lower index than the cell in the middle."""
    rule = Rule(tuple(SearchCell(*at, tie) for at in ADJACENT), 0, (), None)
    assert adjacent_words((3, 3), rule, 8).loses_tie.tolist() == LOST_TIES[tie]
    assert len(offset_tables.offset_tables((3, 3), rule, Periodic(rows=False, cols=False)).search) == 0


def test_ties_of_each_adjacent_cell_are_its_own():
    rule = Rule((SearchCell(0, -1, SEED_WINS), SearchCell(1, 0, NEIGHBOUR_WINS)), 0, (), None)
    assert adjacent_words((3, 3), rule, 8).loses_tie.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
