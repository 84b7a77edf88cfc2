"""A whole job: its results on disk, however it is run."""

import json
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.dataset
import pytest
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory
from finished_jobs import clusters_of, files_below, run_job

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import dry_run, write_results
from hep_peaksum.job.summary import DatasetTotal
from hep_peaksum.results.chunk_files import finished_records

PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
)


COLUMNS = ["run", "luminosityBlock", "event", "nJet", "Jet_peak_sum", "Jet_seed", "Jet_row", "Jet_col", "Jet_n_cells", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_energy"]  # fmt: skip  # noqa: E501 -- reads as one line
EXECUTORS = ["iterative", "threads", "futures"]


def test_a_job_leaves_parts_trees_histograms_plots_summary_manifest_report(two_files, job, every_format):
    result = run_job(job(*two_files, output={**every_format, "plots": True}))
    stems = [f"part-00000{number}-000000000000-{n:012d}" for number, n in ((1, 13), (2, 8))]
    names = ["nJet", "Jet_pt", "Jet_energy", "Jet_position"]
    assert files_below(result.directory) == {
        "manifest.json",
        "summary.json",
        "histograms.root",
        "report.html",
        "toy/clusters.root",
        "toy/clusters.rntuple.root",
        *(f"toy/clusters.parquet/{stem}.parquet" for stem in stems),
        *(f"toy/_chunks/{stem}.json" for stem in stems),
        *(f"plots/toy-{name}.png" for name in names),
    }
    for name in names:
        assert (result.directory / f"plots/toy-{name}.png").read_bytes().startswith(b"\x89PNG")


def test_clusters_on_disk_are_those_of_the_input_events(two_files, job, every_format):
    result = run_job(job(*two_files, output=every_format))
    inputs = uproot.concatenate(dict.fromkeys(two_files, "Events"))
    expected = find_clusters(inputs.cells, PeakSumSettings(seed_threshold=3), PLANE)
    toy = result.directory / "toy"
    dataset = pyarrow.dataset.dataset(toy / "clusters.parquet").to_table()
    forms = {
        "parquet": clusters_of(result.directory),
        "arrow": ak.from_arrow(dataset),
        "ttree": uproot.open(toy / "clusters.root")["Events"].arrays(),
        "rntuple": uproot.open(toy / "clusters.rntuple.root")["Events"].arrays(),
    }
    for form, events in forms.items():
        assert sorted(events.fields) == sorted(COLUMNS), form
        assert events.event.to_list() == inputs.event.to_list(), form
        assert events.luminosityBlock.to_list() == [1] * 13 + [2] * 8, form
        assert events.nJet.to_list() == ak.num(expected).to_list(), form
        for field in expected.fields:
            assert events[f"Jet_{field}"].to_list() == expected[field].to_list(), (form, field)


def test_trees_are_in_the_order_of_the_files_whichever_chunk_was_found_first(two_files, job, tmp_path):
    output = {"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree"], "plots": False}
    content = job(*two_files, run={"chunksize": 5}, output=output)
    result, config = run_job(content), parse_config(content)
    total = DatasetTotal.empty(config)
    total.chunks += sorted((chunk for chunk, _ in finished_records(result.directory, "toy")), reverse=True)
    write_results(config, result.directory, {"toy": total}, [])
    inputs = uproot.concatenate(dict.fromkeys(two_files, "Events"))
    assert len(total.chunks) > 3
    events = uproot.open(result.directory / "toy/clusters.root")["Events"]
    assert events["event"].array().to_list() == inputs.event.to_list()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Missing cross-reference:RuntimeWarning")
@pytest.mark.parametrize("file", ["clusters.root", "clusters.rntuple.root"])
def test_coffea_reads_the_results_as_nanoaod(two_files, job, every_format, file):
    result = run_job(job(*two_files, output=every_format))
    path = result.directory / "toy" / file
    events = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=NanoAODSchema).events()
    assert events.Jet.pt.to_list() == clusters_of(result.directory).Jet_pt.to_list()
    assert ak.all(abs(events.Jet.mass) < 1e-4)


def test_the_summary_accounts_for_everything(two_files, job, every_format):
    result = run_job(job(*two_files, output=every_format))
    summary = json.loads((result.directory / "summary.json").read_text())
    assert summary == json.loads(json.dumps(result.summary))
    n_clusters = int(ak.sum(clusters_of(result.directory).nJet))
    assert summary["datasets"]["toy"] == {
        "n_events": 21,
        "n_written": 21,
        "n_clusters": {"Jet": n_clusters},
        "n_outside": {"calo": 0},
        "files": {
            path: {"expected": n, "processed": n, "lost": []}
            for path, n in zip(two_files, (13, 8), strict=True)
        },
    }
    assert summary["losses"] == []
    assert summary["n_chunks"] == {"total": 2, "reused": 0}
    assert summary["thresholds"] == {"Jet": {"seed": "> 3 counts = 3 GeV"}}
    assert summary["identity"] == "as in the files"
    assert {"hep_peaksum", "python", "coffea", "uproot", "numba"} <= set(summary["versions"])
    assert parse_config(summary["config"]) == parse_config(job(*two_files, output=every_format))
    assert summary["seconds"]["total"] >= summary["seconds"]["processing"] > 0


def test_the_manifest_numbers_datasets_and_files(two_files, job):
    result = run_job(job(*two_files))
    manifest = json.loads((result.directory / "manifest.json").read_text())
    toy = manifest["datasets"]["toy"]
    assert toy["number"] == 1
    files = {path: trees["Events"] for path, trees in toy["files"].items()}
    assert {path: file["number"] for path, file in files.items()} == {two_files[0]: 1, two_files[1]: 2}
    assert [file["size"] for file in files.values()] == [Path(path).stat().st_size for path in two_files]
    assert manifest["job"] == parse_config(job(*two_files)).job()


def test_histograms_are_written_and_returned(two_files, job):
    axis = {"field": "Jet.pt", "bins": 20, "start": 0, "stop": 60}
    result = run_job(job(*two_files, histograms={"jet_pt": {"axes": [axis]}}, run={"chunksize": 4}))
    expected = np.histogram(ak.flatten(clusters_of(result.directory).Jet_pt), 20, (0, 60))[0].tolist()
    assert result.histograms["toy"]["jet_pt"].values().tolist() == expected
    with uproot.open(result.directory / "histograms.root") as file:
        assert file["toy/jet_pt"].values().tolist() == expected


def test_a_field_that_only_a_histogram_needs_is_not_written(two_files, job):
    axis = {"field": "Jet.seed", "bins": 10, "start": 0, "stop": 10}
    content = job(*two_files, histograms={"seed": {"axes": [axis]}})
    content["clusters"]["Jet"]["fields"] = ["peak_sum"]
    result = run_job(content)
    assert clusters_of(result.directory).fields == ["run", "luminosityBlock", "event", "nJet", "Jet_peak_sum"]
    assert result.histograms["toy"]["seed"].sum(flow=True) > 0


@pytest.mark.slow
def test_formats_that_are_no_longer_in_the_config_are_removed(two_files, job, every_format):
    run_job(job(*two_files, output=every_format))
    again = run_job(job(*two_files, output={**every_format, "clusters": ["parquet"]}))
    assert again.summary["n_chunks"]["reused"] == 2
    assert {"toy/clusters.root", "toy/clusters.rntuple.root"} & files_below(again.directory) == set()


def test_kept_branches_and_those_of_friends_are_written(write_root, job, random_cells):
    cells, n_pv = random_cells(9), np.arange(9, dtype="i4")
    times = ak.Array([[0.5] * n for n in range(9)])
    file = write_root("a.root", {"Events": {"cells": cells}, "aux": {"nPV": n_pv, "time": times}})
    events = {"keep": ["ev:nPV", "ev:time"]}
    result = run_job(job(file, events=events, friends={"ev": "aux"}, run={"chunksize": 4}))
    actual = clusters_of(result.directory)
    assert actual.nPV.to_list() == n_pv.tolist()
    assert actual.time.to_list() == times.to_list()


def test_two_datasets_have_a_folder_each(two_files, job):
    content = job()
    content["datasets"] = {
        name: {"files": {file: "Events"}} for name, file in zip("xy", two_files, strict=True)
    }
    result = run_job(content)
    assert clusters_of(result.directory, "x").luminosityBlock.to_list() == [1] * 13
    assert clusters_of(result.directory, "y").luminosityBlock.to_list() == [2] * 8
    assert set(result.histograms) == {"x", "y"}


def test_a_file_may_be_in_two_datasets(two_files, job):
    content = job()
    content["datasets"] = {name: {"files": {two_files[0]: "Events"}} for name in "xy"}
    result = run_job(content)
    assert clusters_of(result.directory, "x").to_list() == clusters_of(result.directory, "y").to_list()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "chunksize"),
    [("iterative", 1), ("iterative", 5), ("threads", 5), ("futures", 5), ("futures", 100)],
)
def test_results_do_not_depend_on_chunks_and_executors(two_files, job, tmp_path, executor, chunksize):
    output = {"directory": str(tmp_path / "plain"), "clusters": ["parquet", "ttree"], "plots": False}
    plain = run_job(job(*two_files, output=output))
    options = {"executor": executor, "workers": 2, "chunksize": chunksize}
    other = run_job(job(*two_files, output={**output, "directory": str(tmp_path / "other")}, run=options))
    assert other.summary["n_chunks"]["total"] == sum(-(-n // chunksize) for n in (13, 8))
    assert clusters_of(other.directory).to_list() == clusters_of(plain.directory).to_list()
    trees = [uproot.open(r.directory / "toy/clusters.root")["Events"].arrays() for r in (plain, other)]
    assert trees[0].to_list() == trees[1].to_list()
    assert other.histograms == plain.histograms
    assert other.summary["datasets"] == plain.summary["datasets"]


@pytest.mark.parametrize("n", [0, 1, 7, 13, 15, 1000])
def test_max_events_takes_the_first_entries_of_every_dataset(two_files, job, n):
    content = job(*two_files, run={"chunksize": 5})
    content["datasets"]["short"] = {"files": {two_files[1]: "Events"}}
    result = run_job(content, max_events=n)
    events = clusters_of(result.directory).event.to_list() if n else []
    assert events == [*range(1000, 1013), *range(2000, 2008)][:n]
    assert result.summary["datasets"]["toy"]["n_events"] == min(n, 21)
    assert result.summary["datasets"]["short"]["n_events"] == min(n, 8)


@pytest.mark.parametrize("form", ["ttree", "rntuple"])
def test_a_dataset_without_entries_has_files_with_columns(write_events, job, tmp_path, form):
    output = {"directory": str(tmp_path / "results"), "clusters": ["parquet", form]}
    result = run_job(job(write_events("a.root", 0), output=output))
    name = "clusters.root" if form == "ttree" else "clusters.rntuple.root"
    tree = uproot.open(result.directory / "toy" / name)["Events"]
    assert sorted(tree.keys()) == sorted(COLUMNS)
    assert tree.num_entries == len(clusters_of(result.directory)) == 0
    assert result.histograms["toy"]["nJet"].sum(flow=True) == 0


def test_a_file_without_entries_among_others_changes_nothing(write_events, two_files, job, tmp_path):
    empty = write_events("empty.root", 0, 3)
    with_it = run_job(job(two_files[0], empty, two_files[1]))
    without = run_job(job(*two_files, output={"directory": str(tmp_path / "other"), "plots": False}))
    assert clusters_of(with_it.directory).to_list() == clusters_of(without.directory).to_list()


def test_two_geant4_files_of_one_dataset_give_the_sum_of_both(data, job, tmp_path):
    """Geant4 writes numbers of entries as floats, and UUIDs of zeros: the files must not be confused."""
    real = data("g4B5_elec100.root")
    copies = [str(shutil.copy(real, tmp_path / f"{name}.root")) for name in "ab"]
    grid = {"dense": {"branch": "ECEnergyVector", "shape": [20, 4]}, "unit": "1 MeV"}
    content = job(grids={"calo": grid}, events={}, run={"chunksize": 300})
    content["datasets"]["toy"] |= {"files": dict.fromkeys(copies, "B5"), "allow_duplicates": True}
    content["clusters"]["Jet"]["seed_threshold"] = "100 MeV"
    result = run_job(content)
    cells = uproot.open(real)["B5"]["ECEnergyVector"].array().to_numpy().reshape(-1, 20, 4)
    expected = find_clusters(cells, PeakSumSettings(seed_threshold=100))
    actual = clusters_of(result.directory)
    assert actual.Jet_peak_sum.to_list() == 2 * expected.peak_sum.to_list()
    assert actual.luminosityBlock.to_list() == [1] * 1000 + [2] * 1000
    assert actual.event.to_list() == 2 * list(range(1000))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_two_files_with_the_same_uuid_are_not_confused(two_files, job, executor):
    """The UUID does not identify a file: Geant4 writes zeros into every one."""
    for file in two_files:
        with uproot.open(file) as root:
            uuid = root.file.fUUID
        Path(file).write_bytes(Path(file).read_bytes().replace(uuid, bytes(16)))
        with uproot.open(file) as root:
            assert root.file.fUUID == bytes(16)
    options = {"executor": executor, "workers": 2, "chunksize": 5}
    result = clusters_of(run_job(job(*two_files, run=options)).directory)
    cells = uproot.concatenate(dict.fromkeys(two_files, "Events"), ["cells"]).cells
    expected = find_clusters(cells, PeakSumSettings(seed_threshold=3), PLANE)
    assert result.Jet_peak_sum.to_list() == expected.peak_sum.to_list()
    assert result.event.to_list() == [*range(1000, 1013), *range(2000, 2008)]


def test_a_plan_lists_the_chunks(two_files, job):
    plan = dry_run(parse_config(job(*two_files, run={"chunksize": 5})), max_events=15)
    ranges = [(item.filename, item.entrystart, item.entrystop) for item in plan.items.values()]
    assert sum(stop - start for _, start, stop in ranges) == 15
    assert [name for name, *_ in ranges] == [two_files[0]] * 3 + [two_files[1]]
