"""In FAST-HEP: the example workflow as `hepflow` compiles and runs it."""

import pickle
import re

import numpy as np
import pytest
import uproot
import yaml
from framework_events import expected_clusters, tied_cells, write_events
from places import EXAMPLES

api = pytest.importorskip("hepflow.api", reason="FAST-HEP is not installed: nox -s fast_hep")
pytest.importorskip("fasthep_carpenter", reason="FAST-HEP is not installed: nox -s fast_hep")
pytestmark = pytest.mark.slow
WORKFLOW = (EXAMPLES / "fast_hep" / "workflow.yaml").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a workflow on a file of events, in two chunks, and return the folder of its results."""
    monkeypatch.chdir(tmp_path)
    write_events("events.root", tied_cells())

    def run_workflow(text):
        (tmp_path / "workflow.yaml").write_text(text)
        assert api.run_workflow_file("workflow.yaml", outdir="build", chunk_size=40).success
        return tmp_path / "build"

    return run_workflow


def test_the_clusters_on_disk_are_those_of_the_plain_loops(run):
    found = {}
    for path in sorted(run(WORKFLOW).glob("artifacts/files/clusters/toy/*.root")):
        with uproot.open(path) as file:
            events = file["Events"].arrays()
        fields = [events[f"Cluster_{name}"].to_list() for name in ("row", "col", "peak_sum")]
        found |= {n: list(zip(*each, strict=True)) for n, *each in zip(events.event, *fields, strict=True)}
        assert events.nCluster.to_list() == [len(row) for row in fields[0]]
    assert found == dict(enumerate(expected_clusters(tied_cells())))


def test_a_histogram_of_the_workflow_has_the_clusters(run):
    (path,) = run(WORKFLOW).glob("artifacts/histograms/ClusterPt.pkl")
    filled = pickle.loads(path.read_bytes())
    sums = [total for event in expected_clusters(tied_cells()) for _, _, total in event]
    histogram = filled["hist"] if isinstance(filled, dict) else filled
    assert histogram.values().tolist() == np.histogram(sums, bins=50, range=(0, 100))[0].tolist()


def test_only_the_needed_branches_are_read(run):
    dependencies = yaml.safe_load((run(WORKFLOW) / "compile" / "deps.yaml").read_text())
    assert dependencies["required_sources"]["events"]["branches"] == ["CaloTower_et", "event"]


def test_of_hits_three_branches_are_read_and_a_preset_brings_its_grid():
    from hep_peaksum.integrations.fast_hep import parse_dependencies

    cells = {"row": "ieta", "col": "iphi", "value": "iet"}
    found = parse_dependencies({"cells": cells, "settings": "cms-l1-jet", "fields": "pt", "output": "Jet"})
    assert (found.consumes, found.produces) == ({"ieta", "iphi", "iet"}, {"nJet", "Jet_pt"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "seed_threshold",
            "seed_treshold",
            "PeakSumSettings has no 'seed_treshold' (did you mean 'seed_threshold'",
        ),
        ("quantity: et", "quantity: ett", "grid.quantity: 'ett' is not one of 'energy' or 'et'"),
        ("cells:", "cell:", "has no 'cell' (did you mean 'cells'?)"),
        ("output: Cluster", "fields: [ptt]", "no field is called 'ptt' (did you mean 'pt'?)"),
        (
            "cells: CaloTower_et",
            "cells: event",
            "event: the array has 0 axes below the event, expected 1 (flat) or 2",
        ),
        ("bins: 24", "bins: 12", "CaloTower_et: event 0: 24 values where the grid needs 12"),
    ],
)
def test_a_mistake_in_the_workflow_is_one_line(run, old, new, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        run(WORKFLOW.replace(old, new, 1))
    assert len(str(error.value).splitlines()) == 1
