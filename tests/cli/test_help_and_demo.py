"""Help, version and the demo: what a newcomer runs first, in an empty folder."""

import subprocess
import sys
from pathlib import Path

import pytest
import uproot
import yaml
from cli_output import PNG, complaints, counts_of, python_m, without_notices
from compilation import IN_HALF_THE_TIME

from hep_peaksum.cli import demo
from hep_peaksum.cli.demo import write_toy


def test_help_and_version_work_in_a_shell(tmp_path):
    shown = python_m("--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: hep-peaksum")
    commands = ["demo", "run", "check", "inspect", "show", "init", "status", "presets"]
    assert all(f"\n  {name} " in shown.stdout for name in commands)
    assert "..." not in shown.stdout.partition("Commands:")[2]  # whole sentences
    assert python_m("--version", cwd=tmp_path).stdout.startswith("hep_peaksum ")


FINDER = """
class Finder:
    find_spec = lambda *name: press() if "click" in name else None
sys.meta_path.insert(0, Finder())"""
PRESSED = {"while the program is imported": FINDER, "after its end": "atexit.register(press)"}


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal that a process sends to itself")
@pytest.mark.parametrize("when", PRESSED)
def test_ctrl_c_shows_no_traceback(when):
    code = (
        "import atexit, os, runpy, signal, sys\npress = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        f"{PRESSED[when]}\nsys.argv = ['hep-peaksum', '--version']\n"
        "runpy.run_module('hep_peaksum', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")


@pytest.mark.slow
def test_the_first_run_on_a_machine_reports_the_compilation(write_events, job, tmp_path, monkeypatch):
    for name, value in {**IN_HALF_THE_TIME, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job(write_events("a.root", 20))))
    first, second = (python_m("run", "job.yaml", "--restart", cwd=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stderr.count("compiling the search for cells of this type, once") == 1
    assert "compiling" not in second.stderr + first.stdout


@pytest.mark.slow
def test_the_demo_runs_in_an_empty_folder_and_again(tmp_path, cli):
    first = python_m("demo", "--events", "150", cwd=tmp_path / "here")
    assert first.returncode == 0, first.stderr
    assert not without_notices(first.stderr)
    for words in ("true showers", "found within one cell", "fake clusters", "energy resolution"):
        assert words in first.stdout
    folder = tmp_path / "here" / "hep-peaksum-demo"
    plots = list((folder / "results/plots").iterdir())
    assert len(plots) >= 4
    assert all(path.read_bytes().startswith(PNG) for path in plots)
    assert sum(uproot.open(path)["Events"].num_entries for path in folder.glob("toy-*.root")) == 150

    status, out, err = cli("demo", "--events", "150")
    assert (status, err) == (0, "")
    assert "2 of 2 chunks were already finished" in out
    mine = ["output.directory=hep-peaksum-demo/mine", "output.plots=false"]
    status, out, err = cli("run", "hep-peaksum-demo/quickstart.yaml", "--set", mine[0], "--set", mine[1])
    assert (status, err) == (0, "")


@pytest.mark.slow
def test_a_demo_runs_again_after_its_files_were_replaced_or_deleted(cli):
    folder = Path("hep-peaksum-demo")
    for n_events in (40, 60):
        status, out, err = cli("demo", "--events", n_events)
        assert (status, err) == (0, "")
        assert counts_of(out, "toy") == ("2", str(n_events), "0")
        for files in [[*folder.glob("toy-*.root")], [folder / "results/toy/clusters.root"]]:
            assert sum(uproot.open(each)["Events"].num_entries for each in files) == n_events
    deleted = max(folder.glob("toy-*.root"))
    deleted.unlink()
    status, out, err = cli("demo", "--events", "60")
    assert (status, err) == (0, "")
    assert deleted.exists()
    assert "2 of 2 chunks were already finished and were not repeated" in out


def test_no_event_of_the_demo_is_there_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trees = [uproot.open(path)["Events"] for path in write_toy(6, seed=1)]
    numbers, showers = (
        [each for tree in trees for each in tree[name].array().to_list()] for name in ("event", "Shower_energy")
    )
    assert [tree.num_entries for tree in trees] == [3, 3]
    assert len(set(numbers)) == len({tuple(energies) for energies in showers}) == 6


def test_files_of_the_same_events_are_kept_and_those_of_others_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = write_toy(5, 1)
    monkeypatch.setattr(demo.toy, "make_events", None)  # not to be called
    assert write_toy(5, 1) == first
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    others = write_toy(5, 2)
    assert {*Path("hep-peaksum-demo").glob("*.root")} == {*others}
    assert not {*others} & {*first}


def test_a_demo_of_one_event_runs_and_with_an_edited_config_says_what_to_do(cli):
    status, _, err = cli("demo", "--events", "1")
    assert (status, err) == (0, "")
    config = Path("hep-peaksum-demo/quickstart.yaml")
    config.write_text(config.read_text().replace("seed_threshold: 1 GeV", "seed_threshold: 2 GeV"))
    status, _, err = cli("demo", "--events", "1")
    assert status == 2
    assert "holds the results of another config" in complaints(err)[0]


@pytest.mark.parametrize(("options", "progress"), [((), True), (("--quiet",), False)])
def test_the_demo_shows_its_progress_unless_it_is_quiet(cli, monkeypatch, options, progress):
    asked = []

    def made(*_, **options):
        asked.append(options)
        raise ValueError

    monkeypatch.setattr(demo, "demo", made)
    cli("demo", *options)
    assert asked == [{"progress": progress}]


def test_garbage_collection_resumes_after_the_imports():
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
