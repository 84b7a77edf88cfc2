"""In ROOT's RDataFrame: the exported header, the compiled function, and results as a friend of the input."""

import subprocess
import sys
import warnings

import awkward as ak
import numpy as np
import pytest
import uproot
from exported_searches import GRIDS, SHAPE, tied_events
from places import EXAMPLES

from hep_peaksum import Axis, Grid, cpp_header, event_function, find_clusters, from_hits, preset
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.toy import make_events
from hep_peaksum.toy import write_events as write_events_

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ROOT from PyPI calls itself an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed: pip install ROOT")

pytestmark = pytest.mark.slow
SETTINGS = PeakSumSettings(tie_rule="diagonal", seed_threshold=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a file with the same cells as floats and as integers, flat in each event."""
    path = tmp_path_factory.mktemp("root") / "events.root"
    with uproot.recreate(path) as root:
        cells = {kind: tied_events(kind).reshape(40, -1) for kind in ("float32", "float64", "int32")}
        root["Events"] = {name: ak.from_regular(values) for name, values in cells.items()}
    return str(path)


def column_of(frame, name):
    return [list(values) for values in frame.Take["ROOT::RVec<double>"](name).GetValue()]


@pytest.mark.parametrize("kind", ["float32", "float64", "int32"])
def test_define_with_the_header_gives_the_clusters(file, kind):
    ROOT.gInterpreter.Declare(cpp_header(SETTINGS, GRIDS["et"], namespace=f"peaks_{kind}"))
    frame = ROOT.RDataFrame("Events", file).Define("found", f"peaks_{kind}::find({kind})")
    clusters = find_clusters(tied_events(kind), SETTINGS, GRIDS["et"])
    for field in clusters.fields:
        expression = f"ROOT::RVec<double>(found.{field}.begin(), found.{field}.end())"
        assert column_of(frame.Define(f"out_{field}", expression), f"out_{field}") == clusters[field].to_list()


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_a_function_declared_to_root_gives_the_clusters(file, kind):
    pytest.importorskip("cffi", reason="ROOT.Numba.Declare needs cffi")
    find = event_function(SETTINGS, GRIDS["et"], "pt", integer=kind == "int32")
    word = {"float32": "float", "int32": "int"}[kind]
    ROOT.Numba.Declare([f"RVec<{word}>"], "RVec<double>", name=f"pt_{kind}")(find)
    frame = ROOT.RDataFrame("Events", file).Define("pt", f"Numba::pt_{kind}({kind})")
    assert column_of(frame, "pt") == find_clusters(tied_events(kind), SETTINGS, GRIDS["et"]).pt.to_list()


def test_the_jets_of_the_cms_file(data):
    settings, grid = preset("cms-l1-jet")
    with uproot.open(data("cms_L1Ntuple.root")) as root:
        tree = root["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{word}"].array() for word in ("ieta", "iphi", "iet")]
    towers = from_hits(*hits, grid)
    ROOT.gInterpreter.Declare(cpp_header(settings, grid, namespace="cms_jets"))
    clusters = find_clusters(towers, settings, grid, fields=["pt"])
    assert ak.count(clusters.pt) == 430
    cells = (ROOT.RVec["Long64_t"](event.reshape(-1)) for event in towers)
    assert [list(ROOT.cms_jets.find(event).pt) for event in cells] == clusters.pt.to_list()


def test_results_are_friends_of_the_input(write_events, job, tmp_path):
    files = [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]
    content = job(*files)
    content["output"]["clusters"] = ["ttree"]
    result = run(parse_config(content))
    chain, friend = ROOT.TChain("Events"), ROOT.TChain("Events")
    for path in files:
        chain.Add(path)
    friend.Add(str(result.directory / "toy/clusters.root"))
    chain.AddFriend(friend, "peaks")
    frame = ROOT.RDataFrame(chain)
    same = frame.Filter("event == peaks.event && luminosityBlock == peaks.luminosityBlock").Count()
    assert (frame.Count().GetValue(), same.GetValue()) == (21, 21)
    n_jets = frame.Define("n", "peaks.nJet").Sum("n").GetValue()
    assert n_jets == result.summary["datasets"]["toy"]["n_clusters"]["Jet"]


def test_the_shape_of_an_event_is_checked(file):
    with pytest.raises(Exception, match="3 cells, expected"):
        ROOT.peaks_float32.find(ROOT.RVec["float"](np.zeros(3, np.float32)))
    assert SHAPE == (7, 9)


def test_the_example_gives_the_clusters(tmp_path):
    events = make_events(50, seed=3)
    write_events_(tmp_path / "toy.root", events)
    command = [
        sys.executable,
        "-W",
        "ignore",
        EXAMPLES / "rdataframe" / "define_clusters.py",
        "toy.root",
        "out.root",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    with uproot.open(tmp_path / "toy.root") as root:
        cells = root["Events"]["calo_e"].array()
    with uproot.open(tmp_path / "out.root") as root:
        found = root["Events"].arrays()
    phi = Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True)
    grid = Grid(rows=Axis(name="eta", bins=24, start=-3, stop=3), cols=phi, unit="1 GeV")
    clusters = find_clusters(cells, {"seed_threshold": "1 GeV"}, grid)
    assert ak.count(clusters.pt) > 50
    assert found.Cluster_pt.to_list() == clusters.pt.to_list()
    assert found.Cluster_eta.to_list() == clusters.eta.to_list()
