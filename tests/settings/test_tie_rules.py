"""The table of tie rules, against the definition in `oracle`."""

from typing import get_args

import oracle
import pytest

from hep_peaksum import PeakSumSettings
from hep_peaksum.settings.tie_rules import TIE_RULES, TieRule


def test_every_tie_rule_has_an_entry():
    assert list(TIE_RULES) == list(get_args(TieRule))
    assert all(entry.meaning for entry in TIE_RULES.values())


@pytest.mark.parametrize("rule", ["all", "none", "first", "last", "diagonal", "lexicographic"])
def test_a_rule_is_as_strict_as_the_definition_says(rule):
    cell = (5, 5)
    for neighbour in PeakSumSettings(search_window=(5, 7), tie_rule=rule).search_cells():
        offset = (neighbour.row, neighbour.col)
        other = (cell[0] + offset[0], cell[1] + offset[1])
        is_strict = neighbour.must_be_exceeded(has_lower_index=other < cell)
        assert is_strict == oracle.is_strict(rule, "x", cell, other, offset)


@pytest.mark.parametrize("rule", TIE_RULES)
def test_greedy_rules_accept_seeds_one_after_the_other(rule):
    window = ">o=" if rule == "drawn" else (3, 3)
    settings = PeakSumSettings(tie_rule=rule, search_window=window)
    assert settings.is_greedy == rule.startswith("greedy")
    assert settings.removes_cells == (rule == "greedy-residual")
