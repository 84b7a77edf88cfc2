"""The physics knobs: what they accept, what they refuse and say, and what they mean to a kernel."""

import copy
import math
from fractions import Fraction

import numpy as np
import oracle
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from rules_oracle import DEFAULTS
from strategies import windows

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.kernels import NEIGHBOUR_WINS, SEED_WINS
from hep_peaksum.settings.messages import shown
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Count, Depth, EnergyUnit, Size, inclusive_bound, passes
from hep_peaksum.settings.units import energy_in_gev, exact
from hep_peaksum.settings.windows import Box

TAU_WINDOW = """
    ===
    =o>
    >>>
"""


def test_the_defaults_are_a_plain_search_of_three_by_three_cells():
    assert PeakSumSettings().model_dump() == {
        **DEFAULTS,
        "max_clusters": None,
        "max_clusters_by": "sum",
        "max_clusters_per": "event",
        "order": "sum",
        "nonfinite": "error",
        "kernel": "numba",
    }


@pytest.mark.parametrize(
    ("kind", "depth", "edge"),
    [
        ("chunky_donut", 3, "zero"),
        ("donut", 1, "zero"),
        ("phi_ring", None, "zero"),
        ("ring_median", 1, "existing"),
    ],
)
def test_a_kind_of_pileup_alone_is_the_published_estimate(kind, depth, edge):
    (estimate,) = PeakSumSettings(pileup=[kind]).pileup
    expected = {"kind": kind, "name": kind, "depth": depth, "length": None, "edge": edge}
    assert estimate.model_dump() == {**expected, "includes_cluster": True, "axis": None}


# ------------------------------------------------------------------------------------------------ windows


def test_a_window_of_rows_and_columns_is_centred_and_runs_row_by_row():
    assert PeakSumSettings(sum_window=(3, 1)).sum_cells() == ((-1, 0), (0, 0), (1, 0))
    assert PeakSumSettings(sum_window=[1, 3]).sum_cells() == ((0, -1), (0, 0), (0, 1))


def test_the_seed_is_summed_and_not_searched():
    nine = PeakSumSettings()

    assert len(nine.sum_cells()) == 9
    assert (0, 0) in nine.sum_cells()
    assert len(nine.search_cells()) == 8
    assert (0, 0) not in [(cell.row, cell.col) for cell in nine.search_cells()]


def test_a_drawn_window_has_the_cells_of_the_drawing():
    cross = """
        .x.
        xox
        .x.
    """

    assert PeakSumSettings(sum_window=cross).sum_cells() == ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))


def test_an_even_window_is_drawn_with_the_seed_where_it_belongs():
    assert PeakSumSettings(sum_window="ox\nxx").sum_cells() == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert PeakSumSettings(sum_window="xx\nxo").sum_cells() == ((-1, -1), (-1, 0), (0, -1), (0, 0))


def test_a_drawing_with_marks_is_its_own_tie_rule():
    tau = PeakSumSettings(search_window=TAU_WINDOW)

    assert tau.tie_rule == "drawn"
    assert {(cell.row, cell.col): cell.tie for cell in tau.search_cells()} == {
        (-1, -1): SEED_WINS,
        (-1, 0): SEED_WINS,
        (-1, 1): SEED_WINS,
        (0, -1): SEED_WINS,
        (0, 1): NEIGHBOUR_WINS,
        (1, -1): NEIGHBOUR_WINS,
        (1, 0): NEIGHBOUR_WINS,
        (1, 1): NEIGHBOUR_WINS,
    }


def test_the_window_of_cms_taus_is_the_lexicographic_rule():
    drawn, named = PeakSumSettings(search_window=TAU_WINDOW), PeakSumSettings(tie_rule="lexicographic")

    assert drawn.search_cells() == named.search_cells()


@given(data=st.data(), marks=st.sampled_from(("x", ">=")))
def test_a_drawing_is_read_as_the_definition_reads_it(data, marks):
    window = data.draw(windows((9, 9), (False, False), marks))
    settings = PeakSumSettings(search_window=window)

    assert [(cell.row, cell.col) for cell in settings.search_cells()] == [
        offset for offset, mark in oracle.read_window(window).items() if mark != "o"
    ]
    if marks == "x":
        assert PeakSumSettings(sum_window=window).sum_cells() == tuple(oracle.read_window(window))


def test_blank_space_around_a_drawing_does_not_matter():
    assert PeakSumSettings(sum_window="\n\n   xo\n   xx\n ") == PeakSumSettings(sum_window="xo\nxx")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        pytest.param((2, 3), "two odd numbers from 1; .*has to be drawn", id="even_rows"),
        pytest.param((3, 4), "two odd numbers from 1; .*has to be drawn", id="even_columns"),
        pytest.param((0, 3), r"\[0, 3\] is not a window", id="no_rows"),
        pytest.param((3, -1), r"\[3, -1\] is not a window", id="negative"),
        pytest.param((3,), r"two odd integers", id="one_number"),
        pytest.param((3, 3, 3), r"two odd integers", id="three_numbers"),
        pytest.param(3, r"3 is not a window.*\[rows, cols\]", id="a_number"),
        pytest.param((3.0, 3), "two odd integers", id="a_float"),
        pytest.param((True, 3), "two odd integers", id="true_is_no_1"),
        pytest.param((np.True_, 3), "two odd integers", id="numpy_true_is_no_1"),
        pytest.param(("3", "3"), "two odd integers", id="texts"),
        pytest.param(None, "None is not a window", id="none"),
        pytest.param("x#o", "not with '#'", id="strange_mark"),
        pytest.param("x o", "not with ' '", id="blank_inside"),
        pytest.param("3x3", r"write the list \[3, 3\]", id="as_one_says_it"),
        pytest.param("xo\nx", r"one length.*\[2, 1\]", id="ragged"),
        pytest.param("xx\nxx", "exactly one 'o'.*has 0", id="no_seed"),
        pytest.param("oo", "exactly one 'o'.*has 2", id="two_seeds"),
        pytest.param("xo>", "do not mix", id="mixed_marks"),
        pytest.param("", "window|drawn", id="nothing_drawn"),
    ],
)
@pytest.mark.parametrize("which", ["search_window", "sum_window"])
def test_a_wrong_window_is_refused(which, window, message):
    with pytest.raises(ValueError, match=f"(?s){which}.*({message})"):
        PeakSumSettings(**{which: window})


@pytest.mark.parametrize("which", ["search_window", "sum_window", "seed_window"])
def test_a_window_may_have_ten_thousand_cells_and_no_more(which):
    assert getattr(PeakSumSettings(**{which: (99, 101)}), which) == (99, 101)
    with pytest.raises(ValueError, match="a window of 10201 cells is too large: make it smaller"):
        PeakSumSettings(**{which: (101, 101)})
    with pytest.raises(ValueError, match="a window of 10001 cells is too large"):
        PeakSumSettings(**{which: "x" * 10_000 + "o"})


def test_numpy_integers_are_integers():
    assert PeakSumSettings(search_window=np.array([3, 5])).search_window == (3, 5)


def test_nothing_is_compared_in_a_sum_window():
    with pytest.raises(ValueError, match=r"sum_window is drawn with 'x', 'o' and '.'"):
        PeakSumSettings(sum_window="=o>")


@pytest.mark.parametrize("rule", ["first", "all", "diagonal"])
def test_a_drawing_with_marks_excludes_a_tie_rule(rule):
    with pytest.raises(ValueError, match=f"tie_rule '{rule}'.*leave tie_rule out"):
        PeakSumSettings(search_window="=o>", tie_rule=rule)


@pytest.mark.parametrize("window", [(3, 3), "xox"])
def test_a_drawn_tie_rule_has_to_be_drawn(window):
    with pytest.raises(ValueError, match="'drawn' needs a search window drawn with '>' and '='"):
        PeakSumSettings(search_window=window, tie_rule="drawn")


def test_an_unknown_tie_rule_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match=r"(?s)tie_rule.*'all', 'none', 'first'"):
        PeakSumSettings(tie_rule="highest")


def test_strips_flank_the_window_on_its_four_sides():
    below, above, left, right = Box(-1, 1, -1, 1).strips(1)

    assert below == ((-2, -1), (-2, 0), (-2, 1))
    assert above == ((2, -1), (2, 0), (2, 1))
    assert left == ((-1, -2), (0, -2), (1, -2))
    assert right == ((-1, 2), (0, 2), (1, 2))


def test_the_strips_of_cms_have_27_towers_each_and_none_twice():
    strips = Box(-4, 4, -4, 4).strips(3)

    assert [len(strip) for strip in strips] == [27] * 4
    assert len(set(sum(strips, ())) | set(PeakSumSettings(sum_window=(9, 9)).sum_cells())) == 4 * 27 + 81


# ---------------------------------------------------------------------------------------------- the object


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        pytest.param("seed_threshold", True, "True is not a number", id="true_is_no_1"),
        pytest.param("seed_threshold", np.True_, "True is not a number", id="numpy_true_is_no_1"),
        pytest.param("cell_threshold", False, "False is not a number", id="false_is_no_0"),
        pytest.param("seed_threshold", None, "has no value", id="no_threshold"),
        pytest.param("seed_threshold", math.nan, "nan is not a finite number", id="nan"),
        pytest.param("seed_threshold", -math.inf, "-inf is not a finite number", id="infinity"),
        pytest.param("seed_threshold", np.float32("nan"), "nan is not a finite number", id="numpy_nan"),
        pytest.param("seed_threshold", "4", "'4' is not an energy.*'4 GeV'", id="number_as_text"),
        pytest.param("seed_threshold", "4 gev", "not an energy.*eV, keV, MeV, GeV, TeV", id="unit_misspelt"),
        pytest.param("seed_threshold", "4 5 GeV", "not an energy", id="two_numbers"),
        pytest.param("seed_threshold", "inf GeV", "not an energy", id="infinite_energy"),
        pytest.param("cell_threshold", "GeV", "not an energy", id="unit_alone"),
        pytest.param("seed_threshold", [1], r"\[1\] is not a threshold", id="list"),
        pytest.param("seed_comparison", "<", "'>' or '>='", id="comparison"),
        pytest.param("max_clusters", True, "is not a whole number", id="true_clusters"),
        pytest.param("max_clusters", 0, "is below 1, the smallest value allowed", id="no_clusters"),
        pytest.param("max_clusters", 2.0, "is not a whole number", id="clusters_as_float"),
        pytest.param("order", "pt", "'sum' or 'position'", id="order"),
        pytest.param("masked", "ignored", "'absent' or 'zero'", id="masked"),
        pytest.param("nonfinite", "zero", "'error' or 'mask'", id="nonfinite"),
        pytest.param("kernel", "cuda", "'numba' or 'scipy'", id="kernel"),
        pytest.param("pileup", ("sandwich",), "'chunky_donut'", id="pileup"),
        pytest.param("seed_treshold", 1, "did you mean 'seed_threshold'", id="misspelt_knob"),
    ],
)
def test_a_wrong_value_is_refused_and_its_key_is_named(knob, value, message):
    with pytest.raises(ValueError, match=f"(?s){knob}.*({message})"):
        PeakSumSettings(**{knob: value})


@pytest.mark.parametrize("window", [(3, 5), "xo"])
def test_the_chunky_donut_needs_a_square_window(window):
    with pytest.raises(ValueError, match=r"square sum window \[n, n\]"):
        PeakSumSettings(sum_window=window, pileup=("chunky_donut",))


def test_equal_settings_have_one_hash_also_copies_and_those_of_other_processes():
    settings, same = PeakSumSettings(seed_threshold=2), PeakSumSettings(seed_threshold=2)
    number = hash(settings)

    assert number == hash(same) == hash(settings.model_copy()) == hash(copy.deepcopy(settings))
    assert hash(settings.model_copy(update={"seed_threshold": 3})) != number
    assert settings == same
    assert settings.model_dump() == same.model_dump()
    assert not any("hash" in name for name in settings.__getstate__()["__dict__"])  # texts differ by process


def test_settings_are_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        PeakSumSettings().seed_threshold = 1


def test_equal_settings_are_one_key_of_a_dictionary():
    one, same = PeakSumSettings(search_window=[5, 5]), PeakSumSettings(search_window=(5, 5))

    assert {one: "answer"}[same] == "answer"
    assert one != PeakSumSettings()


def test_blanks_in_a_threshold_do_not_matter():
    assert PeakSumSettings(seed_threshold="  4   GeV ") == PeakSumSettings(seed_threshold="4 GeV")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(PeakSumSettings(), id="default"),
        pytest.param(PeakSumSettings(search_window=TAU_WINDOW), id="drawn_rule"),
        pytest.param(
            PeakSumSettings(search_window="xo", sum_window=".x\nxo", tie_rule="all"), id="drawn_windows"
        ),
        pytest.param(PeakSumSettings(search_window="o", sum_window="o"), id="seed_alone"),
        pytest.param(
            PeakSumSettings(
                search_window=(9, 9),
                sum_window=(9, 9),
                tie_rule="diagonal",
                seed_threshold="4 GeV",
                seed_comparison=">=",
                cell_threshold=0.1,
                pileup=("chunky_donut",),
                max_clusters=12,
                order="position",
                masked="zero",
                nonfinite="mask",
                kernel="scipy",
            ),
            id="everything",
        ),
        pytest.param(
            PeakSumSettings(
                seed_window=(3, 3),
                coarsen=(2, 3),
                seed_threshold="5  sigma",
                overlap="nearest",
                pileup=("phi_ring", {"kind": "donut", "length": 5, "edge": "strip"}),
            ),
            id="pileup_of_towers",
        ),
    ],
)
@pytest.mark.parametrize("without_defaults", [True, False])
def test_settings_survive_yaml(settings, without_defaults):
    text = yaml.safe_dump(settings.model_dump(mode="json", exclude_defaults=without_defaults))
    again = PeakSumSettings(**yaml.safe_load(text))

    assert again == settings
    assert hash(again) == hash(settings)


# -------------------------------------------------------------------------------------------- thresholds


@pytest.mark.parametrize(
    ("text", "gev"),
    [
        ("1 GeV", 1),
        ("500MeV", Fraction(1, 2)),
        (" .5 TeV ", 500),
        ("1e3 keV", Fraction(1, 1000)),
        ("-1 eV", Fraction(-1, 10**9)),
    ],
)
def test_an_energy_is_read_exactly(text, gev):
    assert energy_in_gev(text) == gev


def test_a_number_has_exactly_the_value_that_is_written():
    assert exact(0.3) == exact("0.3") == Fraction(3, 10)


@pytest.mark.parametrize(
    ("threshold", "comparison", "unit", "bound"),
    [
        pytest.param("4 GeV", ">=", 0.5, 8, id="4_GeV_in_half_GeV"),
        pytest.param("4 GeV", ">", 0.5, 9, id="above_4_GeV_in_half_GeV"),
        pytest.param("0.3 GeV", ">=", 0.1, 3, id="0.3_GeV_in_tenths"),
        pytest.param("0.3 GeV", ">", 0.1, 4, id="above_0.3_GeV_in_tenths"),
        pytest.param("0.25 GeV", ">=", 0.1, 3, id="between_two_counts"),
        pytest.param("0.25 GeV", ">", 0.1, 3, id="above_between_two_counts"),
        pytest.param("300 MeV", ">", 0.1, 4, id="MeV"),
        pytest.param(2, ">", 0.5, 3, id="counts_have_no_unit"),
        pytest.param(0.1, ">=", 1.0, 1, id="a_tenth_of_a_count"),
        pytest.param(-0.5, ">", 1.0, 0, id="negative"),
        pytest.param(-1, ">=", 1.0, -1, id="negative_inclusive"),
        pytest.param(2**53 + 1, ">", 1.0, 2**53 + 2, id="beyond_float64"),
        pytest.param(2**63 - 1, ">=", 1.0, 2**63 - 1, id="largest_int64"),
    ],
)
def test_a_threshold_on_an_integer_grid_is_an_exact_integer(threshold, comparison, unit, bound):
    found = inclusive_bound(threshold, comparison, unit, integer=True)

    assert found == bound
    assert isinstance(found, int)


@pytest.mark.parametrize("threshold", [2**63, 1e30, "1e10 TeV"])
def test_a_threshold_beyond_64_bit_integers_is_refused(threshold):
    with pytest.raises(ValueError, match="64-bit integer"):
        inclusive_bound(threshold, ">=", 1e-9, integer=True)


@pytest.mark.parametrize("unit", [0.1, 0.5, 1.0])
def test_an_energy_on_a_floating_grid_is_the_nearest_number_of_counts(unit):
    assert inclusive_bound("0.3 GeV", ">=", unit, integer=False) == float(Fraction(3, 10) / exact(unit))


@given(value=st.floats(allow_nan=False), threshold=st.floats(allow_nan=False, allow_infinity=False))
def test_the_bound_is_the_threshold_for_every_float(value, threshold):
    assert (value >= inclusive_bound(threshold, ">=", 1.0, integer=False)) == (value >= threshold)
    if math.isfinite(value):
        assert (value >= inclusive_bound(threshold, ">", 1.0, integer=False)) == (value > threshold)


@given(value=st.sampled_from((0.1, 0.3, 1 / 3, 2.0, 0.0, -0.1)), steps=st.integers(-1, 1), single=st.booleans())
def test_the_bound_is_exact_next_to_the_threshold(value, steps, single):
    number = np.float32 if single else np.float64
    cell = number(value)
    for _ in range(abs(steps)):
        cell = np.nextafter(cell, number(math.copysign(math.inf, steps)))
    cell = float(cell)

    assert (cell >= inclusive_bound(value, ">", 1.0, integer=False)) == (cell > value)
    assert (cell >= inclusive_bound(value, ">=", 1.0, integer=False)) == (cell >= value)


@given(
    value=st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-3, 3),
    threshold=st.integers(-(2**62), 2**62) | st.integers(-3, 3) | st.floats(-4, 4),
)
def test_the_bound_is_the_threshold_for_every_integer(value, threshold):
    assert (value >= inclusive_bound(threshold, ">", 1.0, integer=True)) == (value > threshold)
    assert (value >= inclusive_bound(threshold, ">=", 1.0, integer=True)) == (value >= threshold)


@pytest.mark.parametrize("threshold", [2**53 + 1, 2**53 + 3, -(2**53) - 1])
@pytest.mark.parametrize("cell", [2.0**53, 2.0**53 + 2, 2.0**53 + 4, -(2.0**53), -(2.0**53) - 2])
def test_an_integer_threshold_between_two_floats_is_exact_on_floating_cells(threshold, cell):
    assert (cell >= inclusive_bound(threshold, ">", 1.0, integer=False)) == (cell > threshold)
    assert (cell >= inclusive_bound(threshold, ">=", 1.0, integer=False)) == (cell >= threshold)


@pytest.mark.parametrize(
    ("sigmas", "noise", "expected"),
    [
        pytest.param("1 sigma", 2.0**63, [False, False, False], id="2^63_is_above_every_integer"),
        pytest.param("1 sigma", 2.0**62, [False, True, True], id="2^62"),
        pytest.param("-1 sigma", 2.0**63, [True, True, True], id="-2^63_is_the_least_integer"),
        pytest.param("2 sigma", 2.0**900, [False, False, False], id="far_above"),
        pytest.param("-2 sigma", 2.0**900, [True, True, True], id="far_below"),
    ],
)
def test_a_threshold_in_sigma_at_the_ends_of_int64(sigmas, noise, expected):
    values = np.array([-(2**63), 2**62, 2**63 - 1])
    assert passes(values, sigmas, ">=", 1.0, noise=np.full(3, noise)).tolist() == expected


@pytest.mark.parametrize(
    ("comparison", "expected"), [(">", [False, False, True, True]), (">=", [False, True, True, True])]
)
def test_a_threshold_in_sigma_is_exact_on_integers(comparison, expected):
    values, noise = np.array([5, 6, 7, 2**53 + 1]), np.array([2.0, 2.0, 2.0, 2.0**53 / 3])
    assert passes(values, "3 sigma", comparison, 1.0, noise=noise).tolist() == expected
    halves = passes(np.array([4, 5]), "1.5 sigma", comparison, 1.0, noise=np.array([3.0, 3.0]))
    assert halves.tolist() == [False, True]


FLAGS = [name for name, field in PeakSumSettings.model_fields.items() if field.annotation is bool]


@pytest.mark.parametrize("value", [0, 1, "yes", "true", 1.0])
@pytest.mark.parametrize("key", FLAGS)
def test_only_true_and_false_are_true_and_false(key, value):
    assert len(FLAGS) == 4
    with pytest.raises(ValueError, match=rf"^{key}: .*true or false"):
        PeakSumSettings(**{key: value})


@pytest.mark.parametrize("value", [0, "yes"])
def test_flags_of_axes_and_estimates_are_true_or_false(value):
    with pytest.raises(ValueError, match=r"periodic.*true or false"):
        Axis(n=4, periodic=value)
    with pytest.raises(ValueError, match=r"includes_cluster.*true or false"):
        PeakSumSettings(pileup=[{"kind": "ring_median", "depth": 1, "includes_cluster": value}])


@pytest.mark.parametrize(("n", "said"), [(58, f"'{58 * 'x'}'"), (59, f"'{55 * 'x'} ...")])
def test_a_value_of_up_to_sixty_characters_is_shown_whole(n, said):
    assert shown("x" * n) == said
    assert len(said) == 60


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (Count, [1, 2**63 - 1, np.int32(1)], [0, -1, 1.0, True, 2**63, "1"]),
        (Size, [1, 1_000_000], [0, 1_000_001, 1.0, True, "1"]),
        (Depth, [1, 100, np.uint8(1)], [0, 101, 1.0, 1.5, True, "1"]),
        (EnergyUnit, [1e-9, "0.5 GeV"], [0, -1, "0 GeV", np.nan]),
    ],
    ids=["Count", "Size", "Depth", "EnergyUnit"],
)
def test_numbers_have_ends(kind, allowed, refused):
    adapter = TypeAdapter(kind)
    for value in allowed:
        assert adapter.validate_python(value) == (0.5 if isinstance(value, str) else value)
    for value in refused:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
