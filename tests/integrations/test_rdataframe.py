"""In ROOT's RDataFrame: the exported header, the compiled function, and results as a friend of the input."""

import warnings

import awkward as ak
import numpy as np
import pytest
import uproot
from exported_searches import GRIDS, SHAPE, tied_events

from hep_peaksum import cpp_header, event_function, find_clusters, from_hits, preset
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.settings.model import PeakSumSettings

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
