"""`inspect`, `init` and `show`: from a ROOT file to a config and a picture."""

from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml
from cli_output import PNG, complaints, counts_of, row_of
from places import CONFIGS

from hep_peaksum.config.load import load_config

pytestmark = pytest.mark.slow  # together they take many seconds


def proposal(out):
    """Return the config that inspect has printed."""
    return yaml.safe_load(out[out.index("\ndatasets:") :])


def test_inspect_finds_a_grid_and_proposes_a_config_that_runs(cli, write_events, write_config):
    file = write_events("a.root", 30)
    status, out, err = cli("inspect", file)
    assert (status, err) == (0, "")
    row = row_of(out, "1", "no.")
    assert row == {
        "no.": "1",
        "tree": "Events",
        "entries": "30",
        "branches": "cells",
        "looks like": "6 x 8 cells per entry",
    }
    status, out, err = cli("run", write_config(proposal(out), "proposed.yaml"))
    assert (status, err) == (0, "")
    assert counts_of(out, "data") == ("1", "30", "0")


@pytest.mark.parametrize(
    ("name", "tree", "n"),
    [
        ("cms_L1Ntuple.root", "l1CaloTowerEmuTree/L1CaloTowerTree", 200),
        pytest.param("coffea_delphes.root", "Delphes", 25, marks=pytest.mark.slow),
        ("g4B5_elec100.root", "B5", 1000),
    ],
)
def test_what_inspect_proposes_for_a_real_file_runs(cli, data, write_config, name, tree, n):
    status, out, err = cli("inspect", data(name))
    assert (status, err) == (0, "")
    content = proposal(out)
    assert content["datasets"]["data"]["files"] == {str(data(name)): tree}
    content["output"]["plots"] = False
    status, out, err = cli("run", "-q", write_config(content), "--max-events", "20")
    assert (status, err) == (0, "")
    assert counts_of(out, "data") == ("1", "20", "0")


def test_inspect_reports_a_file_without_grids(cli, write_root):
    file = write_root("a.root", {"Runs": {"run": np.arange(3)}})
    status, out, _ = cli("inspect", file)
    assert status == 0
    assert out.strip() == f"{file}: no branch looks like a grid or hits (trees: Runs (3 entries))"
    status, _, err = cli("init", "--root", file)
    assert status == 1
    remedy = f"see `hep-peaksum inspect {file}`, or start from `hep-peaksum init`"
    assert complaints(err) == [f"{out.strip()}; {remedy}"]


def test_a_file_of_histograms_is_told_what_it_holds(cli, data):
    file = data("ldmx_gold_hcal.root")  # with a colon in a name
    status, out, err = cli("inspect", file)
    assert (status, err) == (0, "")
    assert out.strip() == f"{file}: no tree, so no events to search (it holds 126 TH1F, 2 TH2F)"


def test_branches_that_cannot_be_read_are_named(cli, data):
    status, out, err = cli("inspect", data("dtc_exp140.root"))
    assert (status, err) == (0, "")
    assert "tree: uproot cannot read dataFrame/TClonesArray/TObjArray\n" in out


def test_one_row_a_hit_is_told_how_to_become_events(cli, data):
    file = data("dtc_al250.root")
    command = f"hep-peaksum group {file}:Hits --by runID,eventID -o grouped.root"
    status, out, err = cli("inspect", file)
    assert (status, err) == (0, "")
    assert f"  {command}\n" in out
    status, _, err = cli("show", file)
    assert status == 1
    assert complaints(err) == [f"Hits: one row per hit, eventID names the event: first run `{command}`"]


def test_init_makes_events_of_one_row_a_hit(cli, data):
    file = data("dtc_al250.root")
    status, out, err = cli("init", "--root", file)
    assert (status, err) == (0, "")
    assert f"hep-peaksum group {file}:Hits --by runID,eventID -o grouped.root\n" in out
    assert load_config("peaksum.yaml").datasets["data"].files == {"grouped.root": "Events"}
    with uproot.open("grouped.root") as grouped:
        assert grouped["Events"].num_entries == 4163
    Path("peaksum.yaml").unlink()
    status, _, err = cli("init", "--root", file)
    assert status == 2
    assert "or, if it holds these events, take it with --root grouped.root" in " ".join(err.split())


def test_energies_without_positions_are_told_how_to_get_them(cli, data):
    file = data("coffea_test_FCC_Winter2023.root")
    status, out, err = cli("inspect", file)
    assert (status, err) == (0, "")
    assert (
        f"  hep-peaksum group {file}:events --join EFlowPhoton.hits_begin:EFlowPhoton#1.index:CalorimeterHits "
        "--branches 'EFlowPhoton.energy,CalorimeterHits.position.*' -o grouped.root\n"
    ) in out


def test_two_candidates_become_two_grids(cli, data):
    file = data("g4B5_elec100.root")
    status, out, err = cli("init", "--root", file, "--grid", "em=EC", "--grid", "had=2")
    assert (status, err) == (0, "")
    assert out.splitlines()[:4] == [
        "em: B5, 80 values per entry, 20×4 guessed",
        "had: B5, 20 values per entry, 5×4 guessed",
        "  20×4 guessed (numbers 4 apart are alike); also 10×8, 16×5, 5×4×4, 40×2",
        "  5×4 guessed (the nearest to a square); also 10×2",
    ]
    assert list(load_config("peaksum.yaml").clusters) == ["ClusterEm", "ClusterHad"]
    assert cli("check", "peaksum.yaml")[0] == 0


@pytest.mark.parametrize("options", ["", " --candidate 2", " --grid em=1 --grid had=2"])
def test_inspect_names_the_command_that_writes_what_it_shows(cli, write_events, random_cells, options):
    file = write_events("a.root", 6, other=random_cells(6, 2))
    status, out, err = cli("inspect", file, *options.split())
    assert (status, err) == (0, "")
    assert f"# hep-peaksum init --root {file}{options} writes this config" in " ".join(out.split())


def test_another_candidate_is_chosen_by_its_number(cli, data):
    status, out, err = cli("init", "--root", data("g4B5_elec100.root"), "--candidate", "2")
    assert (status, err) == (0, "")
    assert load_config("peaksum.yaml").grids["calo"].dense.branch == "HCEnergyVector"
    status, out, err = cli("inspect", data("g4B5_elec100.root"), "--candidate", "2")
    assert proposal(out)["grids"]["calo"]["dense"]["branch"] == "HCEnergyVector"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--candidate", "2"], "--candidate and --grid choose what is in a file: add --root FILE.root"),
        (["--root", "a.root", "--grid", "em"], "--grid em: write a name and a candidate, as in --grid em=1"),
        (
            ["--root", "a.root", "--grid", "em=1", "--candidate", "1"],
            "with --grid NAME=N, leave --candidate out",
        ),
        (["--root", "a.root", "--candidate", "7"], "'7' chooses no candidate: give a number from 1 to 1"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(cli, write_events, options, problem):
    file = write_events("a.root", 4)
    status, _, err = cli("init", *(file if option == "a.root" else option for option in options))
    assert status in (1, 2)
    assert problem in " ".join(err.split())


@pytest.mark.parametrize("command", [("inspect",), ("show",), ("init", "--root")])
@pytest.mark.parametrize("content", [None, b"no ROOT file" * 50], ids=["missing", "garbage"])
def test_a_root_file_that_cannot_be_read_is_one_line(cli, command, content):
    if content:
        Path("a.root").write_bytes(content)
    status, _, err = cli(*command, "a.root")
    assert status == 1
    output = complaints(err)
    assert len(output) == 1
    assert output[0].startswith("a.root: ")


def test_init_writes_the_commented_quickstart(cli):
    status, out, err = cli("init")
    assert (status, err) == (0, "")
    assert out == "wrote peaksum.yaml; next: hep-peaksum check peaksum.yaml\n"
    assert "# " in Path("peaksum.yaml").read_text()
    assert list(load_config("peaksum.yaml").clusters) == ["Cluster"]
    assert cli("check", "peaksum.yaml")[0] == 0


def test_init_for_a_root_file_writes_a_config_that_runs(cli, write_events):
    file = write_events("a.root", 4)
    assert cli("init", "--root", file, "-o", "mine.yaml")[0] == 0
    assert cli("check", "mine.yaml")[0] == 0
    assert cli("run", "mine.yaml")[0] == 0
    assert Path("results/summary.json").is_file()


def test_init_never_overwrites_a_file(cli):
    Path("peaksum.yaml").write_text("mine")
    status, _, err = cli("init")
    assert status == 2
    assert "peaksum.yaml exists already: choose another name with -o" in err
    assert Path("peaksum.yaml").read_text() == "mine"


def test_show_draws_an_event_of_a_config(cli, good):
    status, out, err = cli("show", good, "--entry", "15")
    assert (status, err) == (0, "")
    assert "b.root, entry 2\n" in out
    assert "clusters, picture saved to event-15.png" in out
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
        pytest.param(
            ["--entry", "21"],
            "dataset 'toy' has 21 entries, there is no entry 21: they count from 0",
            id="entry",
        ),
        pytest.param(
            ["--dataset", "tyo"], "no dataset 'tyo' (did you mean 'toy'?): there are toy", id="dataset"
        ),
    ],
)
def test_show_of_a_missing_entry_or_dataset_is_one_line(cli, good, options, problem):
    status, _, err = cli("show", good, *options)
    assert status == 1
    assert complaints(err) == [problem]
