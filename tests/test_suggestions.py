"""Did you mean: the nearest of the known words, or one that has the word as a part."""

import pytest

from hep_peaksum.suggestions import did_you_mean, listed

FIELDS = ["peak_sum", "seed", "shared_sum", "pt", "e9_e25"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        pytest.param("peaksum", "peak_sum", id="almost_the_same"),
        pytest.param("SEED", "seed", id="another_case"),
        pytest.param("PEAKSUM", "peak_sum", id="almost_the_same_in_another_case"),
        pytest.param("sum", "peak_sum", id="a_part_of_several_is_the_first"),
        pytest.param("shared", "shared_sum", id="a_part"),
        pytest.param("e25", "e9_e25", id="a_short_part"),
        pytest.param("red_s", "shared_sum", id="contained_in_one"),
    ],
)
def test_a_near_word_is_suggested(word, near):
    assert did_you_mean(word, FIELDS) == f" (did you mean {near!r}?)"


@pytest.mark.parametrize("word", ["energy", "e", "", "um"])
def test_without_a_near_word_nothing_is_suggested(word):
    assert did_you_mean(word, FIELDS) == ""


def test_words_are_suggested_as_they_are_written():
    assert did_you_mean("evnts", ["Events"]) == " (did you mean 'Events'?)"


BRANCHES = [f"HLT_Mu{pt}" for pt in range(20, 60)] + ["Tower_eta", "Tower_phi"]


def test_of_many_names_those_nearest_to_a_word_are_listed():
    assert listed(BRANCHES, 3, near="tower_Eta") == "Tower_eta, Tower_phi, HLT_Mu20 and 39 more"
    assert listed(["e_t_a", "n_eta_max", "theta"], 2, near="eta") == "theta, n_eta_max and 1 more"


def test_a_few_names_are_all_listed_in_their_order():
    assert listed(["run", "event", "cells"], near="cells") == "run, event, cells"
    assert listed(BRANCHES, 2) == "HLT_Mu20, HLT_Mu21 and 40 more"
