"""The command line: every command in an empty folder, and one clear line for everything that is wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from places import CONFIGS

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config

PNG = b"\x89PNG"


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd):
    """Run a command in an empty folder, on a wide terminal; return exit status, output and complaints."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return end.value.code, said.out, said.err

    return command


@pytest.fixture
def write_config(tmp_path):
    """Write a config and return its path."""

    def write(content, name="job.yaml"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def good(write_events, job, write_config):
    """Return a config that runs, over two files."""
    return write_config(job(write_events("a.root", 13, 1), write_events("b.root", 8, 2)))


def complaints(err):
    """Return the lines on stderr, each of which must be a problem."""
    lines = err.splitlines()
    assert all(line.startswith("error: ") for line in lines), err
    return [line.removeprefix("error: ") for line in lines]


def row_of(out, first, corner="dataset"):
    """Return a row of a printed table by its heads: the one that begins with `first`, under `corner`."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    heads = next(line for line in lines if line[0] == corner)
    return dict(zip(heads, next(line for line in lines if line[0] == first and len(line) > 1), strict=True))


def counts_of(out, dataset):
    """Return what a summary says of a dataset: files, entries and lost."""
    row = row_of(out, dataset)
    return row["files"], row["entries"], row["lost"]


# ------------------------------------------------------------------------------------------------- from a shell


def python_m(*arguments, cwd):
    """Run the package in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "hep_peaksum", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_and_version_are_answered_in_a_shell(tmp_path):
    shown = python_m("--help", cwd=tmp_path)
    assert shown.returncode == 0
    commands = ["demo", "run", "check", "inspect", "show", "init", "status", "presets"]
    assert all(f"\n  {name} " in shown.stdout for name in commands)
    assert python_m("--version", cwd=tmp_path).stdout.startswith("hep_peaksum ")


def test_help_loads_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom hep_peaksum.cli.main import main\n"
        "try: main(['run', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'coffea', 'uproot', 'awkward', 'numba', 'matplotlib', 'scipy', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_the_first_run_on_a_machine_says_that_it_compiles(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    first, second = (python_m("demo", "--events", "20", cwd=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert " ".join(first.stdout.split()).count("compiling the search for cells of this type, once") == 1
    assert "compiling" not in second.stdout


def test_the_demo_runs_in_an_empty_folder_and_again(tmp_path, cli):
    first = python_m("demo", "--events", "150", cwd=tmp_path / "here")
    assert first.returncode == 0, first.stderr
    assert not first.stderr
    for words in ("true showers", "found within one cell", "clusters that are fake", "energy resolution"):
        assert words in first.stdout
    folder = tmp_path / "here" / "hep-peaksum-demo"
    plots = list((folder / "results/plots").iterdir())
    assert len(plots) >= 4
    assert all(path.read_bytes().startswith(PNG) for path in plots)
    assert sum(uproot.open(path)["Events"].num_entries for path in folder.glob("toy-*.root")) == 150

    status, out, err = cli("demo", "--events", "150")
    assert (status, err) == (0, "")
    assert "2 of 2 chunks were finished before" in out
    status, out, err = cli(
        "run", "hep-peaksum-demo/quickstart.yaml", "--set", "output.directory=hep-peaksum-demo/mine"
    )
    assert (status, err) == (0, "")


def test_a_demo_of_another_size_after_the_first_runs_too(cli):
    assert cli("demo", "--events", "40")[0] == 0
    status, out, err = cli("demo", "--events", "60", "--seed", "2")
    assert (status, err) == (0, "")
    assert "60 events" in out
    assert sum(uproot.open(p)["Events"].num_entries for p in Path("hep-peaksum-demo").glob("toy-*.root")) == 60
    assert uproot.open("hep-peaksum-demo/results/toy/clusters.root")["Events"].num_entries == 60


def test_a_demo_made_again_after_its_files_went_runs_too(cli):
    for n_events in (40, 60, 40):
        status, out, err = cli("demo", "--events", n_events)
        assert (status, err) == (0, "")
        assert counts_of(out, "toy") == ("2", str(n_events), "0")


def test_a_demo_of_one_event_runs(cli):
    status, _, err = cli("demo", "--events", "1")
    assert (status, err) == (0, "")


def test_a_demo_whose_config_was_changed_says_what_to_do(cli):
    cli("demo", "--events", "20")
    config = Path("hep-peaksum-demo/quickstart.yaml")
    config.write_text(config.read_text().replace("seed_threshold: 1 GeV", "seed_threshold: 2 GeV"))
    status, _, err = cli("demo", "--events", "20")
    assert status == 2
    assert "holds the results of another config" in complaints(err)[0]


# ---------------------------------------------------------------------------------------------------------- run


def test_run_prints_what_went_in_and_came_out(cli, good, tmp_path):
    status, out, err = cli("run", good)
    assert (status, err) == (0, "")
    n_clusters = json.loads((tmp_path / "results/summary.json").read_text())["datasets"]["toy"]["n_clusters"][
        "Jet"
    ]
    assert row_of(out, "toy") == {
        "dataset": "toy",
        "files": "2",
        "entries": "21",
        "lost": "0",
        "collection": "Jet",
        "clusters": str(n_clusters),
        "per event": f"{n_clusters / 21:.2f}",
    }
    assert f"Results: {tmp_path / 'results'}" in out


@pytest.mark.parametrize("options", [(), ("--max-events", "5")])
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(cli, good, tmp_path, options):
    before = sorted(tmp_path.rglob("*"))
    status, out, err = cli("run", good, "--dry-run", *options)
    assert (status, err) == (0, "")
    row = row_of(out, "toy")
    assert (row["files"], row["entries"], row["chunks"]) == (("1", "5", "1") if options else ("2", "21", "2"))
    assert "nothing was done" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_max_events_are_all_that_is_run(cli, good):
    status, out, _ = cli("run", good, "--max-events", "15")
    assert status == 0
    assert counts_of(out, "toy") == ("2", "15", "0")


def test_set_overrides_a_key(cli, good, tmp_path):
    status, _, _ = cli("run", good, "--set", "clusters.Jet.seed_threshold=7", "--set", "run.chunksize=4")
    assert status == 0
    summary = json.loads((tmp_path / "results/summary.json").read_text())
    assert summary["thresholds"]["Jet"]["seed"] == "> 7 counts = 7 GeV"
    assert summary["n_chunks"]["total"] > 2


def test_too_many_clusters_are_remarked_with_the_threshold(cli, write_root, write_config, job):
    cells = np.zeros((4, 30, 30), "f4")
    cells[:, ::2, ::2] = 1
    file = write_root("a.root", {"Events": {"cells": cells}})
    content = job(file, events={}, grids={"calo": {"dense": {"branch": "cells", "shape": [30, 30]}}})
    content["clusters"]["Jet"]["seed_threshold"] = 0
    content["clusters"]["Jet"]["search_window"] = [1, 1]
    status, out, _ = cli("run", write_config(content))
    assert status == 0
    assert (
        "Jet: more than 100 clusters an event; is seed_threshold (> 0 counts = 0 GeV) above the noise?" in out
    )
    assert "Event identity: run = dataset number" in out


def test_hits_outside_the_grid_are_remarked(cli, write_root, write_config, job):
    hits = ak.zip({"row": ak.Array([[0, 6]] * 7), "col": ak.Array([[0, 0]] * 7), "e": ak.Array([[4, 9]] * 7)})
    source = {"row": "hit_row", "col": "hit_col", "value": "hit_e"}
    grid = {"hits": source, "rows": {"n": 6}, "cols": {"n": 8}}
    content = job(write_root("a.root", {"Events": {"hit": hits}}), events={}, grids={"calo": grid})
    status, out, _ = cli("run", write_config(content))
    assert status == 0
    assert "toy: 7 hits lie outside the grid 'calo' and were not added" in out


@pytest.mark.parametrize("kind", ["garbage", "nan"])
def test_losses_are_named_and_are_an_exit_status_of_their_own(
    cli, write_events, random_cells, write_config, job, tmp_path, kind
):
    cells = random_cells(6)
    cells[2, 3, 4] = np.nan
    bad = write_events("bad.root", 6, cells=cells) if kind == "nan" else str(tmp_path / "bad.root")
    if kind == "garbage":
        Path(bad).write_bytes(b"nothing" * 99)
    content = job(write_events("a.root", 5), bad, run={"on_bad_file": "skip"})
    status, out, err = cli("run", write_config(content))
    assert (status, err) == (3, "")
    reason = "entry 2: cell (row 3, col 4) is nan" if kind == "nan" else "cannot be read as a ROOT file"
    assert f"lost {'6' if kind == 'nan' else 'all'} entries of toy: {bad}: {reason}" in out
    status, out, _ = cli("status", content["output"]["directory"])
    assert status == 0
    assert reason in out


def test_many_losses_are_told_by_file_and_not_without_end(
    cli, write_events, random_cells, write_config, job, tmp_path
):
    cells = random_cells(10)
    cells[[2, 5, 9], 3, 4] = np.nan
    files = [write_events("a.root", 10, cells=cells)]
    for number in range(30):
        files.append(str(tmp_path / f"bad-{number:02d}.root"))
        Path(files[-1]).write_bytes(b"nothing" * 99)
    content = job(*files, run={"on_bad_file": "skip", "chunksize": 2, "retries": 0})
    status, out, _ = cli("run", write_config(content))
    assert status == 3
    lost = [line for line in out.splitlines() if line.startswith("lost ")]
    assert len(lost) == 21
    assert lost[-1] == "lost and entries of 11 more files: all of them are in summary.json"
    summary = json.loads((Path(content["output"]["directory"]) / "summary.json").read_text())
    assert len(summary["losses"]) == 33
    content = job(files[0], run=content["run"], output={"directory": str(tmp_path / "one")})
    _, out, _ = cli("run", write_config(content))
    (line,) = [line for line in out.splitlines() if line.startswith("lost ")]
    assert line.startswith(f"lost 6 entries of toy: {files[0]}: entry 2: cell (row 3, col 4) is nan")
    assert line.endswith("(and 2 more chunks of this file)")


# -------------------------------------------------------------------------------------------------------- check


def test_check_says_what_a_config_means(cli, good):
    status, out, err = cli("check", good)
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    for words in ("Jet", "calo 6 x 8", "3 x 3", "first", "> 3 counts = 3 GeV", "sum seed row col n_cells pt"):
        assert words in said
    assert "the config is fine\n" in out


def test_check_finds_every_problem_at_once(cli, job, write_config):
    content = job("gone.root")
    content["clusters"]["Jet"]["sum_windwo"] = [3, 3]
    content["grids"]["calo"]["dense"]["brunch"] = "x"
    content["run"] = {"chunksize": "many"}
    status, out, err = cli("check", write_config(content))
    assert (status, out) == (2, "")
    said = complaints(err)
    assert len(said) == 3
    assert "grids.calo.dense.brunch: unknown key (did you mean 'branch'?)" in said
    assert "clusters.Jet.sum_windwo: unknown key (did you mean 'sum_window'?)" in said
    assert any(line.startswith("run.chunksize: 'many' is not a whole number") for line in said)


def test_check_says_that_files_are_missing_and_is_content(cli, job, write_config):
    status, out, err = cli("check", write_config(job("gone.root")))
    assert (status, err) == (0, "")
    assert "not there yet: datasets.toy: there is no file 'gone.root'" in out
    assert "the config is fine\n" in out


def test_check_names_every_branch_that_is_missing(cli, write_root, job, write_config):
    file = write_root(
        "a.root", {"Events": {"cell": np.zeros((2, 6, 8)), "run": np.arange(2), "event": np.arange(2)}}
    )
    status, out, err = cli("check", write_config(job(file)))
    assert (status, "fine" in out) == (2, False)
    cells, lumi = complaints(err)
    assert cells == f"{file}: no branch 'cells' (did you mean 'cell'?); there are cell, run, event"
    assert "no branch 'luminosityBlock'" in lumi


# ----------------------------------------------------------------------------------------- inspect, init, show


def proposal(out):
    """Return the config that inspect has printed."""
    return yaml.safe_load(out[out.index("\ndatasets:") :])


def test_inspect_finds_a_grid_and_proposes_a_config_that_runs(cli, write_events, write_config):
    file = write_events("a.root", 30)
    status, out, err = cli("inspect", file)
    assert (status, err) == (0, "")
    row = row_of(out, "Events", "tree")
    assert row == {"tree": "Events", "entries": "30", "branches": "cells", "looks like": "6 x 8 cells an entry"}
    status, out, err = cli("run", write_config(proposal(out), "proposed.yaml"))
    assert (status, err) == (0, "")
    assert counts_of(out, "data") == ("1", "30", "0")


@pytest.mark.parametrize(
    ("name", "tree", "n"),
    [
        ("cms_L1Ntuple.root", "l1CaloTowerEmuTree/L1CaloTowerTree", 200),
        ("coffea_delphes.root", "Delphes", 25),
        ("g4B5_elec100.root", "B5", 1000),
    ],
)
def test_what_inspect_proposes_for_a_real_file_runs(cli, data, write_config, name, tree, n):
    status, out, err = cli("inspect", data(name))
    assert (status, err) == (0, "")
    content = proposal(out)
    assert content["datasets"]["data"]["files"] == {str(data(name)): tree}
    content["output"]["plots"] = False
    status, out, err = cli("run", write_config(content), "--max-events", "20")
    assert (status, err) == (0, "")
    assert counts_of(out, "data") == ("1", "20", "0")


def test_inspect_says_when_there_is_no_grid(cli, write_root):
    file = write_root("a.root", {"Runs": {"run": np.arange(3)}})
    status, out, _ = cli("inspect", file)
    assert status == 0
    assert out.strip() == f"{file}: nothing looks like a grid in Runs"


@pytest.mark.parametrize("command", [("inspect",), ("show",), ("init", "--root")])
@pytest.mark.parametrize("content", [None, b"no ROOT file" * 50], ids=["missing", "garbage"])
def test_a_root_file_that_cannot_be_read_is_one_line(cli, command, content):
    if content:
        Path("a.root").write_bytes(content)
    status, _, err = cli(*command, "a.root")
    assert status == 1
    said = complaints(err)
    assert len(said) == 1
    assert said[0].startswith("a.root: ")


def test_init_writes_the_commented_quickstart(cli):
    status, out, err = cli("init")
    assert (status, err) == (0, "")
    assert out == "peaksum.yaml is written; next: hep-peaksum check peaksum.yaml\n"
    assert "# " in Path("peaksum.yaml").read_text()
    assert list(load_config("peaksum.yaml").clusters) == ["Cluster"]
    assert cli("check", "peaksum.yaml")[0] == 0


def test_init_for_a_root_file_writes_a_config_that_runs(cli, write_events):
    file = write_events("a.root", 4)
    assert cli("init", "--root", file, "-o", "mine.yaml")[0] == 0
    assert cli("check", "mine.yaml")[0] == 0
    assert cli("run", "mine.yaml")[0] == 0
    assert Path("results/summary.json").is_file()


def test_init_leaves_a_file_that_is_there_alone(cli):
    Path("peaksum.yaml").write_text("mine")
    status, _, err = cli("init")
    assert status == 2
    assert "peaksum.yaml is there already: choose another name with -o" in err
    assert Path("peaksum.yaml").read_text() == "mine"


def test_show_draws_an_event_of_a_config(cli, good):
    status, out, err = cli("show", good, "--entry", "15")
    assert (status, err) == (0, "")
    assert "b.root, entry 2\n" in out
    assert "clusters, drawn in event-15.png" in out
    assert Path("event-15.png").read_bytes().startswith(PNG)


def test_show_draws_an_event_of_a_root_file(cli, write_events):
    status, out, err = cli("show", write_events("a.root", 5), "--entry", "2", "-o", "picture.png")
    assert (status, err) == (0, "")
    assert "Cluster on calo: " in out
    assert Path("picture.png").read_bytes().startswith(PNG)


def test_show_draws_a_picture_for_every_collection_and_grid(cli, data, write_config):
    config = yaml.safe_load((CONFIGS / "geant4-b5.yaml").read_text())
    config["datasets"]["electrons"]["files"] = {str(data("g4B5_elec100.root")): "B5"}
    status, _, err = cli("show", write_config(config))
    assert (status, err) == (0, "")
    assert {path.name for path in Path().glob("*.png")} == {"event-0-Cluster-em.png", "event-0-Cluster-had.png"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param(["--entry", "21"], "dataset 'toy' has 21 entries, there is no entry 21", id="entry"),
        pytest.param(["--dataset", "tyo"], "no dataset 'tyo': there are toy", id="dataset"),
    ],
)
def test_show_of_what_is_not_there_is_one_line(cli, good, options, problem):
    status, _, err = cli("show", good, *options)
    assert status == 1
    assert complaints(err) == [problem]


# ------------------------------------------------------------------------------------------- status and presets


def test_status_of_complete_results_is_what_run_printed(cli, good, tmp_path):
    _, ran, _ = cli("run", good)
    status, out, err = cli("status", tmp_path / "results")
    assert (status, err) == (0, "")
    assert row_of(out, "toy") == row_of(ran, "toy")


def test_status_of_an_unfinished_job_counts_what_is_done(
    cli, write_events, random_cells, job, write_config, tmp_path
):
    cells = random_cells(8, 2)
    cells[7, 0, 0] = np.nan
    files = write_events("a.root", 13, 1), write_events("b.root", 8, 2, cells=cells)
    assert cli("run", write_config(job(*files, run={"chunksize": 5})))[0] == 1
    status, out, err = cli("status", tmp_path / "results")
    assert (status, err) == (0, "")
    assert list(row_of(out, "toy").values()) == ["toy", "2", "4", "17"]
    assert "not complete; the same run command goes on from the finished chunks" in out


@pytest.mark.parametrize("name", [".", "gone"])
def test_status_of_another_folder_is_one_line(cli, name):
    status, _, err = cli("status", name)
    assert status == 1
    assert complaints(err) == [f"{name}: no results directory (it has no manifest.json)"]


def test_presets_are_listed_and_shown(cli):
    status, out, _ = cli("presets")
    assert status == 0
    assert "cms-l1-jet" in out
    assert "keras-3x3" in out
    status, out, _ = cli("presets", "cms-l1-jet")
    assert status == 0
    assert "  tie_rule: diagonal" in out
    assert "  search_window: [9, 9]" in out
    assert "What it does not do: The emulator drops jets" in out


def test_a_preset_that_is_not_there_is_one_line(cli):
    status, _, err = cli("presets", "atlas")
    assert status == 1
    assert complaints(err)[0].startswith("no preset is called 'atlas': there are alice-emcal-nxn, alice-tpc, ")


# -------------------------------------------------------------------------- everything that a user can do wrong


def unknown_key(content, write):
    content["clusters"]["Jet"]["seed_treshold"] = content["clusters"]["Jet"].pop("seed_threshold")
    return 2, ["clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)"]


def unknown_section(content, write):
    content["cluster"] = content.pop("clusters")
    return 2, ["clusters: missing, the config needs it", "cluster: unknown key (did you mean 'clusters'?)"]


def missing_branch(content, write):
    content["grids"]["calo"]["dense"]["branch"] = "cels"
    return 1, ["{file}: no branch 'cels' (did you mean 'cells'?); there are run, luminosityBlock, event, cells"]


def missing_tree(content, write):
    content["datasets"]["toy"]["files"] = dict.fromkeys(content["datasets"]["toy"]["files"], "Evnts")
    return 1, ["{file}: no tree 'Evnts' (did you mean 'Events'?); there are Events"]


def missing_friend(content, write):
    content["events"]["keep"] = ["ev:nPV"]
    return 2, ["branch 'ev:nPV': no friend 'ev': name its tree in the section friends"]


def wrong_shape(content, write):
    content["grids"]["calo"]["dense"]["shape"] = [8, 6]
    content["grids"]["calo"]["rows"]["bins"] = 8
    content["grids"]["calo"]["cols"]["bins"] = 6
    return 1, ["{file}: cells: the array has (6, 8) cells an event, the grid needs (8, 6) (row, col)"]


def shape_against_axes(content, write):
    content["grids"]["calo"]["dense"]["shape"] = [8, 6]
    return 2, ["grids.calo: shape [8, 6] does not fit the axes ['row', 'col'] of a grid of (6, 8) cells"]


def ragged_rows(content, write):
    lists = ak.values_astype(ak.Array([[1] * 48] * 5 + [[1] * 47] + [[1] * 48]), "f4")
    content["datasets"]["toy"]["files"] = {write("bad.root", 7, cells=lists): "Events"}
    return 1, ["{file}: entry 5: cells: 47 values where the grid needs 48"]


def _strange(value, content, write):
    cells = np.zeros((9, 6, 8), "f4")
    cells[7, 1, 2] = value
    content["datasets"]["toy"]["files"] = {write("bad.root", 9, cells=cells): "Events"}
    content["run"] = {"chunksize": 5}
    return 1, [f"{{file}}: entry 7: cell (row 1, col 2) is {value}: mask it, or set nonfinite to 'mask'"]


def not_a_number(content, write):
    return _strange(np.nan, content, write)


def infinity(content, write):
    return _strange(np.inf, content, write)


def window_longer_than_the_circle(content, write):
    content["clusters"]["Jet"]["search_window"] = [3, 9]
    content["clusters"]["Jet"]["sum_window"] = [3, 5]
    said = (
        "clusters.Jet: search_window is longer than the periodic axis phi (8 cells) and would meet a cell twice"
    )
    return 2, [f"{said}: make the window shorter, or the axis not periodic"]


def four_vector_without_positions(content, write):
    content["grids"]["calo"]["rows"] = {"name": "eta", "n": 6}
    content["clusters"]["Jet"]["fields"] = ["peak_sum", "pt"]
    said = "clusters.Jet: field 'pt' needs positions on an axis named eta"
    return 2, [f"{said}: add name and edges, or bins, start and stop, to rows or cols"]


def missing_file(content, write):
    content["datasets"]["toy"]["files"] = {"gone.root": "Events"}
    return 2, ["datasets.toy.files: there is no file 'gone.root' (seen from {here})"]


def empty_glob(content, write):
    content["datasets"]["toy"]["files"] = {"gone/*.root": "Events"}
    return 2, ["datasets.toy.files: no file matches 'gone/*.root' (seen from {here})"]


def no_root_file(content, write):
    Path("bad.root").write_text("this is no ROOT file" * 50)
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: cannot be read as a ROOT file"]


def empty_file(content, write):
    Path("bad.root").touch()
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: cannot be read as a ROOT file"]


def _cut(part, content, write):
    whole = Path(write("large.root", 2000)).read_bytes()
    Path("bad.root").write_bytes(whole[: int(len(whole) * part)])
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: "]


def truncated_to_a_half(content, write):
    return _cut(0.5, content, write)


def truncated_to_a_thousandth(content, write):
    return _cut(0.001, content, write)


def directory_of_another_config(content, write):
    output = Path(content["output"]["directory"])
    output.mkdir()
    (output / "manifest.json").write_text('{"fingerprint": "other", "job": {}, "datasets": {}}')
    return 2, ["output.directory: {output} holds the results of another config ("]


def unwritable_directory(content, write):
    Path("file").touch()
    content["output"]["directory"] = "file/results"
    return 2, ["output.directory: file/results cannot be written (Not a directory)"]


BAD = [
    unknown_key,
    unknown_section,
    missing_branch,
    missing_tree,
    missing_friend,
    wrong_shape,
    shape_against_axes,
    ragged_rows,
    not_a_number,
    infinity,
    window_longer_than_the_circle,
    four_vector_without_positions,
    missing_file,
    empty_glob,
    no_root_file,
    empty_file,
    truncated_to_a_half,
    truncated_to_a_thousandth,
    directory_of_another_config,
    unwritable_directory,
]


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_mistake_is_one_clear_line_and_an_exit_status(cli, write_events, job, write_config, spoil):
    content = job(write_events("a.root", 5))
    status, expected = spoil(content, write_events)
    places = {
        "file": next(iter(content["datasets"]["toy"]["files"])),
        "here": Path.cwd(),
        "output": content["output"]["directory"],
    }
    found = cli("run", write_config(content))
    assert found[0] == status
    said = complaints(found[2])
    assert len(said) == len(expected)
    for line, words in zip(sorted(said), sorted(expected), strict=True):
        assert line.startswith(words.format(**places))


def test_a_truncated_file_is_said_to_be_cut_short(cli, write_events, job, write_config):
    content = job(write_events("a.root", 5))
    _cut(0.5, content, write_events)
    _, _, err = cli("run", write_config(content))
    assert "FSSpecSource" not in err
    assert "cannot be read as a ROOT file" in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("clusters: [", "job.yaml: not YAML (", id="not_yaml"),
        pytest.param("", "job.yaml: a config is a map of sections, this file holds nothing", id="empty"),
        pytest.param("a: 1\na: 2\n", "the key 'a' occurs twice", id="key_twice"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(cli, write_config, text, problem):
    status, _, err = cli("run", write_config(text))
    assert status == 2
    assert len(complaints(err)) == 1
    assert problem in err


def test_a_config_that_is_not_there_is_one_line(cli):
    status, _, err = cli("run", "gone.yaml")
    assert status == 2
    assert complaints(err) == ["gone.yaml: cannot be read (No such file or directory)"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("clusters.Jet.seed_threshold", "write key.path=value"),
        ("clusters.Jet.grid.0.x=1", "the config has no place 'clusters.Jet.grid.0.x'"),
        ("run.chunksize=[", "the value is not YAML"),
        ("run.chunksise=4", "run.chunksise: unknown key (did you mean 'chunksize'?)"),
    ],
)
def test_a_wrong_override_is_one_line(cli, good, setting, problem):
    status, _, err = cli("run", good, "--set", setting)
    assert status == 2
    assert len(complaints(err)) == 1
    assert problem in err


@pytest.mark.parametrize("arguments", [["run"], ["rnu"], ["run", "--fast"], ["demo", "--events", "0"]])
def test_wrong_usage_shows_how_and_exits_with_2(cli, arguments):
    status, _, err = cli(*arguments)
    assert status == 2
    assert "Error: " in err


def test_garbage_is_collected_again_once_all_is_imported():
    code = """
import gc
from hep_peaksum.job.worker_startup import importing
with importing():
    assert not gc.isenabled()
    import numpy
assert gc.isenabled() and gc.get_freeze_count() > 10_000
n_frozen = gc.get_freeze_count()
with importing():
    numpy.things = [[] for _ in range(1000)]
assert gc.isenabled() and gc.get_freeze_count() <= n_frozen  # what came since then is not kept for ever
"""
    subprocess.run([sys.executable, "-c", code], check=True)
