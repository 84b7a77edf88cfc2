"""A grid without a unit gives counts: in fields, tables and pictures, and no energy is a threshold on it."""

import awkward as ak
import pytest
from eta_phi import ETA_PHI, shower
from figures import assert_drawable

from hep_peaksum import Axis, Grid, PeakSumSettings, compare, find_clusters, peak_sum_map
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.diagnostics.wording import discriminant_unit
from hep_peaksum.geometry.hits import sparse
from hep_peaksum.plotting.canvas import cell_title

WITHOUT, WITH = Grid(**ETA_PHI), Grid(**ETA_PHI, unit=0.5)
PLAIN = {"rows": Axis(n=4), "cols": Axis(name="x", bins=6, start=0, stop=6)}


@pytest.mark.parametrize("axes", [ETA_PHI, PLAIN], ids=["eta_phi", "x"])
@pytest.mark.parametrize("quantity", ["energy", "et"])
def test_energies_are_in_counts_where_a_grid_has_no_unit(axes, quantity):
    for unit, word in ((None, "counts"), (1, "GeV"), ("0.5 GeV", "GeV")):
        grid = Grid(**axes, quantity=quantity, unit=unit)
        titles = {n: f for n, f in fields_of(grid).items() if n in ("pt", "energy")}
        assert {field.unit for field in titles.values()} == {word}
        assert all(field.axis_title.endswith(f" [{word}]") for field in titles.values())
        assert ("GeV" in cell_title(grid)) == (unit is not None)
    assert discriminant_unit(PeakSumSettings(), Grid(**axes)) == "counts"
    assert discriminant_unit(PeakSumSettings(), Grid(**axes, unit=1)) == "GeV"
    assert discriminant_unit(PeakSumSettings(), Grid(**axes, unit=0.5)) == "counts of 0.5 GeV"


def test_energies_without_a_unit_are_the_sums():
    cells = shower((4, 6), 1, 2, 7.0)
    (cluster,) = find_clusters(cells, None, WITHOUT)[0]
    assert (cluster.energy, cluster.peak_sum) == (7, 7)
    assert find_clusters(cells, None, WITH).energy.to_list() == [[3.5]]
    assert compare(cells, PeakSumSettings(), PeakSumSettings(), WITHOUT).unit == 1


@pytest.mark.parametrize(
    "rules",
    [
        {"seed_threshold": "4 GeV"},
        {"cell_threshold": "500 MeV"},
        {"sum_threshold": "4 GeV"},
        {"min_seed_gap": "1 GeV"},
        {"min_prominence": "1 GeV"},
        {"neighbour_threshold": "1 GeV", "min_neighbours": 1},
    ],
    ids=lambda rules: next(iter(rules)),
)
def test_an_energy_is_no_threshold_on_a_grid_without_a_unit(rules):
    settings, cells = PeakSumSettings(**rules), shower((4, 6), 1, 2)
    (key, value) = next(iter(rules.items()))
    message = f"{key} '{value}' is an energy, and the grid has no unit: give unit, such as '0.5 GeV', or counts"
    hits = sparse(ak.Array([[1]]), ak.Array([[2]]), ak.Array([[4.0]]), Grid(rows=Axis(n=4), cols=Axis(n=6)))
    for call in (find_clusters, peak_sum_map):
        for given in (cells, hits):
            with pytest.raises(ValueError, match=message):
                call(given, settings, WITHOUT)
    with pytest.raises(ValueError, match=message):
        find_clusters(cells, settings)
    assert len(find_clusters(cells, settings, WITH)) == 1


def test_a_picture_without_a_unit_says_counts(tmp_path):
    from hep_peaksum.plotting.events import draw_event

    cells = shower((4, 6), 1, 2, 7.0)
    for grid, unit in ((WITHOUT, ""), (WITH, " GeV")):
        figure = draw_event(cells[0], PeakSumSettings(), grid, clusters=find_clusters(cells, None, grid)[0])
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        sums = "3.5" if unit else "7"
        assert any(text.strip() == f"{sums}{unit}" for text in texts), texts
        assert_drawable(figure, tmp_path / "event.png")
