"""Objects of the same event: how their places may be named, and which of them are taken."""

import awkward as ak
import pytest

from hep_peaksum import Axis, Grid
from hep_peaksum.geometry.grid import EventError
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


def test_a_scalar_is_one_number_of_every_event_in_its_unit():
    columns = {"met": ak.Array([[4], [6]]), "list": ak.Array([[1, 2], []])}
    met = ReferenceObjects(scalar={"branch": "met", "unit": "0.5 GeV"})
    assert met.read(columns.__getitem__, {}).to_list() == [{"value": 2}, {"value": 3}]
    assert (met.place, met.field_names) == (None, ("value",))
    with pytest.raises(ValueError, match="'list' has 1 axes below the event, expected one number per event"):
        ReferenceObjects(scalar="list").read(columns.__getitem__, {})


@pytest.mark.parametrize(
    ("phi", "error", "problem"),
    [
        ([[1, 2], [3], [4]], EventError, "1 values of 'p' for 2 of 'e'"),
        ([[1, 2], [3], None], EventError, "'p' is None for a hit"),
        ([1, 2, 3], ValueError, "'p' has 0 axes below the event, expected a list of numbers per event"),
    ],
)
def test_objects_have_as_many_numbers_of_each_kind(phi, error, problem):
    columns = {"e": ak.Array([[0, 0], [0], [0, 0]]), "p": ak.Array(phi)}
    with pytest.raises(error, match=problem) as raised:
        ReferenceObjects(eta="e", phi="p").read(columns.__getitem__, {})
    assert getattr(raised.value, "event", 2) == 2


def test_a_branch_without_a_unit_is_written_as_it_was_given():
    fields = {"pt": "x", "raw": {"branch": "y", "unit": "0.5 GeV"}}
    objects = ReferenceObjects(eta="e", phi="p", fields=fields)
    assert objects.model_dump()["fields"] == {"pt": "x", "raw": {"branch": "y", "unit": 0.5}}
    places = [("references.Gen.eta", "e"), ("references.Gen.phi", "p")]
    places += [("references.Gen.fields.pt", "x"), ("references.Gen.fields.raw", "y")]
    assert [each[:2] for each in objects.branch_keys("references.Gen")] == places
    (scalar,) = ReferenceObjects(scalar="met", datasets=["mc"]).branch_keys("references.Met")
    assert scalar == ("references.Met.scalar", "met", ("mc",))
