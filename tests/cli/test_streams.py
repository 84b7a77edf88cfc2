"""What goes to stdout and what to stderr, how much of it, and the JSON documents of the commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from hep_peaksum import preset
from hep_peaksum.cli.main import cli as program
from hep_peaksum.terminal import diagnostic_documents, documents, job_documents
from hep_peaksum.terminal.documents import Document


def models(module):
    return [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Document)]


SCHEMAS = {
    command: model.model_json_schema()
    for model in {*models(documents), *models(job_documents), *models(diagnostic_documents)}
    if "command" in model.model_fields
    for command in model.model_fields["command"].annotation.__args__
}


@pytest.fixture
def config(write_events, job, write_config):
    """Return a config of two collections, one of them with objects of the file to compare with."""
    cells = np.zeros((6, 6, 8))
    cells[:, 2, 3] = 9
    cells[:4, 2, 4] = 9  # ties in four of six events
    objects = {"row": [[-0.5]] * 6, "col": [[-0.3]] * 6, "sum": [[18.0]] * 6}
    content = job(write_events("a.root", 6, cells=cells, **objects))
    content["clusters"]["Jet"] |= {
        "seed_threshold": 5,
        "sum_window": [3, 3],
        "reference": {name: name for name in objects},
    }
    content["clusters"]["Wide"] = {"grid": "calo", "seed_threshold": 5, "sum_window": [5, 5], "tie_rule": "all"}
    return write_config(content)


@pytest.fixture
def document(cli, config):
    """Run a command with --json and return its status and the document, which fits its schema."""

    def run(command, *arguments):
        status, out, _ = cli(*command.split(), *arguments, "--json")
        content = json.loads(out)
        jsonschema.validate(content, SCHEMAS[content["command"]])
        assert content["command"] == " ".join(word for word in command.split() if word != str(config))
        return status, content

    return run


def test_every_command_with_json_has_a_schema():
    commands = {
        name for name, each in program.commands.items() if any(p.name == "as_json" for p in each.params)
    }
    assert commands == {command.split()[0] for command in SCHEMAS}
    assert all(schema["additionalProperties"] is False for schema in SCHEMAS.values())


def test_run_and_status(document, config, tmp_path):
    status, ran = document("run", config)
    assert (status, ran["state"], ran["losses"]) == (0, "done", [])
    # one seed each where `first` decides, two where nobody has to win
    assert ran["datasets"]["toy"] == {
        "n_files": 1, "n_entries": 6, "n_processed": 6, "n_written": 6, "n_lost": 0,
        "n_clusters": {"Jet": 6, "Wide": 10},
    }  # fmt: skip
    _, seen = document("status", tmp_path / "results")
    assert {**seen, "command": "run", "n_reused_chunks": 0} == ran
    _, merged = document("merge", tmp_path / "results", "-o", tmp_path / "merged")
    assert merged["datasets"] == ran["datasets"]


@pytest.mark.parametrize(("command", "is_continued"), [("run", True), ("merge", True), ("group", False)])
def test_only_jobs_say_that_they_can_be_continued(cli, monkeypatch, command, is_continued):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    handlers = {}
    monkeypatch.setattr(program, "main", interrupted)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    status, _, err = cli(command, "anything")
    assert status == 130
    assert handlers == {signal.SIGINT: signal.SIG_DFL}  # what comes in the course of the exit ends it
    assert err.startswith("error: interrupted")
    assert ("the same command continues" in err) == is_continued


def test_a_dry_run(document, config):
    _, planned = document("run --dry-run", config)
    assert planned["datasets"] == {"toy": {"n_files": 1, "n_entries": 6, "n_chunks": 1, "n_finished_chunks": 0}}


def test_a_run_with_losses(cli, write_events, random_cells, job, write_config, tmp_path):
    cells = random_cells(6)
    cells[2, 3, 4] = np.nan
    files = write_events("a.root", 5), write_events("bad.root", 6, cells=cells)
    status, out, _ = cli("run", write_config(job(*files, run={"on_bad_file": "skip"})), "--json")
    ran = json.loads(out)
    assert (status, ran["state"], ran["datasets"]["toy"]["n_lost"]) == (3, "done with losses", 6)
    assert [(loss["start"], loss["n_entries"]) for loss in ran["losses"]] == [(0, 6)]


def test_an_unfinished_and_a_damaged_job(
    cli, document, write_events, random_cells, job, write_config, tmp_path
):
    cells = random_cells(8, 2)
    cells[7, 0, 0] = np.nan
    files = write_events("a.root", 13, 1), write_events("b.root", 8, 2, cells=cells)
    cli("run", write_config(job(*files, run={"chunksize": 5}), "other.yaml"))
    _, seen = document("status", tmp_path / "results")
    assert seen["state"] == "incomplete"
    assert seen["unfinished"] == {"toy": {"n_files": 2, "n_finished_chunks": 4, "n_entries": 17}}
    part = next(path for path in (tmp_path / "results").rglob("*.parquet") if path.is_file())
    part.write_bytes(part.read_bytes()[:-9])
    status, seen = document(["status", "--verify"][0], tmp_path / "results", "--verify")
    assert (status, seen["state"], len(seen["damaged"])) == (1, "damaged", 1)


def test_check_tells_missing_files_from_other_remarks(document, job, write_config):
    clusters = {"Jet": {"grid": "calo", "seed_threshold": -1}}
    status, checked = document("check", write_config(job("gone.root", clusters=clusters), "gone.yaml"))
    assert status == 0
    (missing,) = checked["missing"]
    assert re.search(r"gone\.yaml:\d+: datasets\.toy\.files: there is no file 'gone\.root'", missing)
    assert checked["remarks"] == ["Jet: empty cells pass seed_threshold (> -1): is a threshold above 0 meant?"]


def test_check_and_inspect(document, config, tmp_path):
    _, checked = document("check", config)
    assert (checked["missing"], checked["remarks"]) == ([], [])
    jet = checked["collections"]["Jet"]
    assert (jet["grids"], jet["settings"]["tie_rule"]) == ({"calo": [6, 8]}, "first")
    assert jet["thresholds"]["seed"].startswith("> 5 counts")
    _, seen = document("inspect", tmp_path / "a.root")
    assert seen["trees"] == {"Events": 6}
    assert seen["candidates"][0]["branches"] == ["cells"]
    assert list(yaml.safe_load(seen["config"])["grids"]) == ["calo"]


def test_explain(document, config):
    _, seen = document("explain", config, "--entry", 1, "--cell", 2, 4)
    (why,) = seen["explanations"]
    assert (why["is_seed"], why["value"], why["entry"]) == (False, 9, 1)
    assert why["beaten_by"] == [{"row": 2, "col": 3, "value": 9, "needed": ">"}]


def test_ties_compare_and_closure(document, config):
    _, seen = document("ties", config)
    (audit,) = seen["audits"]
    assert (audit["n_events"], audit["n_dependent_events"]) == (6, 4)
    seeds = {rule: each["n_seeds"] for rule, each in audit["tie_rules"].items()}
    assert (seeds["all"], seeds["first"], seeds["none"]) == (10, 6, 2)
    _, seen = document("compare", config, "Jet", "Wide")
    (both,) = seen["comparisons"]
    assert (both["first"], both["second"]) == ("Jet", "Wide")
    assert (both["n_same_seed"], both["n_only_first"], both["n_only_second"]) == (6, 0, 4)
    assert [(each["entry"], each["row"], each["col"]) for each in both["one_sided"]] == [
        (entry, 2, 4) for entry in range(4)
    ]
    _, seen = document("closure", config)
    jet = seen["closures"]["Jet"]
    assert (jet["n_in_file"], jet["n_found"], jet["n_equal_sums"], jet["n_extra"]) == (6, 6, 4, 0)
    assert [each["sum_of_cluster"] for each in jet["different_sums"]] == [9, 9]


def test_presets_keys_and_info(document):
    _, seen = document("presets", "cms-l1-jet")
    assert seen["presets"]["cms-l1-jet"]["settings"]["tie_rule"] == preset("cms-l1-jet")[0].tie_rule
    assert len(document("presets")[1]["presets"]) > 30
    _, seen = document("keys", "run.chunksize")
    assert seen["keys"]["run.chunksize"]["type"] == "whole number from 1"
    assert "grids" in document("keys")[1]["keys"]
    _, seen = document("info")
    assert seen["versions"]["numpy"] == np.__version__
    assert (seen["executors"]["iterative"], seen["folder_is_writable"]) == (True, True)


def test_an_error_leaves_stdout_empty(cli):
    status, out, err = cli("run", "gone.yaml", "--json")
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_quiet_drops_notices_and_keeps_results_and_losses(cli, config, tmp_path):
    loud = cli("explain", config, "--cell", 2, 3, "-o", "why.png")
    quiet = cli("explain", config, "--cell", 2, 3, "-o", "why.png", "-q")
    assert (loud[2], quiet[2]) == ("picture saved to why.png\n", "")
    assert loud[1] == quiet[1] != ""
    assert "1 of 1 chunks were already finished" in (cli("run", config), cli("run", config))[1][1]
    out = cli("run", config, "-q")[1]
    places = {"Results": tmp_path / "results", "Report": tmp_path / "results/report.html"}
    assert "already finished" not in out
    assert out.splitlines()[-2:] == [f"{word}: {path}" for word, path in places.items()]
    Path(config).write_text("nothing: 1")
    assert cli("run", config, "-q")[2].startswith("error: ")


def test_verbose_and_a_log_file_tell_the_steps(cli, config):
    assert "DEBUG hep_peaksum.job.run: 1 chunks, 1 of them to process" in cli("run", config, "-v")[2]
    assert cli("run", config, "--restart", "--log-file", "log.txt")[2] == ""
    assert cli("run", "gone.yaml", "--log-file", "log.txt")[0] == 2
    log = Path("log.txt").read_text()
    assert "DEBUG hep_peaksum.job.run: processed in" in log
    assert "error: gone.yaml" in log


def test_a_log_is_added_to_no_other_file(cli, config):
    before = config.read_bytes()
    status, _, err = cli("run", config, "--log-file", config)
    assert (status, "exists already, and is no log of this program: choose another name" in err) == (2, True)
    assert config.read_bytes() == before


def test_every_command_says_how_much_it_prints():
    for name, command in program.commands.items():
        assert {"quiet", "verbose", "log_file"} <= {each.name for each in command.params}, name


def test_cite_makes_bibtex_of_the_citation_file(cli):
    status, out, err = cli("--cite")
    assert (status, err) == (0, "")
    assert out.startswith("@software{hep_peaksum,\n  author ")
    assert "  version  = {" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_valid_in_their_shell(cli, shell, tmp_path):
    status, out, _ = cli("completions", shell)
    assert status == 0
    assert "_HEP_PEAKSUM_COMPLETE" in out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(out)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_bash_completes_commands_and_options(tmp_path):
    code = "from hep_peaksum.cli.main import main; main()"
    for words, expected in (("hep-peaksum clo", "closure"), ("hep-peaksum run --dry", "--dry-run")):
        ask = {
            "_HEP_PEAKSUM_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | ask, capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == [f"plain,{expected}"]
