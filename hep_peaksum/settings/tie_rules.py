"""The tie rules: which of two equal cells in each other's search window is a seed. The one table of them.

A rule that decides by the offset of the other cell is a name in `TieRule` and a row of `TIE_RULES`. The kernels
see only who wins a tie with each cell of the search window (see `PeakSumSettings.search_cells`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from hep_peaksum.kernels import HIGHER_INDEX_WINS, LOWER_INDEX_WINS, NEIGHBOUR_WINS, SEED_WINS, Offset

TieRule = Literal[
    "all", "none", "first", "last", "diagonal", "lexicographic", "drawn", "greedy", "greedy-residual"
]


class TieRuleEntry(NamedTuple):
    """How a tie rule decides, what that means in words, and who wins a tie with a cell of the search window.

    `winner` takes the offset of the cell and its mark in a drawn window. Rules that decide by `offset` leave no
    seed on a ring of equal cells that closes around a periodic axis.
    """

    decides_by: Literal["nothing", "index", "offset", "mark", "order", "removal"]
    meaning: str
    winner: Callable[[Offset, str], int]

    @property
    def is_greedy(self) -> bool:
        """Whether seeds are accepted one after the other, the highest first."""
        return self.decides_by in ("order", "removal")


def _always(winner: int) -> Callable[[Offset, str], int]:
    return lambda _offset, _mark: winner


def _neighbour_if(is_strict: Callable[[Offset, str], bool]) -> Callable[[Offset, str], int]:
    return lambda offset, mark: NEIGHBOUR_WINS if is_strict(offset, mark) else SEED_WINS


TIE_RULES: Mapping[TieRule, TieRuleEntry] = MappingProxyType(
    {
        "all": TieRuleEntry("nothing", "equal cells are all seeds", _always(SEED_WINS)),
        "none": TieRuleEntry("nothing", "none of several equal cells is a seed", _always(NEIGHBOUR_WINS)),
        "first": TieRuleEntry(
            "index",
            "of equal cells the one with the lower (row, col) in the grid is the seed, also across a seam",
            _always(LOWER_INDEX_WINS),
        ),
        "last": TieRuleEntry(
            "index",
            "of equal cells the one with the higher (row, col) in the grid is the seed, also across a seam",
            _always(HIGHER_INDEX_WINS),
        ),
        # cms-sw/cmssw L1Trigger/L1TCalorimeter/src/firmware/Stage2Layer2JetAlgorithmFirmwareImp1.cc
        "diagonal": TieRuleEntry(
            "offset",
            "of equal cells the one further along both axes is the seed; none on a closed ring",
            _neighbour_if(lambda offset, _: (sum(offset), offset[0]) > (0, 0)),
        ),
        "lexicographic": TieRuleEntry(
            "offset",
            "of equal cells the one in the later row, then column, is the seed; none on a closed ring",
            _neighbour_if(lambda offset, _: offset > (0, 0)),
        ),
        "drawn": TieRuleEntry(
            "mark",
            "the marks of the search window say which cells the seed must exceed",
            _neighbour_if(lambda _, mark: mark == ">"),
        ),
        "greedy": TieRuleEntry(
            "order",
            "maxima are accepted from the highest down, and exclude all others in their search window",
            _always(SEED_WINS),  # all maxima are candidates
        ),
        "greedy-residual": TieRuleEntry(
            "removal",
            "the highest remaining cell is a seed, a maximum or not, and removes the cells of its windows",
            _always(SEED_WINS),
        ),
    }
)
