"""Objects of the same event: how their places may be named, and which of them are taken."""

import awkward as ak
import pytest

from hep_peaksum import Axis, Grid
from hep_peaksum.measuring.references import ReferenceObjects
from hep_peaksum.settings.frozen_model import SettingsError

TOWERS = Grid(rows=Axis(labels="-2..2"), cols=Axis(n=8))
COLUMNS = {
    "ieta": ak.Array([[-2, 1, 7], []]),
    "iphi": ak.Array([[0, 3, 3], []]),
    "et": ak.Array([[10, 30, 20], []]),
}


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        pytest.param({}, "give one of row and col, eta and phi, x and y, or scalar", id="no-place"),
        pytest.param(
            {"eta": "e"}, "give one of row and col, eta and phi, x and y, or scalar", id="half-a-place"
        ),
        pytest.param(
            {"eta": "e", "phi": "p", "scalar": "met"}, "give one of row and col, eta and phi", id="two-places"
        ),
        pytest.param({"row": "r", "col": "c"}, "row and col are on a grid: name it in grid", id="no-grid"),
        pytest.param({"eta": "e", "phi": "p", "grid": "calo"}, "grid needs row and col", id="grid-alone"),
        pytest.param(
            {"scalar": "met", "fields": {"pt": "x"}},
            "a scalar has the field value only: drop fields and where",
            id="fields-of-a-scalar",
        ),
        pytest.param(
            {"eta": "e", "phi": "p", "where": [{"field": "pt", "min": 1}]},
            "where: no field 'pt'; there are ",
            id="unknown-field",
        ),
    ],
)
def test_a_reference_that_cannot_be_is_one_line(keys, problem):
    with pytest.raises(SettingsError) as error:
        ReferenceObjects(**keys)
    (line,) = str(error.value).splitlines()
    assert problem in line


def test_objects_have_cells_of_the_grid_their_fields_and_their_place_in_the_list():
    objects = ReferenceObjects(
        row="ieta", col="iphi", grid="calo", fields={"pt": {"branch": "et", "unit": "0.5 GeV"}}, where=[
            {"field": "pt", "min": 8}
        ]
    )  # fmt: skip
    found = objects.read(COLUMNS.__getitem__, {"calo": TOWERS})
    assert found.row.to_list() == [[3, -1], []]  # the label 1 is the row 3 of -2..2, 7 is none
    assert found.col.to_list() == [[3, 3], []]
    assert found.pt.to_list() == [[15, 10], []]
    assert found["index"].to_list() == [[1, 2], []]
