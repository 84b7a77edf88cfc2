"""What other programs read from a results folder, in every format, is what plain loops find in the input."""

import json
import subprocess
import sys
import warnings

import awkward as ak
import numpy as np
import pyarrow.dataset
import pytest
import uproot
from coffea.nanoevents import BaseSchema, NanoAODSchema, NanoEventsFactory
from coffea.processor import IterativeExecutor, ProcessorABC, Runner
from finished_jobs import run_job
from places import EXAMPLES
from plain_count import clusters_of

import hep_peaksum as ps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Missing cross-reference"),  # of NanoAOD, for a collection called Jet
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),  # used by pyhf
]
FORMS = {"ttree": "clusters.root", "rntuple": "clusters.rntuple.root", "parquet": "clusters.parquet"}
N_EVENTS, UNIT = 23, 2  # GeV of a count, so that no pt is massless by chance


@pytest.fixture(scope="module")
def cells(random_cells):
    cells = random_cells(N_EVENTS, seed=5)
    cells[7:9] = 0  # events without clusters
    return cells


@pytest.fixture(scope="module")
def expected(cells):
    """Return the sums of every event, in falling order, in GeV."""
    return [sorted((UNIT * each[3] for each in clusters_of(event)), reverse=True) for event in cells]


@pytest.fixture(scope="module")
def directory(cells, tmp_path_factory):
    """Return the results of a job of two files, in chunks of five."""
    place = tmp_path_factory.mktemp("readers")
    names = {"run": np.full(N_EVENTS, 7, "u4"), "luminosityBlock": np.full(N_EVENTS, 3, "u4")}
    columns = {**names, "event": np.arange(N_EVENTS, dtype="u8"), "cells": cells}
    files = {str(place / f"{k}.root"): part for k, part in enumerate((slice(0, 12), slice(12, None)))}
    for file, part in files.items():
        with uproot.recreate(file) as root:
            root.mktree("Events", {name: values[part] for name, values in columns.items()})
    phi = {"name": "phi", "bins": 8, "start": "-pi", "stop": "pi", "periodic": True}
    grid = {"rows": {"name": "eta", "bins": 6, "start": -3, "stop": 3}, "cols": phi, "unit": f"{UNIT} GeV"}
    source = {"dense": {"branch": "cells", "shape": [6, 8]}, "quantity": "et"}
    content = {
        "datasets": {"toy": {"files": dict.fromkeys(files, "Events")}},
        "grids": {"calo": {**grid, **source}},
        "clusters": {"Jet": {"grid": "calo", "seed_threshold": 3, "fields": ["pt", "eta", "phi", "energy"]}},
        "histograms": {"jet_pt": {"axes": [{"field": "Jet.pt", "bins": 8, "start": 0, "stop": 160}]}},
        "output": {"directory": str(place / "results"), "clusters": list(FORMS), "plots": False},
        "run": {"chunksize": 5},
    }
    run_job(content)
    return place / "results"


def nano_events(directory, form, schema=NanoAODSchema, mode="virtual"):
    """Return the events as coffea reads them; of parquet, part by part."""
    if form == "parquet":
        parts = ps.parts(directory)
        read = [NanoEventsFactory.from_parquet(part, schemaclass=schema, mode=mode).events() for part in parts]
        return ak.concatenate([ak.materialize(each) for each in read])
    file = {str(directory / "toy" / FORMS[form]): "Events"}
    return NanoEventsFactory.from_root(file, schemaclass=schema, mode=mode).events()


@pytest.mark.parametrize("mode", ["virtual", "eager"])
@pytest.mark.parametrize("form", FORMS)
def test_nano_events(directory, expected, form, mode):
    events = nano_events(directory, form, mode=mode)
    assert events.Jet.pt.to_list() == expected
    assert events.event.to_list() == list(range(N_EVENTS))
    assert ak.all(ak.num(events.Jet) == [len(each) for each in expected])


@pytest.mark.parametrize("form", FORMS)
def test_base_schema(directory, expected, form):
    events = nano_events(directory, form, BaseSchema)
    assert events.Jet_pt.to_list() == expected
    assert events.nJet.to_list() == [len(each) for each in expected]


class Sums(ProcessorABC):
    """Count events and clusters, and add what these hold."""

    def process(self, events):
        return {
            "events": len(events),
            "jets": int(ak.sum(ak.num(events.Jet))),
            "pt": float(ak.sum(events.Jet.pt)),
        }

    def postprocess(self, accumulator):
        return accumulator


@pytest.mark.parametrize("form", FORMS)
def test_runner_of_coffea(directory, expected, form):
    files = ps.parts(directory) if form == "parquet" else [str(directory / "toy" / FORMS[form])]
    kind = "parquet" if form == "parquet" else "root"
    run = Runner(IterativeExecutor(status=False), schema=NanoAODSchema, format=kind, chunksize=4)
    found = run({"toy": files}, Sums(), treename="Events")
    assert found == {"events": N_EVENTS, "jets": sum(map(len, expected)), "pt": sum(map(sum, expected))}


def test_pandas(directory, expected):
    pandas = pytest.importorskip("pandas")
    parts = pandas.concat(map(pandas.read_parquet, ps.parts(directory)), ignore_index=True)
    for frame in (parts, pandas.read_parquet(directory / "toy" / FORMS["parquet"]).sort_values("event")):
        assert [list(each) for each in frame.Jet_pt] == expected
    flat = parts[["event", "Jet_pt"]].explode("Jet_pt").dropna()
    assert flat.groupby("event").Jet_pt.sum().to_dict() == {
        k: sum(each) for k, each in enumerate(expected) if each
    }


def test_polars(directory, expected):
    polars = pytest.importorskip("polars")
    frame = polars.scan_parquet(ps.parts(directory)).sort("event").collect()
    assert frame["Jet_pt"].to_list() == expected
    assert frame.select(polars.col("Jet_pt").list.sum())["Jet_pt"].to_list() == [sum(each) for each in expected]


def test_duckdb(directory, expected):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        query = "select event, coalesce(list_sum(Jet_pt), 0) from read_parquet($parts) order by event"
        rows = connection.execute(query, {"parts": ps.parts(directory)}).fetchall()
        assert rows == [(k, sum(each)) for k, each in enumerate(expected)]
        query = "select count(*) from (select unnest(Jet_pt) as pt from read_parquet($parts)) where pt > 60"
        (n_jets,) = connection.execute(query, {"parts": ps.parts(directory)}).fetchone()
    assert n_jets == sum(pt > 60 for each in expected for pt in each)


def test_pyarrow_datasets(directory, expected):
    for source in (ps.parts(directory), directory / "toy" / FORMS["parquet"]):
        events = pyarrow.dataset.dataset(source, format="parquet")
        table = events.to_table(columns=["event", "Jet_pt"], filter=pyarrow.dataset.field("event") < 10)
        assert table.sort_by("event")["Jet_pt"].to_pylist() == expected[:10]
        assert events.count_rows() == N_EVENTS


@pytest.mark.parametrize("form", FORMS)
def test_fastjet(directory, expected, form):
    fastjet = pytest.importorskip("fastjet")
    events = nano_events(directory, form)
    columns = {name: ak.values_astype(events.Jet[name], "f8") for name in ("pt", "eta", "phi", "energy")}
    momenta = ak.zip(columns, with_name="Momentum4D")
    momenta = momenta[ak.num(momenta) > 0]
    sequence = fastjet.ClusterSequence(momenta, fastjet.JetDefinition(fastjet.antikt_algorithm, 1e-3))
    found = ak.sort(np.hypot(sequence.inclusive_jets().px, sequence.inclusive_jets().py), ascending=False)
    wanted = [each for each in expected if each]  # of so small a radius that every cluster is a jet
    assert ak.num(found).to_list() == [len(each) for each in wanted]
    assert ak.all(np.isclose(ak.flatten(found), ak.flatten(ak.Array(wanted)), rtol=1e-5))


SCALE = {"nodetype": "formula", "expression": "2*x", "parser": "TFormula", "variables": ["pt"]}


@pytest.mark.parametrize("form", FORMS)
def test_correctionlib(directory, expected, form):
    correctionlib = pytest.importorskip("correctionlib")
    real = {"type": "real"}
    correction = {"name": "scale", "version": 1, "inputs": [{"name": "pt", **real}], "data": SCALE}
    text = json.dumps({"schema_version": 2, "corrections": [{**correction, "output": {"name": "pt", **real}}]})
    scale = correctionlib.CorrectionSet.from_string(text)["scale"]
    scaled = scale.evaluate(ak.materialize(nano_events(directory, form).Jet.pt))
    assert scaled.to_list() == [[2 * pt for pt in each] for each in expected]


def counts_of(expected):
    return np.histogram([pt for each in expected for pt in each], bins=8, range=(0, 160))[0].tolist()


def test_hist(directory, expected):
    hist = pytest.importorskip("hist")
    import uhi.io.uproot

    with uproot.open(directory / "histograms.root") as root:
        plain, lossless = root["toy/jet_pt"].to_hist(), hist.Hist(uhi.io.uproot.read(root, "uhi/toy/jet_pt"))
    assert plain.values().tolist() == lossless.values().tolist() == counts_of(expected)
    assert lossless.axes[0].name == "Jet_pt"


@pytest.mark.parametrize("name", ["toy/clusters.root", "toy/clusters.rntuple.root", "histograms.root"])
def test_uproot_browser(directory, name):
    pytest.importorskip("uproot_browser")
    found = browse("tree", directory / name)
    assert ("jet_pt" if name == "histograms.root" else "Jet_pt") in found


@pytest.mark.parametrize("name", ["toy/clusters.root:Events/Jet_pt", "histograms.root:toy/jet_pt"])
def test_uproot_browser_draws(directory, name):
    pytest.importorskip("uproot_browser")
    assert "pt" in browse("plot", directory / name)


def browse(*words):
    command = [sys.executable, "-m", "uproot_browser", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pyhf(directory, expected):
    pyhf = pytest.importorskip("pyhf")
    with uproot.open(directory / "histograms.root") as root:
        counts = root["toy/jet_pt"].values().tolist()
    model = pyhf.simplemodels.uncorrelated_background(counts, counts, [1.0] * len(counts))
    found = model.expected_actualdata([1.0] + [1.0] * len(counts))
    assert found.tolist() == [2 * count for count in counts_of(expected)]


def test_cabinetry(directory, expected, tmp_path):
    cabinetry = pytest.importorskip("cabinetry")
    path = f"{directory}/histograms.root:toy/jet_pt"
    config = {
        "General": {
            "Measurement": "jets",
            "POI": "norm",
            "HistogramFolder": str(tmp_path),
            "InputPath": "{SamplePath}",
            "VariationPath": "",
        },
        "Regions": [{"Name": "all", "Variable": "jet_pt", "Filter": ""}],
        "Samples": [
            {"Name": "data", "SamplePath": path, "Data": True},
            {"Name": "jets", "SamplePath": path},
        ],
        "NormFactors": [{"Name": "norm", "Samples": "jets", "Nominal": 1, "Bounds": [0, 10]}],
    }
    cabinetry.configuration.validate(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cabinetry and pyhf about numpy
        cabinetry.templates.collect(config)
        cabinetry.templates.postprocess(config)
        workspace = cabinetry.workspace.build(config)
        model, data = cabinetry.model_utils.model_and_data(workspace)
        fit = cabinetry.fit.fit(model, data)
    assert workspace["observations"][0]["data"] == counts_of(expected)
    assert fit.bestfit[fit.labels.index("norm")] == pytest.approx(1, abs=1e-3)


NEEDED = {
    "nano_events": [],
    "coffea_runner": [],
    "dataframes": ["duckdb", "pandas", "polars"],
    "jets": ["fastjet"],
    "fit": ["cabinetry", "pyhf"],
}


def test_every_example_is_run():
    assert {path.stem for path in (EXAMPLES / "readers").iterdir()} == set(NEEDED)


@pytest.mark.parametrize("name", NEEDED)
def test_an_example_reads_the_results(directory, expected, name):
    for package in NEEDED[name]:
        pytest.importorskip(package)
    command = [sys.executable, EXAMPLES / "readers" / f"{name}.py"]
    done = subprocess.run(command, cwd=directory.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if name == "dataframes":
        assert set(map(float, done.stdout.split())) == {max(map(max, filter(None, expected)))}
    assert done.stdout
