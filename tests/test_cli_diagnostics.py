"""`explain`, `ties` and `compare` on the command line: on a toy file, and on the CMS file."""

import re
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml

from hep_peaksum.cli import main

CMS = Path(__file__).parents[1] / "configs" / "cms-l1-jets.yaml"


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A config over two files of 2 x 4 cells: a lone maximum, a tie, nothing."""
    monkeypatch.chdir(tmp_path)
    for name, events in (
        ("a", [[[0, 0, 0, 0], [0, 5, 1, 0]], [[3, 3, 0, 0], [0, 0, 0, 0]]]),
        ("b", [[[0] * 4] * 2]),
    ):
        with uproot.recreate(f"{name}.root") as file:
            file.mktree("Events", {"e": np.dtype(("f4", (2, 4)))}).extend({"e": np.array(events, "f4")})
    content = {
        "datasets": {"toy": {"files": {"*.root": "Events"}}},
        "grids": {"calo": {"dense": {"branch": "e", "shape": [2, 4]}}},
        "clusters": {"First": {"grid": "calo"}, "All": {"grid": "calo", "tie_rule": "all"}},
        "output": {"directory": "results"},
    }
    Path("job.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return "job.yaml"


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = capsys.readouterr()
        return end.value.code, " ".join(said.out.split()), said.err

    return run


def test_explain_names_the_neighbour_and_the_comparison(cli, job):
    status, said, _ = cli("explain", job, "--entry", "1", "--cell", "0", "1")
    assert status == 0
    assert said == (
        "First on calo, entry 1: cell (row 0, col 1) holds 3.0: no seed; cell (row 0, col 0) holds 3.0, "
        "and the seed must be > it"
    )
    status, said, _ = cli("explain", job, "--entry", "1", "--cell", "0", "1", "--collection", "All")
    assert said.startswith("All on calo, entry 1: cell (row 0, col 1) holds 3.0: a seed")


def test_explain_refuses_a_cell_that_is_not_there(cli, job):
    status, _, err = cli("explain", job, "--cell", "2", "0")
    assert (status, err) == (1, "error: there is no cell (row 2, col 0) in a grid of 2 x 4 cells\n")


def test_ties_counts_the_seeds_of_every_rule_through_all_files(cli, job):
    status, said, _ = cli("ties", job)
    assert status == 0
    assert dict(re.findall(r"(\w+) (\d+) \d+", said)) == {
        "all": "3", "none": "1", "first": "2", "last": "2", "diagonal": "2", "lexicographic": "2",
    }  # fmt: skip
    assert said.endswith("First: the seeds of 1 of 3 events depend on the tie rule")


def test_ties_looks_at_no_more_events_than_it_is_told(cli, job):
    assert cli("ties", job, "--max-events", "1")[1].endswith("0 of 1 events depend on the tie rule")


@pytest.mark.parametrize(
    ("second", "found"),
    [
        ("All", "the same seed in both 2 of these with another sum 0 only in First 0 only in All 1"),
        (
            "kornia-nms",
            "the same seed in both 1 of these with another sum 1 only in First 1 only in kornia-nms 0",
        ),
    ],
)
def test_compare_says_what_is_only_in_one(cli, job, second, found):
    status, said, _ = cli("compare", job, "First", second)
    assert status == 0
    assert said.endswith(found)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("compare", "job.yaml", "Frist", "All"), "no collection 'Frist' (did you mean 'First'?)"),
        (("compare", "job.yaml", "First", "nothing"), "no preset is called 'nothing'"),
        (("ties", "job.yaml", "--collection", "X"), "no collection 'X'; there are First, All"),
    ],
)
def test_a_name_that_is_not_there_is_one_line(cli, job, arguments, complaint):
    status, _, err = cli(*arguments)
    assert status == 1
    assert err.startswith(f"error: {complaint}")
    assert err.count("\n") == 1


def test_the_tie_rules_on_the_cms_file_are_those_of_the_reference(cli, data, monkeypatch):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(Path(data("cms_L1Ntuple.root")).parent))
    _, said, _ = cli("ties", str(CMS))
    assert dict(re.findall(r"(\w+) (\d+) \d+", said)) == {
        "all": "452", "none": "407", "first": "429", "last": "430", "diagonal": "430", "lexicographic": "430",
    }  # fmt: skip
