"""`explain`, `ties` and `compare` on the command line: on a toy file, and on the CMS file."""

import re
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml
from places import CONFIGS

from hep_peaksum.cli.main import main
from hep_peaksum.plotting import canvas

pytestmark = pytest.mark.slow  # together they take many seconds

CMS = CONFIGS / "cms-l1-jets.yaml"


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
        "select": {"Up": {"from": "All", "where": [{"field": "row", "above": 0}]}},
        "output": {"directory": "results"},
    }
    Path("job.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return "job.yaml"


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        output = capsys.readouterr()
        return end.value.code, " ".join(output.out.split()), output.err

    return run


def test_explain_names_the_neighbour_and_the_comparison(cli, job):
    status, output, _ = cli("explain", job, "--entry", "1", "--cell", "0", "1")
    assert status == 0
    assert output.startswith(
        "First on calo, entry 1: cell (row 0, col 1) holds 3: no seed; cell (row 0, col 0) holds 3, "
        "and the seed must be > it row 0; col 1 beaten by value [counts] the seed must be"
    )
    assert output.endswith("row 0, col 0 3 > 3 decides")
    status, output, _ = cli("explain", job, "--entry", "1", "--cell", "0", "1", "--collection", "All")
    assert output.startswith("All on calo, entry 1: cell (row 0, col 1) holds 3: a seed")


def test_explain_refuses_a_cell_that_is_not_there(cli, job):
    status, _, err = cli("explain", job, "--cell", "2", "0")
    where = "in a grid of 2 x 4 cells: they count from 0"
    assert (status, err) == (1, f"error: there is no cell (row 2, col 0) {where}\n")


def test_ties_counts_the_seeds_of_every_rule_over_all_files(cli, job):
    status, output, _ = cli("ties", job)
    assert status == 0
    assert dict(re.findall(r"(\w+) (\d+) \d+", output)) == {
        "all": "3", "none": "1", "first": "2", "last": "2", "diagonal": "2", "lexicographic": "2",
    }  # fmt: skip
    assert output.endswith("First: the seeds of 1 of 3 events (33.3%) depend on the tie rule")
    for n, found in ((1, "0 of 1 events (0.0%)"), (2, "1 of 2 events (50.0%)")):
        assert f"the seeds of {found} depend" in cli("ties", job, "--max-events", str(n))[1]


def test_ties_reads_at_most_max_events(cli, job):
    assert cli("ties", job, "--max-events", "1")[1].endswith("0 of 1 events (0.0%) depend on the tie rule")


@pytest.mark.parametrize(
    ("second", "counts", "differences", "alone"),
    [
        ("All", (2, 0, 0, 1), (0, 0, 0), "All 1 0 1 6"),
        # the sums are the seeds: 5 for 6 and 3 for 6, and the second 3 of the tie is a seed, too
        ("heatmap-nms", (2, 2, 0, 1), (-2, 2.236, -3), "heatmap-nms 1 0 1 3"),
        # 3x3 windows do not fit into two rows, so that it has no seeds
        ("kornia-nms", (0, 0, 2, 0), None, "First 0 1 1 6 First 1 0 0 6"),
    ],
)
def test_compare_counts_what_only_one_has(cli, job, second, counts, differences, alone):
    status, output, _ = cli("compare", job, "First", second)
    assert status == 0
    same, others, only_a, only_b = counts
    assert f"same seed in both {same} of these, different sum {others} only in First {only_a}" in output
    assert f"only in {second} {only_b}" in output
    assert ("minus energy in First" in output) == (differences is not None)
    if differences is not None:
        mean, rms, largest = differences
        assert f"energy in {second} minus energy in First: mean {mean} counts" in output
        assert f"root mean square {rms} counts largest {largest} counts" in output
    assert "only in entry row col sum [counts]" in output
    assert output.endswith(alone)


def is_picture(path):
    """Return whether a file is a PNG that is not all of one colour."""
    from matplotlib.image import imread

    return Path(path).read_bytes().startswith(b"\x89PNG") and np.ptp(imread(path)) > 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "job.yaml", "--entry", "1", "--cell", "0", "1"),
        ("explain", "job.yaml", "--entry", "2", "--cell", "0", "1"),
        ("ties", "job.yaml"),
        ("compare", "job.yaml", "First", "All"),
        ("compare", "job.yaml", "First", "crystal-5x5"),
        ("presets", "cms-l1-jet"),
    ],
    ids=lambda words: "-".join(words[:1] + words[2:]),
)
def test_every_answer_can_be_drawn(cli, job, arguments):
    status, output, err = cli(*arguments, "-o", "it.png")
    assert (status, err) == (0, "picture saved to it.png\n")
    assert output
    assert is_picture("it.png")


@pytest.mark.parametrize(
    "arguments",
    [("explain", "--cell", "0", "1"), ("ties",), ("compare", "First", "All")],
    ids=["explain", "ties", "compare"],
)
def test_of_several_grids_each_has_an_answer_and_a_picture(cli, job, monkeypatch, arguments):
    saved = []
    monkeypatch.setattr(canvas, "save", lambda _, path: saved.append(str(path)))
    content = yaml.safe_load(Path(job).read_text())
    content["grids"]["twin"] = content["grids"]["calo"]
    content["clusters"]["First"]["grid"] = ["calo", "twin"]
    Path(job).write_text(yaml.safe_dump(content))
    command, *options = arguments
    chosen = [] if command == "compare" else ["--collection", "First"]
    status, output, _ = cli(command, job, *options, *chosen, "-o", "it.png")
    assert status == 0
    assert all(f"First on {grid}" in output for grid in ("calo", "twin"))
    assert saved == ["it-calo.png", "it-twin.png"]


def test_noise_and_mask_of_the_grid_are_used(cli, job):
    np.save("mask.npy", np.array([[True, False, False, False], [False] * 4]))
    masked = "--set", "grids.calo.mask=mask.npy"
    assert (
        "(row 0, col 0) is masked: no seed"
        in cli("explain", job, "--entry", "1", "--cell", "0", "0", *masked)[1]
    )
    assert "col 1) holds 3: a seed" in cli("explain", job, "--entry", "1", "--cell", "0", "1", *masked)[1]
    assert cli("ties", job, *masked)[1].endswith("the seeds of 0 of 3 events (0.0%) depend on the tie rule")
    assert "only in All 0" in cli("compare", job, "First", "All", *masked)[1]
    noisy = "--set", "clusters.First.seed_threshold=2 sigma", "--set", "grids.calo.noise=2"
    output = cli("explain", job, "--entry", "1", "--cell", "0", "0", *noisy)[1]
    assert "it does not pass the seed threshold > 2 sigma" in output
    assert "only in All 2" in cli("compare", job, "First", "All", *noisy)[1]
    assert re.search(r"all 1 0", cli("ties", job, *noisy)[1])


@pytest.fixture
def layered(tmp_path, monkeypatch):
    """A config over two layers of 1 x 3 cells, each searched by itself."""
    monkeypatch.chdir(tmp_path)
    with uproot.recreate("l.root") as file:
        file.mktree("Events", {"e": np.dtype(("i4", (2, 1, 3)))}).extend({"e": [[[[1, 2, 2]], [[0, 9, 0]]]]})
    content = {
        "datasets": {"toy": {"files": {"l.root": "Events"}}},
        "grids": {
            "calo": {
                "dense": {"branch": "e", "shape": [2, 1, 3], "axes": ["layer", "row", "col"]},
                "layers": "each",
            }
        },
        "clusters": {"Hit": {"grid": "calo"}, "All": {"grid": "calo", "tie_rule": "all"}},
        "output": {"directory": "results"},
    }
    Path("layers.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return "layers.yaml"


def test_layers_searched_separately_are_explained_separately(cli, layered):
    first = cli("explain", layered, "--cell", "0", "2", "--layer", "0", "-o", "it.png")[1]
    assert "entry 0, layer 0: cell (row 0, col 2) holds 2: no seed; cell (row 0, col 1) holds 2" in first
    assert "(row 0, col 1) holds 9: a seed" in cli("explain", layered, "--cell", "0", "1", "--layer", "1")[1]
    assert re.search(r"all 3 0.* 1 of 1 events", cli("ties", layered)[1])
    assert cli("compare", layered, "Hit", "All")[1].endswith("All 0 0 0 2 4")
    for more in ((), ("--layer", "2")):
        status, _, err = cli("explain", layered, "--cell", "0", "1", *more)
        assert (status, err.count("\n")) == (1, 1)
        assert "grid 'calo' has 2 layers, searched separately" in err


def test_a_sum_of_layers_is_explained_with_the_noise_of_all(cli, layered):
    np.save("noise.npy", np.full((2, 1, 3), 3.0))
    together = "--set", "grids.calo.layers=sum", "--set", "grids.calo.noise=noise.npy"
    for n, answer in ((2, "a seed"), (3, "no seed; it does not pass the seed threshold > 3 sigma")):  # of 4.2
        threshold = "--set", f"clusters.Hit.seed_threshold={n} sigma"
        output = cli("explain", layered, "--cell", "0", "1", *together, *threshold)[1]
        assert f"(row 0, col 1) holds 11 in the sum of 2 layers: {answer}" in output


def test_an_event_that_cannot_be_searched_is_named_by_its_entry(cli, job):
    with uproot.update("b.root") as file:
        file.mktree("More", {"e": np.dtype(("f4", (2, 4)))}).extend({"e": np.full((2, 2, 4), np.nan, "f4")})
    for command in (("ties", job), ("compare", job, "First", "All")):
        files = "datasets.toy.files={a.root: Events, b.root: More}"
        assert cli(*command, "--set", files)[2] == (
            "error: entry 2: cell (row 0, col 0) is nan: mask it, or set nonfinite to 'mask'\n"
        )


def test_closed_rings_are_counted_and_named(cli, job):
    with uproot.recreate("a.root") as file:
        cells = np.zeros((3, 2, 4), "f4")
        cells[1, 1] = 2
        file.mktree("Events", {"e": np.dtype(("f4", (2, 4)))}).extend({"e": cells})
    output = cli("ties", job, "--set", "grids.calo.cols={n: 4, periodic: true}")[1]
    assert re.search(r"diagonal 0 1 1 lexicographic 0 1 1 ", output)
    assert "closed ring in entry 1: 4 cells of 2 along cols from (row 1, col 0) on; no seed with" in output


def test_a_preset_is_drawn_in_the_terminal(cli):
    status, output, _ = cli("presets", "cms-hgcal-tpg")
    assert status == 0
    assert output.startswith("cms-hgcal-tpg CMS HGCAL ")
    assert "search window, 3 x 3 sum window, 1 x 1 > > = o > o = > = =" in output
    assert "> the seed must exceed this cell = the seed may equal this cell" in output
    assert "source cms-sw/cmssw L1Trigger/L1THGCal/src/backend/HGCalHistoSeedingImpl.cc" in output
    assert "reproduces seeds: the seeds of the published algorithm, not its sums" in output
    assert "Not reproduced: The smoothing of the histogram" in output


def test_a_picture_without_a_preset_is_wrong_usage(cli):
    status, _, err = cli("presets", "-o", "it.png")
    assert status == 2
    assert "give its name" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("compare", "job.yaml", "Frist", "All"), "no collection 'Frist' (did you mean 'First'?)"),
        (
            ("compare", "job.yaml", "First", "nothing"),
            "no collection 'nothing'; there are First, All; and no preset is called 'nothing'",
        ),
        (("compare", "job.yaml", "First", "Up"), "'Up' is a view, and collections are searched: name 'All'"),
        (
            ("ties", "job.yaml", "--collection", "Up"),
            "'Up' is a view, and collections are searched: name 'All'",
        ),
        (("ties", "job.yaml", "--dataset", "toi"), "no dataset 'toi' (did you mean 'toy'?): there are toy"),
        (
            ("explain", "job.yaml", "--entry", "3", "--cell", "0", "0"),
            "dataset 'toy' has 3 entries, there is no",
        ),
        (
            ("explain", "job.yaml", "--cell", "0", "0", "--layer", "1"),
            "--layer 1: the layers of grid 'calo' are not searched separately; leave it out",
        ),
        (
            ("compare", "job.yaml", "First", "cms-l1-jet", "--set", "grids.calo.cols={n: 4, periodic: true}"),
            "cms-l1-jet cannot run on grid 'calo': search_window is longer than the periodic axis cols (4 ",
        ),
        (
            ("compare", "job.yaml", "All", "First", "--set", "clusters.First.coarsen=[2, 2]"),
            "one searches towers of 1 x 1 cells, the other of 2 x 2: give both the same coarsen",
        ),
        (("ties", "job.yaml", "--collection", "X"), "no collection 'X'; there are First, All"),
    ],
)
def test_an_unknown_name_is_one_line(cli, job, arguments, complaint):
    status, _, err = cli(*arguments)
    assert status == 1
    assert err.startswith(f"error: {complaint}")
    assert err.count("\n") == 1


def test_the_tie_rules_on_the_cms_file_are_those_of_the_reference(cli, data, monkeypatch):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(Path(data("cms_L1Ntuple.root")).parent))
    _, output, _ = cli("ties", str(CMS))
    assert dict(re.findall(r"(\w+) (\d+) \d+", output)) == {
        "all": "452", "none": "407", "first": "429", "last": "430", "diagonal": "430", "lexicographic": "430",
    }  # fmt: skip


def test_every_answer_on_the_cms_file_can_be_drawn(cli, data, monkeypatch, tmp_path):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(Path(data("cms_L1Ntuple.root")).parent))
    monkeypatch.chdir(tmp_path)
    output = cli("explain", str(CMS), "--entry", "0", "--cell", "38", "10", "-o", "explain.png")[1]
    assert "row 38: eta -0.1305, label -2; col 10: phi 0.9163, label 11" in output
    assert "row 37, col 10 8 >= 8 decides row 38, col 14 6 > 6 also beats it" in output
    assert "picture saved to ties.png" in cli("ties", str(CMS), "-o", "ties.png")[2]
    same = cli("compare", str(CMS), "Jet", "cms-l1-jet", "-o", "compare.png")[1]
    assert "same seed in both 430 of these, different sum 0 only in Jet 0 only in cms-l1-jet 0" in same
    output = cli("compare", str(CMS), "Jet", "cms-phase2-jet")[1]
    assert "same seed in both 257" in output
    assert "mean -1.356 GeV root mean square 1.993 GeV largest -7.5 GeV" in output
    assert all(is_picture(f"{name}.png") for name in ("explain", "ties", "compare"))
