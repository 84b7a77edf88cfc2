"""A collection as other frameworks' configs describe it: what it reads, finds, and says about mistakes."""

import sys
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
from framework_events import expected_clusters, tied_cells

from hep_peaksum import find_clusters, preset, sparse
from hep_peaksum.integrations import fast_hep
from hep_peaksum.integrations.collection import ClusterCollection, collections
from hep_peaksum.integrations.pocket_coffea import PeakSumMixin

TOWERS = {
    "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
    "cols": {"name": "phi", "bins": 16, "start": "-pi", "stop": "pi", "periodic": True},
    "quantity": "et",
    "unit": "1 GeV",
}
KEYS = {"cells": "Tower.et", "grid": TOWERS, "settings": {"seed_threshold": "1 GeV"}}


def test_the_cells_of_a_collection_of_the_events_are_searched():
    towers = ak.zip({"et": ak.from_numpy(tied_cells(), regulararray=True)}, depth_limit=1)
    clusters = ClusterCollection(**KEYS).find(ak.zip({"Tower": towers}, depth_limit=1))
    found = zip(*(clusters[name].to_list() for name in ("row", "col", "peak_sum")), strict=True)
    assert [list(zip(*event, strict=True)) for event in found] == expected_clusters(tied_cells())


def test_hits_and_a_preset_with_its_own_grid():
    ieta, iphi, iet = ak.Array([[1, 1, -3], []]), ak.Array([[7, 8, 72], []]), ak.Array([[20, 4, 9], []])
    cells = {"row": "ieta", "col": "iphi", "value": "iet"}
    search = ClusterCollection(cells=cells, settings="cms-l1-jet", fields=["pt", "chunky_donut"])
    settings, grid = preset("cms-l1-jet")
    expected = find_clusters(sparse(ieta, iphi, iet, grid), settings, grid, fields=["pt", "chunky_donut"])
    found = search.find(ak.zip({"ieta": ieta, "iphi": iphi, "iet": iet}, depth_limit=1))
    assert found.to_list() == expected.to_list()
    assert len(found[0]) > 0


@pytest.mark.parametrize("given", [{}, {"grid": None}], ids=["left-out", "null-of-a-YAML-file"])
def test_without_a_grid_that_of_the_preset_is_taken(given):
    assert ClusterCollection(cells="ET", settings="cms-l1-jet", **given).grid == preset("cms-l1-jet")[1]


def test_one_field_is_a_word():
    assert ClusterCollection(**KEYS, fields="pt").field_names == ["pt"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cell": "a"}, "Jet: ClusterCollection has no 'cell' (did you mean 'cells'?)"),
        ({"settings": {"seed_treshold": 3}}, "settings: PeakSumSettings has no 'seed_treshold' (did you mean"),
        (
            {"settings": {"seed_threshold": "4 Gev"}},
            "settings.seed_threshold: '4 Gev' is not an energy (did you",
        ),
        (
            {"settings": "cms-l1-jets"},
            "Jet: settings: no preset is called 'cms-l1-jets' (did you mean 'cms-l1-jet'?)",
        ),
        (
            {"grid": "cms-l1-tower"},
            "grid: no geometry is called 'cms-l1-tower' (did you mean 'cms-l1-towers'?)",
        ),
        ({"grid": None}, "Jet: grid: missing: give it"),
        ({"fields": ["ptt"]}, "Jet: no field is called 'ptt' (did you mean 'pt'?)"),
        ({"cells": {"row": "a"}}, "Jet: cells: col: missing: give it; value: missing: give it"),
        ({"cells": 3}, "Jet: cells: 3 is neither the name of a column nor a map of row, col and value"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_collection(keys, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole message is looked at
        collections({"Jet": {**KEYS, **keys}})
    (line,) = str(error.value).splitlines()
    assert message in line


def test_keys_that_are_no_map_are_named():
    with pytest.raises(ValueError, match=r"^Jet is 'x', expected its keys: cells, grid, settings, fields$"):
        collections({"Jet": "x"})


def test_a_missing_column_says_what_there_is():
    events = ak.Array([{"Tower": {"et": 1.0}, "run": 1}])
    with pytest.raises(ValueError, match=r"^Tower.ett: no 'ett' in Tower \(did you mean 'et'\?\)$"):
        ClusterCollection(**{**KEYS, "cells": "Tower.ett"}).find(events)
    with pytest.raises(ValueError, match=r"^calo: no 'calo' in the events: there are Tower, run$"):
        ClusterCollection(**{**KEYS, "cells": "calo"}).find(events)


def test_what_does_not_fit_names_the_column_and_the_event():
    cells = tied_cells()
    cells[3, 5, 7] = np.nan
    events = ak.zip({"calo": ak.from_numpy(cells, regulararray=True)}, depth_limit=1)
    with pytest.raises(ValueError, match=r"^calo: event 3: cell \(row 5, col 7\) is nan"):
        ClusterCollection(**{**KEYS, "cells": "calo"}).find(events)


# --------------------------------------------------------------- in frameworks, which need not be installed


def test_a_stage_of_fast_hep_adds_the_clusters_to_the_columns_of_the_stream():
    cells = tied_cells()
    stream = ak.zip(
        {"calo": ak.from_numpy(cells, regulararray=True), "run": np.arange(len(cells))}, depth_limit=1
    )
    keys = {**KEYS, "cells": "calo", "fields": ["row", "col", "peak_sum"]}
    found = fast_hep.run_clusters(stream=stream, **keys)
    assert found.fields == ["calo", "run", "nCluster", "Cluster_row", "Cluster_col", "Cluster_peak_sum"]
    assert found.run.to_list() == stream.run.to_list()
    expected = expected_clusters(cells)
    assert found.nCluster.to_list() == [len(event) for event in expected]
    columns = zip(*(found[name].to_list() for name in found.fields[3:]), strict=True)
    assert [list(zip(*event, strict=True)) for event in columns] == expected
    assert "nJet" in fast_hep.run_clusters(stream=stream, **keys, output="Jet").fields


def test_a_stage_of_fast_hep_says_what_it_reads_and_adds(monkeypatch):
    module = SimpleNamespace(DataDependencyResult=dict)
    monkeypatch.setitem(sys.modules, "hepflow.compiler.data_flow", module)
    cells = {"row": "y", "col": "x", "value": "e"}
    found = fast_hep.parse_dependencies({"cells": cells, "settings": "cms-l1-jet", "fields": ["pt", "eta"]})
    assert found == {"consumes": {"y", "x", "e"}, "produces": {"nCluster", "Cluster_pt", "Cluster_eta"}}


def test_a_stage_of_fast_hep_needs_no_more_than_a_collection():
    asked = {name: each["required"] for name, each in fast_hep.CLUSTERS_SPEC["params"].items()}
    assert asked.pop("output") is False
    assert {name for name in asked if not asked[name]} == {"settings", "grid", "fields"}
    assert {*asked} == {*ClusterCollection.model_fields}


def test_a_workflow_of_pocket_coffea_adds_the_collections_after_the_skim(monkeypatch):
    class Workflow:
        def __init__(self, cfg):
            self.cfg, self.events = cfg, None

        def process_extra_after_skim(self):
            self.events["is_skimmed"] = True

    class Mine(PeakSumMixin, Workflow):
        pass

    plain = SimpleNamespace(create=dict, to_container=lambda given, resolve: given if resolve else None)
    monkeypatch.setitem(sys.modules, "omegaconf", SimpleNamespace(OmegaConf=plain))
    cells = tied_cells()
    workflow = Mine(SimpleNamespace(parameters={"peaksum": {"Jet": {**KEYS, "cells": "calo"}}}))
    workflow.events = ak.zip({"calo": ak.from_numpy(cells, regulararray=True)}, depth_limit=1)
    workflow.process_extra_after_skim()
    assert workflow.events.fields == ["calo", "is_skimmed", "Jet"]
    sums = [[total for *_, total in event] for event in expected_clusters(cells)]
    assert workflow.events.Jet.peak_sum.to_list() == sums
    with pytest.raises(ValueError, match="parameters have no peaksum: add peaksum"):
        Mine(SimpleNamespace(parameters={}))
