"""Adjacent cells as bits of words, against plain loops."""

import pytest

from hep_peaksum.kernels import HIGHER_INDEX_WINS, LOWER_INDEX_WINS, Rule, SearchCell, offset_tables
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


@pytest.mark.parametrize("tie", [LOWER_INDEX_WINS, HIGHER_INDEX_WINS])
def test_ties_are_decided_at_once_if_the_lower_index_wins_all(tie):
    rule = Rule((SearchCell(0, -1, LOWER_INDEX_WINS), SearchCell(0, 1, tie)), 0, (), None)
    assert adjacent_words((2, 2), rule, 8).lower_index_wins == (tie == LOWER_INDEX_WINS)
