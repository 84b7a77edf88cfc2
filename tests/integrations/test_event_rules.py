"""What can be exported, and what is refused by the name of its key."""

import numpy as np
import pytest

from hep_peaksum import Axis, Grid, PeakSumSettings, cpp_header, event_function, preset
from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.integrations.event_rules import SUPPORTED, WITHOUT_EFFECT

REFUSED = {
    "tie_rule": {"tie_rule": "greedy"},
    "overlap": {"overlap": "highest"},
    "seed_window": {"seed_window": (3, 3)},
    "quantity": {"quantity": "significance", "seed_threshold": 3},
    "seed_threshold": {"seed_threshold": "4 sigma"},
    "cell_threshold": {"cell_threshold": "2 sigma"},
    "sum_threshold": {"sum_threshold": "5 sigma"},
    "coarsen": {"coarsen": (2, 2)},
    "position": {"position": "log"},
    "min_prominence": {"min_prominence": 2},
    "keep_stronger_side": {"keep_stronger_side": "rows"},
    "cell_threshold_abs": {"cell_threshold": 1, "cell_threshold_abs": True},
    "nonfinite": {"nonfinite": "mask"},
    "sum_threshold_on": {"sum_threshold": 3, "pileup": ["chunky_donut"], "sum_threshold_on": "net"},
}


@pytest.mark.parametrize("export", [cpp_header, event_function])
@pytest.mark.parametrize(("key", "values"), REFUSED.items(), ids=REFUSED)
def test_what_needs_more_than_one_pass_is_refused_by_name(key, values, export):
    with pytest.raises(ValueError, match=rf"^{key} .* cannot be exported: .* leave {key} out") as refused:
        export(PeakSumSettings(**values), bare_grid((8, 8)))
    assert "\n" not in str(refused.value)


def test_every_other_key_is_refused_if_it_is_not_the_default():
    """A key that is added later is refused until somebody looks."""
    assert set(PeakSumSettings.model_fields) >= SUPPORTED | WITHOUT_EFFECT


def test_columns_of_pileup_are_left_out_and_named():
    settings, grid = preset("cms-l1-jet")
    assert "// Left out: the fields chunky_donut, net." in cpp_header(settings, grid)
    with pytest.raises(ValueError, match=r"no field 'net' in one event: there are peak_sum, seed"):
        event_function(settings, grid, "net")


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), the grid \(8, 8\)"):
        cpp_header(PeakSumSettings(), bare_grid((8, 8)), mask=np.zeros((2, 3), bool))


@pytest.mark.parametrize("name", ["double", "a b", "1st", ""])
def test_names_that_are_none_in_cpp_are_refused(name):
    with pytest.raises(ValueError, match="is not a name in C\\+\\+"):
        cpp_header(PeakSumSettings(), bare_grid((8, 8)), namespace=name)


@pytest.mark.parametrize("name", ["double", "size", "namespace"])
def test_axes_with_a_name_that_is_none_in_cpp_are_refused(name):
    axis = Axis(name=name, bins=8, start=0, stop=1)
    with pytest.raises(ValueError, match="is not a name in C\\+\\+"):
        cpp_header(PeakSumSettings(), Grid(rows=axis, cols=Axis(n=8)))
