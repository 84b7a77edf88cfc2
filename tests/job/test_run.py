"""A whole job: what is on disk afterwards, however it was run, and what is said of losses."""

import json
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.dataset
import pytest
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.coffea_runner import ChunkError
from hep_peaksum.job.planning import plan_job
from hep_peaksum.job.run import run
from hep_peaksum.results.manifest import read_status

PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
)
COLUMNS = ["run", "luminosityBlock", "event", "nJet", "Jet_peak_sum", "Jet_seed", "Jet_row", "Jet_col", "Jet_n_cells", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_energy"]  # fmt: skip  # noqa: E501 -- reads as one line
EXECUTORS = ["iterative", "threads", "futures"]


def run_job(content, **keywords):
    """Run a job given as plain values."""
    return run(parse_config(content), **keywords)


def clusters_of(directory, dataset="toy"):
    """Return the events of a dataset as they are in its parts."""
    parts = sorted((Path(directory) / dataset / "clusters.parquet").glob("part-*.parquet"))
    return ak.concatenate([ak.from_parquet(part) for part in parts])


def files_below(directory):
    """Return every file of a folder, by its path."""
    return {str(path.relative_to(directory)) for path in Path(directory).rglob("*") if path.is_file()}


@pytest.fixture
def two_files(write_events):
    return [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]


@pytest.fixture
def every_form(tmp_path):
    return {"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree", "rntuple"], "plots": True}


# ------------------------------------------------------------------------------------------- what is on disk


def test_a_job_leaves_parts_trees_histograms_plots_summary_and_manifest(two_files, job, every_form):
    result = run_job(job(*two_files, output=every_form))
    stems = [f"part-00000{number}-000000000000-{n:012d}" for number, n in ((1, 13), (2, 8))]
    names = ["nJet", "Jet_pt", "Jet_energy", "Jet_position"]
    assert files_below(result.directory) == {
        "manifest.json",
        "summary.json",
        "histograms.root",
        "toy/clusters.root",
        "toy/clusters.rntuple.root",
        *(f"toy/clusters.parquet/{stem}.parquet" for stem in stems),
        *(f"toy/_chunks/{stem}.json" for stem in stems),
        *(f"plots/toy-{name}.png" for name in names),
    }
    for name in names:
        assert (result.directory / f"plots/toy-{name}.png").read_bytes().startswith(b"\x89PNG")


def test_clusters_on_disk_are_those_of_the_input_events(two_files, job, every_form):
    result = run_job(job(*two_files, output=every_form))
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


@pytest.mark.filterwarnings("ignore:Missing cross-reference:RuntimeWarning")
@pytest.mark.parametrize("file", ["clusters.root", "clusters.rntuple.root"])
def test_coffea_reads_the_results_as_nanoaod(two_files, job, every_form, file):
    result = run_job(job(*two_files, output=every_form))
    path = result.directory / "toy" / file
    events = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=NanoAODSchema).events()
    assert events.Jet.pt.to_list() == clusters_of(result.directory).Jet_pt.to_list()
    assert ak.all(abs(events.Jet.mass) < 1e-4)


def test_the_summary_accounts_for_everything(two_files, job, every_form):
    result = run_job(job(*two_files, output=every_form))
    summary = json.loads((result.directory / "summary.json").read_text())
    assert summary == json.loads(json.dumps(result.summary))
    n_clusters = int(ak.sum(clusters_of(result.directory).nJet))
    assert summary["datasets"]["toy"] == {
        "n_events": 21,
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
    assert parse_config(summary["config"]) == parse_config(job(*two_files, output=every_form))
    assert summary["seconds"]["total"] >= summary["seconds"]["processing"] > 0


def test_the_manifest_numbers_datasets_and_files(two_files, job):
    result = run_job(job(*two_files))
    manifest = json.loads((result.directory / "manifest.json").read_text())
    toy = manifest["datasets"]["toy"]
    assert toy["number"] == 1
    assert {path: file["number"] for path, file in toy["files"].items()} == {two_files[0]: 1, two_files[1]: 2}
    assert [file["size"] for file in toy["files"].values()] == [Path(path).stat().st_size for path in two_files]
    assert manifest["job"] == parse_config(job(*two_files)).job()


def test_histograms_are_written_and_handed_back(two_files, job):
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


def test_forms_that_are_no_longer_asked_for_disappear(two_files, job, every_form):
    run_job(job(*two_files, output=every_form))
    again = run_job(job(*two_files, output={**every_form, "clusters": ["parquet"]}))
    assert again.summary["n_chunks"]["reused"] == 2
    assert {"toy/clusters.root", "toy/clusters.rntuple.root"} & files_below(again.directory) == set()


def test_kept_branches_and_a_friend_travel_to_the_results(write_root, job, random_cells):
    cells, n_pv = random_cells(9), np.arange(9, dtype="i4")
    times = ak.Array([[0.5] * n for n in range(9)])
    file = write_root("a.root", {"Events": {"cells": cells}, "aux": {"nPV": n_pv, "time": times}})
    events = {"keep": ["ev:nPV", "ev:time"]}
    result = run_job(job(file, events=events, friends={"ev": "aux"}, run={"chunksize": 4}))
    found = clusters_of(result.directory)
    assert found.nPV.to_list() == n_pv.tolist()
    assert found.time.to_list() == times.to_list()


def test_two_datasets_have_a_folder_each(two_files, job):
    content = job()
    content["datasets"] = {
        name: {"files": {file: "Events"}} for name, file in zip("xy", two_files, strict=True)
    }
    result = run_job(content)
    assert clusters_of(result.directory, "x").luminosityBlock.to_list() == [1] * 13
    assert clusters_of(result.directory, "y").luminosityBlock.to_list() == [2] * 8
    assert set(result.histograms) == {"x", "y"}


def test_one_file_may_stand_in_two_datasets(two_files, job):
    content = job()
    content["datasets"] = {name: {"files": {two_files[0]: "Events"}} for name in "xy"}
    result = run_job(content)
    assert clusters_of(result.directory, "x").to_list() == clusters_of(result.directory, "y").to_list()


# -------------------------------------------------------------------------- it does not matter how it was run


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
    """Their numbers of entries are floats, and their UUIDs zero: the second must not be read as the first."""
    real = data("g4B5_elec100.root")
    copies = [str(shutil.copy(real, tmp_path / f"{name}.root")) for name in "ab"]
    grid = {"dense": {"branch": "ECEnergyVector", "shape": [20, 4]}, "unit": "1 MeV"}
    content = job(grids={"calo": grid}, events={}, run={"chunksize": 300})
    content["datasets"]["toy"]["files"] = dict.fromkeys(copies, "B5")
    content["clusters"]["Jet"]["seed_threshold"] = "100 MeV"
    result = run_job(content)
    cells = uproot.open(real)["B5"]["ECEnergyVector"].array().to_numpy().reshape(-1, 20, 4)
    expected = find_clusters(cells, PeakSumSettings(seed_threshold=100))
    found = clusters_of(result.directory)
    assert found.Jet_peak_sum.to_list() == 2 * expected.peak_sum.to_list()
    assert found.luminosityBlock.to_list() == [1] * 1000 + [2] * 1000
    assert found.event.to_list() == 2 * list(range(1000))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_two_files_of_one_uuid_are_read_apart(two_files, job, executor):
    """Nobody may take the UUID for the name of a file: Geant4 writes zeros into every one."""
    for file in two_files:
        with uproot.open(file) as root:
            uuid = root.file.fUUID
        Path(file).write_bytes(Path(file).read_bytes().replace(uuid, bytes(16)))
        with uproot.open(file) as root:
            assert root.file.fUUID == bytes(16)
    options = {"executor": executor, "workers": 2, "chunksize": 5}
    found = clusters_of(run_job(job(*two_files, run=options)).directory)
    cells = uproot.concatenate(dict.fromkeys(two_files, "Events"), ["cells"]).cells
    expected = find_clusters(cells, PeakSumSettings(seed_threshold=3), PLANE)
    assert found.Jet_peak_sum.to_list() == expected.peak_sum.to_list()
    assert found.event.to_list() == [*range(1000, 1013), *range(2000, 2008)]


# --------------------------------------------------------------------------------------------------- resume


def test_a_second_run_does_nothing_again(two_files, job):
    content = job(*two_files, run={"chunksize": 5})
    first = run_job(content)
    before = clusters_of(first.directory).to_list()
    times = {path: path.stat().st_mtime_ns for path in (first.directory / "toy").rglob("part-*")}
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 5, "reused": 5}
    assert clusters_of(second.directory).to_list() == before
    assert second.histograms == first.histograms
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("which", ["_chunks", "clusters.parquet"])
def test_only_an_unfinished_chunk_is_done_again(two_files, job, which):
    content = job(*two_files, run={"chunksize": 5})
    first = run_job(content)
    before, histograms = clusters_of(first.directory).to_list(), first.histograms
    gone = sorted((first.directory / "toy" / which).glob("part-*"))[1]
    gone.unlink()
    kept = {
        path: path.stat().st_mtime_ns
        for path in (first.directory / "toy").rglob("part-*")
        if path.stem != gone.stem
    }
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 5, "reused": 4}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert clusters_of(second.directory).to_list() == before
    assert second.histograms == histograms


def test_other_chunks_take_the_place_of_the_old_ones(two_files, job):
    first = run_job(job(*two_files, run={"chunksize": 5}))
    before = clusters_of(first.directory).to_list()
    second = run_job(job(*two_files, run={"chunksize": 100}))
    assert second.summary["n_chunks"] == {"total": 2, "reused": 0}
    assert len(list((second.directory / "toy/clusters.parquet").iterdir())) == 2
    assert len(list((second.directory / "toy/_chunks").iterdir())) == 2
    assert clusters_of(second.directory).to_list() == before
    assert second.histograms == first.histograms


def test_what_a_killed_run_left_half_written_is_cleared_away(two_files, job):
    first = run_job(job(*two_files))
    for folder in ("clusters.parquet", "_chunks"):
        (first.directory / "toy" / folder / ".part-000001-x.tmp").write_bytes(b"half")
    run_job(job(*two_files))
    assert not [name for name in files_below(first.directory) if name.endswith(".tmp")]


def test_a_failed_run_keeps_what_is_finished(two_files, job, write_events, random_cells):
    cells = random_cells(8, 2)
    cells[6, 0, 0] = np.nan
    bad = write_events("bad.root", 8, 2, cells=cells)
    content = job(two_files[0], bad, run={"chunksize": 5})
    directory = Path(content["output"]["directory"])
    with pytest.raises(ChunkError):
        run_job(content)
    assert not (directory / "summary.json").exists()
    assert read_status(directory).unfinished == {"toy": (2, 4, 17)}
    masking = {**content, "run": {"chunksize": 5, "on_bad_file": "skip"}}
    assert run_job(masking).summary["n_chunks"] == {"total": 5, "reused": 4}


def test_a_larger_number_of_events_reuses_the_whole_chunks(two_files, job):
    content = job(*two_files, run={"chunksize": 5})
    run_job(content, max_events=5)
    full = run_job(content)
    assert full.summary["n_chunks"] == {"total": 5, "reused": 1}
    assert full.summary["datasets"]["toy"]["n_events"] == 21


@pytest.mark.parametrize(
    ("section", "value", "key"),
    [
        ("clusters", {"Jet": {"grid": "calo", "seed_threshold": 4}}, "seed_threshold"),
        ("clusters", {"Jet": {"grid": "calo", "seed_threshold": 3, "tie_rule": "all"}}, "tie_rule"),
        ("clusters", {"Cluster": {"grid": "calo", "seed_threshold": 3}}, "clusters.Cluster"),
        ("histograms", {}, "histograms"),
        ("events", {"keep": ["weight"]}, "events"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_directory_of_another_config_is_refused_and_the_key_named(two_files, job, section, value, key):
    first = run_job(job(*two_files))
    before = files_below(first.directory)
    with pytest.raises(
        ConfigError, match=r"output\.directory: .* holds the results of another config"
    ) as error:
        run_job(job(*two_files, **{section: value}))
    assert key in str(error.value)
    assert len(error.value.problems) == 1
    assert files_below(first.directory) == before


def test_the_key_that_differs_is_called_as_in_the_file(two_files, job):
    run_job(job(*two_files))
    with pytest.raises(ConfigError, match=r"\(clusters\.Jet\.seed_threshold differs\)"):
        run_job(job(*two_files, clusters={"Jet": {"grid": "calo", "seed_threshold": 4}}))


def test_results_of_an_input_file_that_has_changed_are_refused(two_files, job, write_events):
    run_job(job(*two_files))
    write_events("b.root", 9, 2)
    with pytest.raises(ConfigError, match=r"b\.root as it was before it changed: choose another directory"):
        run_job(job(*two_files))


def test_a_folder_with_foreign_parts_is_refused(two_files, job):
    content = job(*two_files)
    (Path(content["output"]["directory"]) / "toy/clusters.parquet").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds parts without a manifest"):
        run_job(content)


def test_a_directory_below_a_file_cannot_be_written(two_files, job, tmp_path):
    (tmp_path / "file").touch()
    content = job(*two_files, output={"directory": str(tmp_path / "file" / "results")})
    with pytest.raises(ConfigError, match=r"output\.directory: .*file/results cannot be written") as error:
        run_job(content)
    assert len(error.value.problems) == 1


# ---------------------------------------------------------------------------------------------------- identity


def test_numbers_of_files_are_stable_when_files_are_added(write_events, job, tmp_path):
    for name in "bd":
        write_events(f"in/{name}.root", 3)
    content = job(events={}, run={"chunksize": 2})
    content["datasets"]["toy"]["files"] = {str(tmp_path / "in/*.root"): "Events"}
    first = run_job(content)
    before = clusters_of(first.directory)
    assert before.run.to_list() == [1] * 6
    assert before.luminosityBlock.to_list() == [1] * 3 + [2] * 3
    assert before.event.to_list() == [0, 1, 2] * 2
    for name in "ac":
        write_events(f"in/{name}.root", 3)
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 8, "reused": 4}
    assert "luminosityBlock = file number" in second.summary["identity"]
    manifest = json.loads((second.directory / "manifest.json").read_text())["datasets"]["toy"]["files"]
    assert {Path(path).stem: file["number"] for path, file in manifest.items()} == {
        "b": 1,
        "d": 2,
        "a": 3,
        "c": 4,
    }
    after = clusters_of(second.directory)
    assert after[after.luminosityBlock <= 2].to_list() == before.to_list()


def test_numbers_of_datasets_are_stable_when_a_dataset_is_added(write_events, job):
    content = job(events={})
    content["datasets"] = {"old": {"files": {write_events("a.root", 3): "Events"}}}
    run_job(content)
    content["datasets"] = {"new": {"files": {write_events("b.root", 3): "Events"}}, **content["datasets"]}
    result = run_job(content)
    assert set(clusters_of(result.directory, "old").run.to_list()) == {1}
    assert set(clusters_of(result.directory, "new").run.to_list()) == {2}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        pytest.param("run", np.arange(5) - 3, id="negative_run"),
        pytest.param("run", np.arange(5) + 2**32, id="run_above_32_bits"),
        pytest.param("luminosityBlock", np.arange(5) + 2**32, id="luminosityBlock_above_32_bits"),
        pytest.param("event", np.arange(5) - 3, id="negative_event"),
        pytest.param("event", np.arange(5) + 0.5, id="half_an_event"),
        pytest.param("run", np.zeros((5, 2), int), id="two_runs_an_event"),
    ],
)
def test_an_identity_that_does_not_fit_is_told_and_not_cut(write_events, job, word, values):
    file = write_events("a.root", 5, **{word: values})
    with pytest.raises(ChunkError, match=word) as error:
        run_job(job(file))
    assert str(error.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("keep", "name"),
    [
        pytest.param(["weight", "ev:weight"], "weight", id="two_branches_of_one_name"),
        pytest.param(["ev:run"], "run", id="identifier"),
        pytest.param(["Jet"], "Jet", id="collection"),
        pytest.param(["Jet_x"], "Jet_x", id="field_of_a_collection"),
        pytest.param(["nJet"], "nJet", id="counter"),
    ],
)
def test_a_kept_branch_that_would_hide_another_column_is_told(write_root, random_cells, job, keep, name):
    x = np.arange(5)
    main = {"cells": random_cells(5), "weight": x, "Jet": x, "Jet_x": x, "nJet": x}
    file = write_root("a.root", {"Events": main, "aux": {"run": x + 1, "weight": -x}})
    with pytest.raises((ConfigError, ChunkError), match=name):
        run_job(job(file, events={"keep": keep}, friends={"ev": "aux"}))


# ------------------------------------------------------------------------------------------------- bad files


def garbage(good, path):
    path.write_bytes(b"this is no ROOT file" * 100)
    return "cannot be read as a ROOT file"


def truncated(good, path):
    whole = Path(good).read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    return ""


def without_tree(good, path):
    with uproot.recreate(path) as file:
        file.mktree("Other", {"x": np.arange(3)})
    return "no tree 'Events'; there are Other"


def without_branch(good, path):
    with uproot.recreate(path) as file:
        words = {word: np.arange(4) for word in ("run", "luminosityBlock", "event")}
        file.mktree("Events", {"cell": np.zeros((4, 6, 8)), **words})
    return "no branch 'cells' (did you mean 'cell'?)"


def not_a_number(good, path):
    words = {word: np.arange(4) for word in ("run", "luminosityBlock", "event")}
    cells = np.zeros((4, 6, 8))
    cells[3, 1, 2] = np.nan
    with uproot.recreate(path) as file:
        file.mktree("Events", {"cells": cells, **words})
    return "entry 3: cell (row 1, col 2) is nan"


BAD = [garbage, truncated, without_tree, without_branch, not_a_number]


@pytest.fixture(params=BAD, ids=lambda make: make.__name__)
def bad_file(request, write_events, tmp_path):
    """Return a file that cannot be processed, and what is said of it."""
    good = write_events("large.root", 500, 9)
    path = tmp_path / "bad.root"
    return str(path), request.param(good, path)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_bad_file_stops_the_job_with_one_line_that_names_it(two_files, bad_file, job, capfd, executor):
    path, reason = bad_file
    options = {"executor": executor, "workers": 2, "chunksize": 5 if executor == "iterative" else 100}
    with pytest.raises(ChunkError) as error:
        run_job(job(two_files[0], path, two_files[1], run=options))
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert reason in said
    assert "\n" not in said
    assert "Traceback" not in said
    assert not capfd.readouterr().err


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_bad_file_can_be_skipped_and_is_told(two_files, bad_file, job, capfd, executor):
    path, reason = bad_file
    options = {"executor": executor, "workers": 2, "on_bad_file": "skip"}
    result = run_job(job(two_files[0], path, two_files[1], run=options))
    assert clusters_of(result.directory).event.to_list() == [*range(1000, 1013), *range(2000, 2008)]
    assert [loss["file"] for loss in result.losses] == [path]
    loss = result.losses[0]
    assert reason in loss["reason"]
    assert "\n" not in loss["reason"]
    files = result.summary["datasets"]["toy"]["files"]
    assert files[path]["lost"] == [loss["reason"]]
    assert files[path]["processed"] == 0
    assert files[path]["expected"] == (loss["n_entries"] or 0)
    assert (
        sum(file["processed"] for file in files.values()) == result.summary["datasets"]["toy"]["n_events"] == 21
    )
    assert not capfd.readouterr().err


def test_a_dataset_of_which_every_file_is_bad_is_told(job, tmp_path, two_files):
    path = tmp_path / "bad.root"
    garbage(None, path)
    content = job(
        run={"on_bad_file": "skip"},
        output={"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree"]},
    )
    content["datasets"] = {"bad": {"files": {str(path): "Events"}}, "good": {"files": {two_files[0]: "Events"}}}
    result = run_job(content)
    assert result.summary["datasets"]["bad"]["n_events"] == 0
    assert result.summary["datasets"]["good"]["n_events"] == 13
    assert len(result.losses) == 1


def test_only_the_bad_chunk_of_a_file_is_lost(write_events, random_cells, job):
    cells = random_cells(20)
    cells[7, 0, 0] = np.inf
    file = write_events("a.root", 20, cells=cells)
    result = run_job(job(file, run={"on_bad_file": "skip", "chunksize": 5}))
    assert clusters_of(result.directory).event.to_list() == [*range(1000, 1005), *range(1010, 1020)]
    assert [(loss["start"], loss["n_entries"]) for loss in result.losses] == [(5, 5)]
    assert "entry 7: cell (row 0, col 0) is inf" in result.losses[0]["reason"]


def test_a_missing_file_is_told_before_anything_is_written(two_files, job, tmp_path):
    content = job(*two_files, str(tmp_path / "gone.root"))
    with pytest.raises(ConfigError, match=r"datasets\.toy\.files: there is no file '.*gone\.root'"):
        run_job(content)
    assert not Path(content["output"]["directory"]).exists()


def test_a_plan_says_what_would_be_run(two_files, job):
    plan = plan_job(parse_config(job(*two_files, run={"chunksize": 5})), max_events=15)
    ranges = [(item.filename, item.entrystart, item.entrystop) for item in plan.items]
    assert sum(stop - start for _, start, stop in ranges) == 15
    assert [name for name, *_ in ranges] == [two_files[0]] * 3 + [two_files[1]]
